"""compose.yaml hands every setting on from the shell, as the embedded stack does."""

from pathlib import Path

import pytest
import yaml

from api.settings import ApiSettings
from warmstart import ServiceSettings
from worker.settings import WorkerSettings

SERVICES = yaml.safe_load((Path(__file__).parents[1] / "compose.yaml").read_text())["services"]
# Where a container listens and has its model is the image's business; `front` sends the worker no PROXY line.
OF_THE_IMAGE = {"HOST", "PORT", "ARTIFACTS"}
OF_THE_FRONT = {"api": set[str](), "worker": {"FORWARDED_ALLOW_IPS", "PROXY_PROTOCOL"}}


@pytest.mark.parametrize(("service", "settings"), [("api", ApiSettings), ("worker", WorkerSettings)])
def test_every_setting_reaches_its_container(service: str, settings: type[ServiceSettings]) -> None:
    """What is not listed would be ignored without a word."""
    wanted = {name.upper() for name in settings.model_fields} - OF_THE_IMAGE - OF_THE_FRONT[service]
    assert wanted - set(SERVICES[service]["environment"]) == set()
