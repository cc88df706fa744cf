"""Both services with the secrets of one vault."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from contract import model
from drills.certificates import no_certificates
from stack import EmbeddedStack, Part, free_ports, until
from stack.http import ask
from tests.harness.key_vault import KeyVault, key_vault

pytest.importorskip("azure.keyvault.secrets")
pytestmark = pytest.mark.skipif(bool(no_certificates()), reason=str(no_certificates()))

API_KEY, WORKER_SECRET = "key-of-the-api-that-is-long-enough", "secret-of-the-worker-long-enough"
KEY = {"Authorization": f"Bearer {API_KEY}"}
SETTINGS = {"ENGINE": "fake", "DRAIN_SECONDS": "0", "ENVIRONMENT": "production", "HEALTH_INTERVAL": "0.1"}
PAYLOAD = {"model": "all-MiniLM-L6-v2", "input": "a text"}


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyVault]:
    """It has what production needs."""
    with key_vault(tmp_path_factory.mktemp("vault")) as running:
        running.secrets = {"api-keys": API_KEY, "worker-secret": WORKER_SECRET}
        yield running


@pytest.fixture(scope="module")
def stack(vault: KeyVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A whole system, in production."""
    environment = {**SETTINGS, **vault.environment}
    with EmbeddedStack(tmp_path_factory.mktemp("system"), free_ports(), environment=environment) as running:
        yield running


def test_keys_and_the_shared_secret_come_from_the_vault(stack: EmbeddedStack) -> None:
    """The api asks its callers for the vault's key, and shows the worker the vault's secret."""
    url = f"{stack.url('api')}/v1/embeddings"
    assert ask(url, "POST", PAYLOAD, 15).status == 401
    assert ask(url, "POST", PAYLOAD, 15, KEY).status == 200
    worker = f"{stack.url('worker')}{model.PATH}"
    assert ask(worker, timeout=10).status == 401
    assert ask(worker, timeout=10, more={"Authorization": f"Bearer {WORKER_SECRET}"}).status == 200


def test_the_vault_may_be_away_when_both_serve(stack: EmbeddedStack, vault: KeyVault) -> None:
    """Processes that are killed are replaced, with the same secrets."""
    url = f"{stack.url('api')}/v1/embeddings"
    vault.leave()
    parts: tuple[Part, ...] = ("worker", "api")
    for part in parts:
        [killed] = psutil.Process(stack.pids(part)[0]).children()
        killed.kill()
        killed.wait(30)
    try:
        until(lambda: ask(url, "POST", PAYLOAD, 15, KEY).status == 200, 60, "both serve again")
        assert ask(url, "POST", PAYLOAD, 15).status == 401
        assert ask(f"{stack.url('worker')}{model.PATH}", timeout=10).status == 401
    finally:
        vault.come_back()


def test_the_migration_has_the_vaults_url(stack: EmbeddedStack, vault: KeyVault, tmp_path: Path) -> None:
    """`python -m api.migrate` asks the vault, and says so when it is refused."""
    with key_vault(tmp_path) as other:
        other.secrets = {"database-url": stack.environment("api")["DATABASE_URL"]}
        command = [sys.executable, "-m", "api.migrate"]
        environment = {"PATH": "/usr/bin:/bin", "SECRETS_TIMEOUT": "1", **other.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        other.always = 403
        refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert refused.returncode == 3
        assert refused.stderr.startswith(f"SECRETS_FROM: {other.address}: 403: ")
