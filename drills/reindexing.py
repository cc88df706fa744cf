"""The job that replaces a model, run by the stack, which a drill can kill."""

from contextlib import suppress
from functools import partial
from signal import SIGKILL
from threading import Thread

import psutil

from stack import ComposeStack, Stack, StackError
from stack.docker import ONE_OFF, PROJECT, docker
from stack.kubernetes import KubernetesStack
from stack.pods import PART_LABEL
from stack.replacing import JOB

MODULE = "api.reindex"
KILLED = 128 + SIGKILL
LOOK = 0.1  # seconds


class Job:
    """`python -m api.reindex` with these arguments; it begins at once."""

    def __init__(self, stack: Stack, *arguments: str) -> None:
        self._stack = stack
        self._arguments = arguments
        self.code: int | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.code = self._stack.run_reindex(*self._arguments)
        except StackError:  # in a cluster: its pod is gone
            self.code = KILLED

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def kill(self) -> bool:
        """SIGKILL, as soon as there is a process; returns whether that ended it."""
        if isinstance(self._stack, KubernetesStack):
            return self._delete_pod(self._stack)
        kill = partial(kill_container, self._stack) if isinstance(self._stack, ComposeStack) else kill_process
        while self.runs:
            kill()
            self._thread.join(LOOK)
        return self.code == KILLED

    def _delete_pod(self, stack: KubernetesStack) -> bool:
        """Its thread goes on for a while: it waits for a sign of the pod."""
        asked = ("delete", "pod", "--selector", f"{PART_LABEL}={JOB}", "--grace-period=0", "--force")
        while self.runs:
            if stack.kubectl.run(*asked).strip():
                return True
            self._thread.join(LOOK)
        return False


def kill_process() -> None:
    """That of this machine: a child of this process."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if MODULE in process.cmdline():
                process.kill()


def kill_container(stack: ComposeStack) -> None:
    """The container of `compose run`."""
    labels = (f"{PROJECT}={stack.project.name}", f"{ONE_OFF}=True")
    filters = [part for label in labels for part in ("--filter", f"label={label}")]
    for name in docker("ps", "--quiet", *filters).split():
        with suppress(StackError):  # it has just ended
            docker("kill", name)
