"""The kubectl command, on the one context that the user named, in one namespace."""

import json
import os
import subprocess
from typing import Any

from stack.errors import StackError

VARIABLE = "KUBE_CONTEXT"
ANSWER_SECONDS = 30.0


class Kubectl:
    """Commands in a namespace. Nothing is asked or changed in a context that KUBE_CONTEXT doesn't name.

    Args:
        namespace: of everything.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._context = ""

    def command(self, *arguments: str) -> tuple[str, ...]:
        """The whole command line. Raises StackError when the context is not the user's."""
        self._context = self._context or named_context()
        return ("kubectl", "--context", self._context, "--namespace", self.namespace, *arguments)

    def run(self, *arguments: str, text: str | None = None, timeout: float = ANSWER_SECONDS) -> str:
        """What a command prints, given `text` on standard input.

        Raises:
            StackError: the command failed (with the end of its output), or took longer than `timeout` seconds.
        """
        return _run(self.command(*arguments), text, timeout)

    def json(self, *arguments: str) -> Any:
        """What `get` and its like print with `--output json`."""
        return json.loads(self.run(*arguments, "--output", "json"))

    def items(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """All objects of a kind, with `--selector` or the like."""
        found: list[dict[str, Any]] = self.json("get", kind, *arguments)["items"]
        return found


def render(folder: str) -> str:
    """YAML of a kustomization. Raises StackError."""
    return _run(("kubectl", "kustomize", folder), None, ANSWER_SECONDS)


def named_context() -> str:
    """The context that KUBE_CONTEXT names. Raises StackError when it is not the current one."""
    current = _run(("kubectl", "config", "current-context"), None, ANSWER_SECONDS).strip()
    wanted = os.environ.get(VARIABLE, "")
    if not wanted:
        raise StackError(f"{VARIABLE} is not set: {VARIABLE}={current} says that this cluster is meant")
    if wanted != current:
        raise StackError(
            f"{VARIABLE}={wanted}, but the current context is {current}: kubectl config use-context {wanted}"
        )
    return wanted


def _run(command: tuple[str, ...], text: str | None, timeout: float) -> str:
    try:
        done = subprocess.run(command, input=text or "", timeout=timeout, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise StackError("there is no kubectl command") from None
    except subprocess.TimeoutExpired:
        raise StackError(f"{' '.join(command[:8])}: no answer within {timeout:g} s") from None
    if done.returncode != 0:
        raise StackError(f"{' '.join(command[:8])} failed:\n{done.stderr.strip()[-3000:]}")
    return done.stdout
