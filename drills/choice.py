"""Chooses the kind of stack that the drills run on."""

from pathlib import Path

from drills.system import BASE
from stack import Stack, free_ports
from stack.choice import CLASSES, preferred
from stack.site import DEFAULT_ROOT


def chosen(folder: Path) -> tuple[str, Stack]:
    """A stack of the kind that `STACK` names, that `make up` chose last, or that this machine can run.

    Raises:
        StackError: there is no such kind, or no engine for it.
    """
    kind = preferred(DEFAULT_ROOT)
    stack = CLASSES[kind](folder, free_ports(), environment={**BASE, "ENGINE": "fake"})
    return kind, stack
