"""A real Prometheus, which scrapes the services of a stack with the project's own rules."""

import json
import math
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from stack import free_ports, until
from stack.http import ask
from stack.ports import HOST

RULES = Path(__file__).resolve().parents[2] / "observability" / "alerts.yaml"
SECONDS = 30.0  # to start


class Prometheus:
    """Scrapes each of `targets`, a job's name and its URL, once a second."""

    def __init__(self, folder: Path, targets: Mapping[str, str]) -> None:
        self._folder = folder
        self._url = f"http://{HOST}:{free_ports()['api']}"
        jobs = [
            {"job_name": name, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
            for name, url in targets.items()
        ]
        timing = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        settings = {"global": timing, "rule_files": [str(RULES)], "scrape_configs": jobs}
        (folder / "prometheus.yaml").write_text(json.dumps(settings))

    def __enter__(self) -> Self:
        command = [
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self._url.removeprefix('http://')}",
        ]
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until(lambda: ask(f"{self._url}/-/ready", timeout=2).status == 200, SECONDS, "a Prometheus", self._said)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _said(self) -> str:
        return (self._folder / "prometheus.log").read_text()[-2000:]

    def get(self, path: str) -> Any:
        """The data of an answer of its API, below /api/v1."""
        answer = ask(f"{self._url}/api/v1/{path}", timeout=10)
        body = answer.json()
        assert body["status"] == "success", body
        return body["data"]

    def health(self) -> set[str]:
        """How the last evaluations of all rules went."""
        return {rule["health"] for group in self.get("rules")["groups"] for rule in group["rules"]}

    def values(self, expression: str) -> list[float]:
        """The current values of an expression, without those that are no number."""
        found = [float(each["value"][1]) for each in self.get(f"query?query={quote(expression)}")["result"]]
        return [value for value in found if not math.isnan(value)]
