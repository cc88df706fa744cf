"""Chooses the stack: the one that runs, the one that `STACK` names, or one that this machine can run."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from stack.compose import ComposeStack
from stack.demo_chat import asked_parts
from stack.docker import silence
from stack.dotenv import read_settings, read_variables
from stack.embedded import EmbeddedStack
from stack.errors import ImagesError, StackError
from stack.guards import SPELLINGS
from stack.interface import PARTS, Stack
from stack.kubernetes import KubernetesStack
from stack.models import VARIABLE
from stack.site import env_file

log = logging.getLogger(__name__)

Kind = Literal["embedded", "compose", "kubernetes"]
AnyStack = EmbeddedStack | ComposeStack | KubernetesStack
CLASSES: Mapping[Kind, type[AnyStack]] = {
    "embedded": EmbeddedStack,
    "compose": ComposeStack,
    "kubernetes": KubernetesStack,  # only when STACK names it
}
RECORD = "kind"  # a file in the stack's folder


def bring_up(root: Path) -> Stack:
    """Choose a stack, record the choice, and start it.

    Raises:
        StackError: it can't be started, or another kind runs already.
    """
    _read_settings(root)
    wanted, running = _forced(), _running(root)
    if wanted and running and wanted != running:
        raise StackError(f"STACK={wanted}, but the {running} stack is running: make down first")
    kind, why = (wanted or running), ("STACK says so" if wanted else "it is running")
    if kind is None:
        mute = silence()
        kind, why = ("embedded", mute) if mute else ("compose", "a Docker engine answers")
    try:
        return _start(root, kind, why)
    except ImagesError as error:
        if wanted or running:
            raise
        log.warning("%s", error)
        return _start(root, "embedded", "the images of the compose stack could not be pulled or built, see above")


def current(root: Path) -> AnyStack:
    """The stack for every command but `up`: the one that `up` chose.

    Raises:
        StackError: STACK names another stack, or the stack does not answer.
    """
    _read_settings(root)
    wanted, recorded = _forced(), _recorded(root)
    if wanted and recorded and wanted != recorded:
        raise StackError(f"STACK={wanted}, but make up last chose {recorded}: unset STACK")
    kind = wanted or recorded or _running(root) or "embedded"
    if kind == "compose" and (mute := silence()):
        raise StackError(f"the stack is compose, but {mute}")
    return _of(kind, root)


def preferred(root: Path) -> Kind:
    """The kind for another stack beside that of `root`: named by STACK, as chosen there, or what this machine can run.

    Raises:
        StackError: it is compose, and no engine answers.
    """
    kind = _forced() or _recorded(root)
    mute = silence() if kind in (None, "compose") else ""
    if kind and mute:
        raise StackError(f"the stack is {kind}, but {mute}")
    return kind or ("embedded" if mute else "compose")


def _start(root: Path, kind: Kind, why: str) -> Stack:
    if kind == "compose" and (mute := silence()):
        raise StackError(mute)
    if kind == "embedded":  # a guard that can't be read would be left out, and the api be open to everybody
        read_variables(env_file(root.resolve()), SPELLINGS - os.environ.keys())
    if kind != "kubernetes":  # whose manifests name it: documents are found by their own model alone
        read_variables(env_file(root.resolve()), {VARIABLE} - os.environ.keys())
    before = _recorded(root)
    log.info("%-9s %s (%s)", "stack", kind, why)
    if before and before != kind:
        left = CLASSES[before].left.format(kind=before)
        log.warning("%-9s %s: STACK=%s make up goes back", "", left, before)
    stack = _of(kind, root)
    (root / RECORD).write_text(f"{kind}\n")
    stack.up()
    return stack


def _of(kind: Kind, root: Path) -> AnyStack:
    """Of a person, who asks for faults in general: all connections of the api are to be breakable."""
    stack = CLASSES[kind](root, parts=asked_parts())
    stack.detoured = os.environ.get("FAULTS_ENABLED") == "1"
    return stack


def _read_settings(root: Path) -> None:
    """Let a variable that this shell doesn't set be as the stack's .env has it, here and in all that is started.

    docker compose does the same by itself for what compose.yaml names.
    """
    for name, value in read_settings(env_file(root.resolve())).items():
        os.environ.setdefault(name, value)


def _forced() -> Kind | None:
    return _kind(os.environ.get("STACK", ""), "STACK")


def _recorded(root: Path) -> Kind | None:
    file = root / RECORD
    return _kind(file.read_text().strip(), str(file)) if file.exists() else None


def _kind(name: str, source: str) -> Kind | None:
    for kind in get_args(Kind):
        if name == kind:
            return kind  # type: ignore[no-any-return] # of a Literal, get_args gives Any
    if name:
        raise StackError(f"{source}={name} is none of {', '.join(CLASSES)}")
    return None


def _running(root: Path) -> Kind | None:
    """The kind that runs from this clone, as far as this machine shows: a cluster is asked only when STACK names it."""
    if any(EmbeddedStack(root).pids(part) for part in PARTS):
        return "embedded"
    if not silence() and ComposeStack(root).project.runs():
        return "compose"
    return None
