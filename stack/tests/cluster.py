"""A stand-in for kubectl: a program on PATH that notes what it is asked and gives canned answers."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stack import PARTS
from stack.pods import PART_LABEL

SCRIPT = """#!/bin/sh
echo "$*" >> {folder}/calls
case "$*" in *" --filename -"*|*" --stdin "*) cat >> {folder}/given ;; esac
case "$*" in
{cases}
*"config current-context") echo here ;;
esac
"""


class Cluster:
    """Answers by shell patterns of the arguments; the first that matches is taken."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, context: str = "here") -> None:
        self._folder = folder
        self._answers: dict[str, str] = {}
        self._numbers = 0
        self._write()
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("KUBE_CONTEXT", context)

    def answers(self, pattern: str, answer: Any) -> None:
        """What is printed: a text as it is, anything else as kubectl prints JSON."""
        text = answer if isinstance(answer, str) else json.dumps(answer, indent=4)
        self._numbers += 1
        file = self._folder / f"answer-{self._numbers}"
        file.write_text(text)
        self._add(pattern, f"cat {file}")

    def lists(self, kind: str, *items: Any) -> None:
        """What `get` finds of a kind."""
        self.answers(f"*get {kind} *", {"items": items})

    def has(self, *pods: Any) -> None:
        """All the pods that there are."""
        self.lists("pods", *pods)
        for part in PARTS:
            own = [each for each in pods if each["metadata"]["labels"][PART_LABEL] == part]
            self.answers(f"*get pods --selector *={part} --output json", {"items": own})

    def does(self, pattern: str, command: str) -> None:
        """What is run instead."""
        self._add(pattern, command)

    def _add(self, pattern: str, command: str) -> None:
        self._answers = {pattern: command} | {key: value for key, value in self._answers.items() if key != pattern}
        self._write()

    def _write(self) -> None:
        cases = "\n".join(f"{key.replace(' ', chr(92) + ' ')}) {command} ;;" for key, command in self._answers.items())
        script = self._folder / "kubectl"
        script.write_text(SCRIPT.format(folder=self._folder, cases=cases))
        script.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """What it was asked, without the context and the namespace."""
        file = self._folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.removeprefix("--context here --namespace warmstart ") for line in lines]

    @property
    def given(self) -> str:
        """What it got on standard input."""
        file = self._folder / "given"
        return file.read_text() if file.exists() else ""


def deployment(name: str, replicas: int = 1, **annotations: str) -> dict[str, Any]:
    """As the API server describes it."""
    return {
        "metadata": {"name": name, "annotations": annotations, "generation": 1},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": name}]}}},
        "status": {"observedGeneration": 1, "updatedReplicas": replicas},
    }


def pod(
    name: str,
    *,
    ready: bool = True,
    state: Mapping[str, Any] | None = None,
    last: Mapping[str, Any] | None = None,
    restarts: int = 0,
    leaving: bool = False,
    scheduled: str = "",
) -> dict[str, Any]:
    """As the API server describes it; by default one that runs."""
    scheduling = {"type": "PodScheduled", "status": "False" if scheduled else "True", "message": scheduled}
    part = name.partition("-")[0]
    container = {"name": part, "restartCount": restarts, "state": state or {"running": {}}, "lastState": last or {}}
    return {
        "metadata": {
            "name": name,
            "labels": {PART_LABEL: part},
            **({"deletionTimestamp": "2026-11-26T06:00:00Z"} if leaving else {}),
        },
        "status": {
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}, scheduling],
            **({} if scheduled else {"containerStatuses": [container]}),
        },
    }


def warning(pod_name: str, message: str, when: str = "2026-11-26T06:00:00Z") -> dict[str, Any]:
    """An event."""
    return {
        "type": "Warning",
        "message": message,
        "lastTimestamp": when,
        "involvedObject": {"name": pod_name},
        "metadata": {},
    }
