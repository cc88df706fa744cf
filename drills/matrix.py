"""The claims of all drills, stated only here: docs/drills.md is made from them, and the drills check them."""

from drills.rows import (
    chat,
    connections,
    databases,
    processes,
    replacement,
    scarce,
    start,
    stores,
    surroundings,
    traffic,
    worker,
)

ROWS = (
    *start.ROWS,
    *worker.ROWS,
    *processes.ROWS,
    *stores.ROWS,
    *connections.ROWS,
    *databases.ROWS,
    *scarce.ROWS,
    *surroundings.ROWS,
    *traffic.ROWS,
    *replacement.ROWS,
    *chat.ROWS,
)
