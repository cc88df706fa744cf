"""Borrowing the worker of a running system, and giving it back as it was."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from stack import PARTS, ComposeStack, EmbeddedStack, KubernetesStack, Stack, StackError
from stack.choice import current

# What changes how a worker starts and serves. Its other settings come from the stack again.
SETTINGS = (
    "DRAIN_SECONDS",
    "EMBEDDING_MODEL",
    "ENGINE",
    "ENVIRONMENT",
    "FAULTS_ENABLED",
    "LOG_LEVEL",
    "MAX_QUEUE_TOKENS",
    "MIN_READY_PROCESSES",
    "PRECISION",
    "READINESS_POLICY",
    "REQUEST_TIMEOUT",
    "STARTUP_TIMEOUT",
    "WARMUP",
    "WARMUP_PASSES",
    "WEB_CONCURRENCY",
)


def recorded_stack(root: Path) -> EmbeddedStack | ComposeStack:
    """The stack of `make up`, on the ports that its parts have now: a stopped one wouldn't know them any more.

    Raises:
        StackError: it can't be asked, or its processes are not on this machine: the lab looks at them.
    """
    stack = current(root)
    if isinstance(stack, KubernetesStack):
        raise StackError("a start in a cluster can't be followed from here: STACK=embedded or STACK=compose")
    ports = {part: port for part in PARTS if (port := urlsplit(stack.url(part)).port)}
    return type(stack)(root, ports)


@contextmanager
def borrowed_worker(stack: Stack) -> Iterator[None]:
    """Inside, the worker is stopped; afterwards it runs again with the settings that it had, if it ran before."""
    pids = stack.pids("worker")
    settings = _settings(pids[0]) if pids else {}
    if pids:
        stack.stop("worker")
    try:
        yield
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave the system half-restored
        try:
            stack.stop("worker")
            if pids:
                stack.start("worker", environment=settings)
        finally:
            signal.signal(signal.SIGINT, before)


def _settings(pid: int) -> dict[str, str]:
    """Those that a process was started with; none where another user's environment can't be read."""
    try:
        environment = psutil.Process(pid).environ()
    except psutil.Error:
        return {}
    return {name: environment[name] for name in SETTINGS if name in environment}
