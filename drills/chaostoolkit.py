"""Each drill as an experiment of the Chaos Toolkit (https://chaostoolkit.org), for `chaos run` beside `make up`."""

import json
from pathlib import Path
from typing import Any

from drills.matrix import ROWS
from drills.row import STEADY, Row
from drills.steps import STEPS, Steps
from drills.system import MODEL
from stack import Part

PYTHON = ".venv/bin/python"  # the Chaos Toolkit looks for it in the folder where it runs: the repository's root
LIMIT = 180  # seconds that a command may take
WHOLE_LIMIT = 600  # seconds that a drill and its control may take
RECOVERY = 5.0  # seconds until the system has noticed that a fault is over
JSON = {"Content-Type": "application/json"}
Activity = dict[str, Any]


def write(folder: Path) -> list[Path]:
    """One file a drill."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / f"{row.name}.json": experiment(row) for row in ROWS}
    for file, content in files.items():
        file.write_text(json.dumps(content, indent=2) + "\n")
    return list(files)


def experiment(row: Row) -> dict[str, Any]:
    """The drill's claim, steady state, steps and way back."""
    steps = STEPS.get(row.name)
    parts = _stepwise(row, steps) if steps else _whole(row)
    return {
        "title": row.claim,
        "description": _description(row, steps),
        "tags": ["warmstart", row.name],
        "configuration": {"api_url": {"type": "env", "key": "API_URL", "default": "http://127.0.0.1:8000"}},
        **parts,
    }


def _stepwise(row: Row, steps: Steps) -> dict[str, Any]:
    """By default the toolkit plays no rollbacks after Ctrl-C, nor when the steady state isn't back."""
    return {
        "steady-state-hypothesis": _steady_state(),
        "method": _method(row, steps),
        "rollbacks": _rollbacks(row, steps),
        "runtime": {"rollbacks": {"strategy": "always"}},
    }


def _whole(row: Row) -> dict[str, Any]:
    """The drill is the probe of the hypothesis: of an action's exit status the toolkit only warns."""
    command = ["drills", f"DRILLS=test_{row.name}"]
    provider = {"type": "process", "path": "make", "arguments": command, "timeout": WHOLE_LIMIT}
    probe = {"type": "probe", "name": f"make {' '.join(command)}", "provider": provider, "tolerance": 0}
    return {
        "steady-state-hypothesis": {"title": "The drill holds, and its control fails", "probes": [probe]},
        "method": [],
        "rollbacks": [],
        "runtime": {"hypothesis": {"strategy": "after-method-only"}},
    }


def _description(row: Row, steps: Steps | None) -> str:
    parts = [f"{row.fault[0].upper()}{row.fault[1:]}."]
    if steps is None:
        parts.append("The drill needs a stack or clients of its own: it runs as a whole, with its control.")
    if row.clients:
        parts.append(f"Requests may fail meanwhile: {', '.join(row.clients)} in {', '.join(row.radius)}.")
    elif not row.in_flight and row.exit_code is None:
        parts.append("No request may fail meanwhile.")
    if steps:
        drill = f"make drills DRILLS=test_{row.name}"
        parts.append(f"Checked here is the steady state, before and afterwards; the rest by: {drill}.")
    return " ".join(parts)


def _steady_state() -> dict[str, Any]:
    """What `System.prove_steady` asks."""
    embed, search = {"model": MODEL, "input": "steady"}, {"query": "steady", "limit": 10}
    return {
        "title": "Every part is ready, an embedding is computed, and a search finds its way",
        "probes": [
            {**_stack("status", kind="probe"), "tolerance": 0},
            {**_request("an embedding is computed", "/v1/embeddings", embed), "tolerance": 200},
            {**_request("a search is answered", "/v1/search", search), "tolerance": 200},
        ],
    }


def _method(row: Row, steps: Steps) -> list[Activity]:
    """The drill's settings, the fault, what the api says meanwhile, and the end of the fault.

    The toolkit holds the hypothesis' probes to their tolerance, and no others: those of a method are in its journal.
    """
    settings = [
        _stack("restart", part, *(f"{name}={value}" for name, value in sorted(values.items())))
        for part, values in _settings(row, steps).items()
    ]
    fault = [_paused(_stack(*each.split()), steps.seconds) for each in steps.do]
    seen = [_request("record what the api's /readyz says", "/readyz")] if row.probes.get("api") == STEADY else []
    undone = [_stack(*each.split()) for each in steps.undo]
    *before, last = [*settings, *fault, *seen, *undone]
    return [*before, _paused(last, RECOVERY)]


def _rollbacks(row: Row, steps: Steps) -> list[Activity]:
    """The end of the fault; services that ran with the drill's settings run with their own again."""
    restarts = [_stack("restart", part) for part in _settings(row, steps)]
    return [*(_stack(*each.split()) for each in steps.undo), *restarts]


def _settings(row: Row, steps: Steps) -> dict[Part, dict[str, str]]:
    """Of each service that needs some for the drill."""
    switched: dict[Part, dict[str, str]] = {part: {"FAULTS_ENABLED": "1"} for part in steps.switched}
    return switched | {part: {**switched.get(part, {}), **values} for part, values in row.settings.items()}


def _stack(*arguments: str, kind: str = "action") -> Activity:
    provider = {"type": "process", "path": PYTHON, "arguments": ["-m", "stack", *arguments], "timeout": LIMIT}
    return {"type": kind, "name": f"stack {' '.join(arguments)}", "provider": provider}


def _request(name: str, path: str, body: object = None) -> Activity:
    provider: dict[str, Any] = {"type": "http", "url": f"${{api_url}}{path}", "timeout": 5}
    if body is not None:
        provider |= {"method": "POST", "headers": JSON, "arguments": body}
    return {"type": "probe", "name": name, "provider": provider}


def _paused(activity: Activity, seconds: float) -> Activity:
    return {**activity, "pauses": {"after": seconds}} if seconds else activity
