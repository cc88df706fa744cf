"""The system under drill: its settings, its steady state, and its repair."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drills.row import Row
from loadtest.openloop.makers import repeated_texts
from stack import Part, Stack, until
from stack.http import ask
from stack.interface import CHAT, SERVICES

log = logging.getLogger(__name__)

# The drain is shorter than by default: services restart between most drills. Drills about the drain set their own.
BASE: Mapping[str, str] = {"FAULTS_ENABLED": "1", "DRAIN_SECONDS": "0.1"}
STEADY_SECONDS = 60.0
MODEL = "all-MiniLM-L6-v2"
CONTROLS = Path(__file__).with_name("controls.py")
DOCUMENTS = 12  # a search of the load asks for ten


def needed(row: Row, controlled: bool) -> tuple[str, ...]:
    """What a drill or its control needs of the services before it begins: for the order of drills."""
    control = row.control if controlled else None
    found: list[str] = [row.engine]
    for part in SERVICES:
        settings = {**row.settings.get(part, {}), **(control.settings.get(part, {}) if control else {})}
        patches = (row.patches.get(part), control and control.patches.get(part))
        found.append("" if part in row.starts else f"{sorted(settings.items())} {patches}")
    return (*found, f"{row.detours} {row.chat}")


class System:
    """One stack that all drills of a session use, one after the other."""

    def __init__(self, stack: Stack, kind: str) -> None:
        self.stack = stack
        self.kind = kind
        self._settings: dict[Part, Mapping[str, str]] = {part: {} for part in SERVICES}
        self._chat = False  # whether the stand-in for a chat model runs

    def settings_of(self, row: Row, part: Part, *, controlled: bool) -> dict[str, str]:
        """What a service runs with in a drill, or in its control."""
        settings = {**row.settings.get(part, {})}
        if part == "worker":
            settings["ENGINE"] = row.engine
        if part == "api":
            settings |= {name: value for each in row.detours for name, value in self.stack.detour(each).items()}
            settings |= self.stack.chat() if row.chat else {}
        patches = [row.patches.get(part)]
        if controlled and row.control:
            settings |= row.control.settings.get(part, {})
            patches.append(row.control.patches.get(part))
        if patch := ",".join(filter(None, patches)):
            folder = self.stack.share("drill_controls.py", CONTROLS.read_text())
            arguments = f"--pythonpath {folder} --worker-class drill_controls.Controlled"
            settings["GUNICORN_CMD_ARGS"] = f"{settings.get('GUNICORN_CMD_ARGS', '')} {arguments}".strip()
            settings["DRILL_CONTROL"] = patch
        return settings

    def configure(self, row: Row, *, controlled: bool = False) -> None:
        """Run the services with the drill's settings; those that the drill starts itself keep the common ones.

        Services that need others start at the same time, and nobody waits for them: `prove_steady` does.
        """
        if row.chat != self._chat:
            self.stack.start(CHAT) if row.chat else self.stack.stop(CHAT)
            self._chat = row.chat
        for part in SERVICES:
            plain = {"ENGINE": row.engine} if part == "worker" else {}
            wanted = plain if part in row.starts else self.settings_of(row, part, controlled=controlled)
            if self._settings[part] != wanted:
                self.start(part, wanted, wait=False)

    def start(self, part: Part, settings: Mapping[str, str], *, wait: bool = True) -> None:
        """Start a service, or restart it, with these settings."""
        self.stack.stop(part)
        self._settings[part] = settings
        self.stack.start(part, wait=wait, environment=settings)

    def heal(self) -> None:
        """Turn all switches off, and start each part that doesn't run, with its last settings."""
        for part in SERVICES:
            self.stack.inject(part, {})
        for status in self.stack.status():
            if not status.running:
                self.start_again(status.part)

    def start_again(self, part: Part) -> None:
        """Start a part with its last settings."""
        self.stack.start(part, environment=self._settings.get(part, {}))

    def restore(self, part: Part) -> None:
        """Start a service that a drill left in any state, without the drill's settings; `heal` starts the others."""
        common = {"ENGINE": "fake"} if part == "worker" else {}
        ready = any(each.part == part and each.ready for each in self.stack.status())
        if self._settings[part] != common or not ready:
            self.start(part, common, wait=False)

    def prove_steady(self) -> None:
        """Return when every part is ready, and an embedding and a search succeed. Raises StackError."""
        until(self._steady, STEADY_SECONDS, "the steady state", interval=0.1)

    def _steady(self) -> bool:
        unready = [f"{each.part}: {each.detail}" for each in self.stack.status() if not each.ready]
        if unready:
            raise RuntimeError("; ".join(unready))
        self.post("/v1/embeddings", {"model": MODEL, "input": f"steady at {time.time()}"})
        found = self.post("/v1/search", {"query": "steady", "limit": 10})["results"]
        if len(found) < 10:  # a search doesn't find documents of another engine
            documents = [{"id": f"drill-{number}", "text": f"Document {number}."} for number in range(DOCUMENTS)]
            self.post("/v1/documents", {"documents": documents})
        return len(found) == 10

    def remember_known_texts(self) -> None:
        """Ask once for each text that the load repeats, so that the cache has all of them."""
        self.post("/v1/embeddings", {"model": MODEL, "input": repeated_texts()})

    def post(self, path: str, body: Any) -> Any:
        """The api's answer. Raises RuntimeError for any status but 200."""
        answer = ask(f"{self.stack.url('api')}{path}", "POST", body, timeout=5)
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {answer.body[:300]!r}")
        return answer.json()
