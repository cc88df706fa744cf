"""A service that gets a share of the CPU only, as a limit of its container would give it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from signal import SIGCONT, SIGSTOP, Signals
from threading import Event, Thread
from typing import Self

import psutil

from stack import ComposeStack, Part, Stack
from stack.docker import docker

PERIOD = 0.1  # seconds, as the kernel's for a limit of CPU: https://docs.kernel.org/scheduler/sched-bwc.html
LOOK = 1.0  # seconds between two looks for new processes


@contextmanager
def throttled(stack: Stack, parts: tuple[Part, ...], share: float) -> Iterator[None]:
    """Let each service compute for this share of the time only.

    On compose its container's limit is changed. Processes of this machine are stopped and continued in turns, which
    takes no privilege. Services are out of step: one that is stopped doesn't notice that another is, too.
    """
    if isinstance(stack, ComposeStack):
        with _limited(stack, parts, share):
            yield
        return
    throttles = [
        Throttle(partial(stack.pids, part), share, PERIOD * number / len(parts)) for number, part in enumerate(parts)
    ]
    for each in throttles:
        each.start()
    try:
        yield
    finally:
        for each in throttles:
            each.stop()


class Throttle:
    """Stops and continues the processes that `pids` finds; `delay` is the seconds until it begins."""

    def __init__(self, pids: Callable[[], list[int]], share: float, delay: float = 0.0) -> None:
        self._pids = pids
        self._runs, self._delay = PERIOD * share, delay
        self._known: dict[int, psutil.Process] = {}
        self._over = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Let all processes run."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        look = time.monotonic()
        try:
            self._over.wait(self._delay)
            while not self._over.wait(self._runs):
                if time.monotonic() >= look:
                    self._look()
                    look = time.monotonic() + LOOK
                self._send(SIGSTOP)
                self._over.wait(PERIOD - self._runs)
                self._send(SIGCONT)
        finally:
            self._send(SIGCONT)

    def _look(self) -> None:
        for pid in self._pids():
            with suppress(psutil.NoSuchProcess):  # it may have ended since
                self._known[pid] = psutil.Process(pid)

    def _send(self, sig: Signals) -> None:
        for process in self._known.values():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(sig)


@contextmanager
def _limited(stack: ComposeStack, parts: tuple[Part, ...], share: float) -> Iterator[None]:
    """Change the limits of containers."""
    limits = {each.id: float(_cpus(each.id)) for part in parts for each in stack.project.containers(part) if each.runs}
    try:
        for container, cpus in limits.items():
            docker("update", "--cpus", f"{cpus * share:g}", container)
        yield
    finally:
        for container, cpus in limits.items():
            docker("update", "--cpus", f"{cpus:g}", container)


def _cpus(container: str) -> float:
    return int(docker("inspect", "--format", "{{.HostConfig.NanoCpus}}", container)) / 1e9
