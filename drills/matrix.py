"""The claims of all drills, stated only here: docs/drills.md is made from them, and the drills check them."""

from drills.rows import connections, processes, start, stores, traffic, worker

ROWS = (*start.ROWS, *worker.ROWS, *processes.ROWS, *stores.ROWS, *connections.ROWS, *traffic.ROWS)
