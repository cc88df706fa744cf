"""The workflows as GitHub reads them, and the scripts in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
TARGET = re.compile(r"^([a-z0-9][a-z0-9-]*):", re.MULTILINE)


def read(path: Path) -> dict[str, Any]:
    """One file. YAML 1.1 takes the key `on` for True: it is `on` here."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else str(key): value for key, value in found.items()}


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    """By their ids."""
    found: dict[str, dict[str, Any]] = read(path)["jobs"]
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Of all jobs of a workflow, or of an action."""
    whole = read(path)
    if "jobs" not in whole:
        yield from whole["runs"]["steps"]
    for job in whole.get("jobs", {}).values():
        yield from job.get("steps", [])


def scripts(path: Path) -> list[str]:
    """What shells run."""
    return [step["run"] for step in steps(path) if "run" in step]


def make_targets() -> set[str]:
    """Of the Makefile."""
    return set(TARGET.findall((ROOT / "Makefile").read_text()))


def targets_named(text: str) -> set[str]:
    """Of `make a b NAME=value` anywhere in a script or a page, also with options."""
    named: set[str] = set()
    for words in re.findall(r"\bmake((?: +[^\s`'\";|&)]+)+)", text):
        for word in words.split():
            if re.fullmatch(r"[a-z0-9][a-z0-9-]*", word):
                named.add(word)
            elif not re.match(r"-|[A-Z_]+=", word):
                break
    return named
