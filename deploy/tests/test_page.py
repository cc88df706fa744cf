"""docs/platforms.md says what the manifests say, and its commands fill them in."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.tests.manifests import AZURE, CLOUD_RUN, FOLDER, Service, parsed, read
from deploy.tests.schemas import check
from k8s.tests.budgets import START_FACTOR, budgets
from k8s.tests.rules.server import server_of
from stack.site import REPOSITORY

TEXT = " ".join((REPOSITORY / "docs" / "platforms.md").read_text().split())
TO_FILL_IN = re.compile(r"\b(?:REGION|REGISTRY|VAULT|\w+_ID|PROJECT_NUMBER|(?:SUB)?NETWORK|SERVICE_ACCOUNT)\b")


def service(path: str) -> Service:
    """One that serves."""
    found = parsed(path, read(path))
    assert isinstance(found, Service)
    return found


def test_the_start() -> None:
    """What a start may take, and how long each platform's probe waits."""
    slowest, limit = budgets().inputs["slowest_start"], budgets().inputs["startup_timeout"]
    assert limit + START_FACTOR * slowest == budgets().start
    assert f"`STARTUP_TIMEOUT` ({limit:g} s)" in TEXT
    assert f"({slowest:g} s) before that counts: {budgets().start:g} s." in TEXT
    azure, google = (service(f"{platform}/worker.yaml").probes["startup"] for platform in (AZURE, CLOUD_RUN))
    api = service(f"{CLOUD_RUN}/api.yaml")
    patience = server_of(api.image, api.settings).settings.startup_timeout
    assert f"has `STARTUP_TIMEOUT={patience:g}`: it must be allowed {patience + START_FACTOR * slowest:g} s" in TEXT
    assert f"its probe allows {api.probes['startup'].budget:g} s." in TEXT
    assert f"{azure.delay:g} s + {azure.threshold - 1} × {azure.period:g} s: the tenth" in TEXT
    assert f"comes after {azure.budget:g} s" in TEXT
    assert f"noticed at {azure.delay + azure.period:g} s" in TEXT
    assert f"{google.threshold - 1} × {google.period:g} s: the last failure comes after {google.budget:g} s" in TEXT


def test_the_stop() -> None:
    """The sum, gunicorn's patience and the platform's, as the settings give them."""
    azure, google = (service(f"{platform}/api.yaml") for platform in (AZURE, CLOUD_RUN))
    server = server_of(azure.image, azure.settings)
    own = server.settings
    parts = f"{own.drain_seconds:g} + {own.request_timeout:g} + {own.shutdown_timeout:g}"
    assert f"{parts} = {own.stop_budget:g} < {server.graceful_timeout:g} < {azure.grace:g}" in TEXT
    for name in ("DRAIN_SECONDS", "REQUEST_TIMEOUT", "SHUTDOWN_TIMEOUT"):
        assert f"`{name}={google.environment[name]}`" in TEXT
    patience = server_of(google.image, google.settings).graceful_timeout
    assert f"Cloud Run's {google.grace:g} s leave no room" in TEXT
    assert f"gunicorn's `graceful_timeout` {patience:g} s" in TEXT


def test_the_longest_request() -> None:
    """The limits that keep a chat below it."""
    azure, google = (service(f"{platform}/api.yaml") for platform in (AZURE, CLOUD_RUN))
    assert f"the longest request | {azure.request:g} s" in TEXT
    assert f"hence `CHAT_TIMEOUT={azure.environment['CHAT_TIMEOUT']}`" in TEXT
    assert f"here {google.request:g}, more than `CHAT_TIMEOUT`" in TEXT


def test_the_connections() -> None:
    """Of the api's instances, twice."""
    for platform in (AZURE, CLOUD_RUN):
        found = service(f"{platform}/api.yaml")
        pool = server_of(found.image, found.settings).settings.model_dump()["database_pool_size"]
        assert found.most == 4
        assert f"Four instances of the api need {2 * found.most * (pool + 1)} of 97" in TEXT


@pytest.mark.parametrize("platform", [AZURE, CLOUD_RUN])
def test_the_commands_fill_everything_in(platform: str, tmp_path: Path) -> None:
    """After the page's `sed` no word in capitals is left, and the manifests still fit their schemas."""
    shutil.copytree(FOLDER / platform, tmp_path / platform)
    page = (REPOSITORY / "docs" / "platforms.md").read_text()
    [script] = re.findall(rf"cd deploy/{platform}\n(sed -i .*? \*\.yaml\n)", page, re.DOTALL)
    subprocess.run(["bash", "-ec", script], cwd=tmp_path / platform, check=True, timeout=60)
    for path in (tmp_path / platform).iterdir():
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        assert TO_FILL_IN.findall("\n".join(lines)) == []
        check(yaml.safe_load(path.read_text()))


def test_the_images_are_those_of_kubernetes() -> None:
    """The same names and tags, in your registry."""
    production = yaml.safe_load((REPOSITORY / "k8s" / "overlays" / "production" / "kustomization.yaml").read_text())
    tags = {f"REGISTRY/{each['name']}:{each['newTag']}" for each in production["images"]}
    text = "".join(path.read_text() for path in FOLDER.glob("*/*.yaml") if path.parent.name != "tests")
    assert set(re.findall(r"image: (\S+)", text)) == tags
