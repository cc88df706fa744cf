"""Watches pods end: their last state can be seen only while they terminate."""

import json
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from threading import Timer
from typing import Any

from stack.errors import StackError
from stack.kubectl import Kubectl
from stack.pods import Pod


def watch_out(
    kubectl: Kubectl, selector: str, names: Collection[str], leave: Callable[[], object], seconds: float
) -> list[Pod]:
    """Call `leave`, wait until all pods of these names are gone, and return their last states.

    Raises:
        StackError: one was still there after `seconds`.
    """
    options = ("--selector", selector, "--watch", "--output-watch-events", "--output", "json")
    last: dict[str, Pod] = {}
    staying, asked = set(names), False
    with subprocess.Popen(kubectl.command("get", "pods", *options), stdout=subprocess.PIPE, text=True) as process:
        limit = Timer(seconds, process.kill)
        limit.start()
        try:
            for event in _documents(process.stdout or ()):
                pod = Pod.of(event["object"])
                last[pod.name] = pod
                if not asked and last.keys() >= staying:  # a pod that was gone before would not be seen to end
                    asked = True
                    leave()
                if event["type"] == "DELETED":
                    staying.discard(pod.name)
                if not staying:
                    return [last[name] for name in names]
        finally:
            limit.cancel()
            process.kill()
    raise StackError(f"{', '.join(sorted(staying))}: still there after {seconds:g} s")


def _documents(lines: Iterable[str]) -> Iterator[Any]:
    """JSON objects, each on a line of its own or on several."""
    text = ""
    for line in lines:
        text += line
        with suppress(ValueError):  # the object is not complete yet
            yield json.loads(text)
            text = ""
