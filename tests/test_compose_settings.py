"""compose.yaml hands every setting on from the shell, as the embedded stack does."""

import re
from pathlib import Path

import pytest
import yaml

from api.settings import ApiSettings
from warmstart import ServiceSettings
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[1]
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
# Where a container listens and has its model is the image's business; `front` sends the worker no PROXY line.
OF_THE_IMAGE = {"HOST", "PORT", "ARTIFACTS"}
NO_FRONT = {"FORWARDED_ALLOW_IPS", "PROXY_PROTOCOL"}
OF_THE_FRONT = {"api": set[str](), "worker": NO_FRONT, "worker-next": NO_FRONT}


@pytest.mark.parametrize(
    ("service", "settings"), [("api", ApiSettings), ("worker", WorkerSettings), ("worker-next", WorkerSettings)]
)
def test_every_setting_reaches_its_container(service: str, settings: type[ServiceSettings]) -> None:
    """What is not listed would be ignored without a word."""
    wanted = {name.upper() for name in settings.model_fields} - OF_THE_IMAGE - OF_THE_FRONT[service]
    assert wanted - set(SERVICES[service]["environment"]) == set()


@pytest.mark.parametrize("end", ["client", "server"])
def test_the_front_door_is_more_patient_than_a_chat(end: str) -> None:
    """Its limit of silence is above those of the search and the answer together, so that the api ends a chat itself."""
    [limit] = re.findall(rf"^ +timeout {end} (\d+)s", (ROOT / "stack" / "haproxy.cfg").read_text(), re.MULTILINE)
    longest = sum(ApiSettings.model_fields[name].default for name in ("request_timeout", "chat_timeout"))
    assert int(limit) > longest


def test_the_next_workers_are_workers() -> None:
    """They have the worker's limits and confinement, another image, and start only when they are asked for."""
    own = {"profiles", "image", "build", "ports", "environment"}
    worker, following = (
        {k: v for k, v in SERVICES[name].items() if k not in own} for name in ("worker", "worker-next")
    )
    assert following == worker
    assert SERVICES["worker-next"]["profiles"]
    assert SERVICES["worker-next"]["image"] != SERVICES["worker"]["image"].partition("$")[0]
    models = (SERVICES[name]["environment"].pop("EMBEDDING_MODEL") for name in ("worker", "worker-next"))
    assert [*models] == [None, "${NEXT_EMBEDDING_MODEL:-}"]
    assert SERVICES["worker-next"]["environment"] == SERVICES["worker"]["environment"]
