"""Borrows the worker of a running system, and returns it in its earlier state."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from stack import PARTS, KubernetesStack, Stack
from stack.choice import AnyStack, current

# Settings that change how a worker starts and serves. Its other settings come from the stack again.
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
    "PREDICTOR",
    "PREDICTOR_SHA256",
    "PREDICTOR_TRUSTED_TYPES",
    "READINESS_POLICY",
    "REQUEST_TIMEOUT",
    "STARTUP_TIMEOUT",
    "WARMUP",
    "WARMUP_PASSES",
    "WEB_CONCURRENCY",
)


def recorded_stack(root: Path) -> AnyStack:
    """The stack of `make up`, on the current ports of its parts: a stopped part would no longer know its port.

    In a cluster, reading a port also opens the port-forward, if one is needed, while its pod still exists.

    Raises:
        StackError: the stack does not answer.
    """
    stack = current(root)
    ports = {part: port for part in PARTS if (port := urlsplit(stack.url(part)).port)}
    return stack if isinstance(stack, KubernetesStack) else type(stack)(root, ports)


@contextmanager
def borrowed_worker(stack: Stack) -> Iterator[None]:
    """Inside, the worker is stopped; afterwards it runs again with the settings that it had, if it ran before."""
    runs = bool(stack.pids("worker"))
    settings = {name: value for name, value in stack.environment("worker").items() if name in SETTINGS} if runs else {}
    if runs:
        stack.stop("worker")
    try:
        yield
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave the system half-restored
        try:
            stack.stop("worker")
            if runs:
                stack.start("worker", environment=settings)
        finally:
            signal.signal(signal.SIGINT, before)
