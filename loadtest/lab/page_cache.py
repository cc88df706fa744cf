"""Empties the page cache, as after a reboot or on a node that never ran this image."""

import os
from pathlib import Path

SWITCH = Path("/proc/sys/vm/drop_caches")


def may_drop_page_cache() -> bool:
    """Whether the system allows it: Linux, as root of the machine itself."""
    return os.access(SWITCH, os.W_OK)


def drop_page_cache() -> None:
    """Write dirty pages, then drop the clean ones. Raises OSError where that isn't permitted."""
    os.sync()
    SWITCH.write_text("1\n")
