"""A start with a vault: the resource `secrets` comes first, and a pod that was ready no longer needs the vault."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.certificates import no_certificates
from stack import until
from stack.http import ask
from tests.harness import Gunicorn, get
from tests.harness.key_vault import TOKEN, KeyVault, key_vault
from tests.harness.sample import Start

pytest.importorskip("azure.keyvault.secrets")
pytestmark = pytest.mark.skipif(bool(no_certificates()), reason=str(no_certificates()))

VALUE = "0perator-key-that-nobody-may-read"
KEY = {"Authorization": f"Bearer {VALUE}"}


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[KeyVault]:
    """It has the operators' key, and a secret that is nobody's."""
    with key_vault(tmp_path) as running:
        running.secrets = {"Operator-Keys": VALUE, "other": "x"}
        yield running


def report(service: Gunicorn) -> dict[str, dict[str, Any]]:
    """What `/startupz` tells of each resource to who has the key."""
    answer = ask(f"http://127.0.0.1:{service.port}/startupz", timeout=10, more=KEY)
    return {each["name"]: each for each in answer.json()["resources"]}


def test_secrets_are_fetched_before_anything_opens(start: Start, vault: KeyVault) -> None:
    """Once for a pod of three; the report names what came from the vault, and no value is written anywhere."""
    service = start(WEB_CONCURRENCY=3, LOG_LEVEL="debug", **vault.environment).wait_ready()
    found = report(service)
    assert next(iter(found)) == "secrets"
    assert found["secrets"]["state"] == "ready"
    assert found["secrets"]["detail"] == f"OPERATOR_KEYS from {vault.address}"
    assert all(found["secrets"]["elapsed_seconds"] <= each["elapsed_seconds"] for each in found.values())
    assert vault.asked == ["/secrets", "/secrets/Operator-Keys/"]
    assert get(service.port, "/startupz").json()["resources"] == []  # a stranger: the vault's key counts
    assert not any(each in service.log for each in (VALUE, TOKEN))
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in [service.process.pid, *service.workers()]]
    assert not any(VALUE.encode() in each for each in environments)


def test_probes_are_answered_while_the_vault_is_silent(start: Start, vault: KeyVault) -> None:
    """It binds first: 503 with the phase, and nothing has been opened before the vault answers."""
    vault.talks.clear()
    service = start(OPERATOR_KEYS=VALUE, **vault.environment)
    service.wait_for("/startupz", 503)
    until(lambda: report(service)["secrets"]["state"] == "opening", 30, "the fetch")
    assert get(service.port, "/startupz").json()["phase"] == "warming"
    assert get(service.port, "/work").status == 503
    assert {each["state"] for name, each in report(service).items() if name != "secrets"} == {"pending"}
    vault.talks.set()
    service.wait_ready()


def test_a_throttled_start(start: Start, vault: KeyVault) -> None:
    """It is retried as any resource is, and not before the vault wants."""
    vault.answers = [(429, 1), (503, None)]
    service = start(**vault.environment).wait_ready()
    assert report(service)["secrets"]["attempts"] == 3
    throttled, following, *_ = vault.asked_at
    assert following - throttled >= 1


def test_a_throttled_pod(start: Start, vault: KeyVault) -> None:
    """What the vault wants of one process counts for its siblings."""
    vault.answers = [(429, 2)]
    start(WEB_CONCURRENCY=3, **vault.environment).wait_ready()
    throttled, following, *_ = vault.asked_at
    assert following - throttled >= 2


@pytest.mark.parametrize("processes", [1, 3])
def test_a_vault_that_is_away_ends_the_start(start: Start, vault: KeyVault, processes: int) -> None:
    """After SECRETS_TIMEOUT, with status 3 and one line that names the vault."""
    vault.leave()
    service = start(WEB_CONCURRENCY=processes, SECRETS_TIMEOUT=2, **vault.environment)
    assert service.wait_exit() == 3
    [line] = service.error_lines("secrets failed")
    assert f"SECRETS_TIMEOUT: 2 s are over; {vault.address}: " in line
    assert "Traceback" not in service.log


def test_a_silent_vault_ends_the_start(start: Start, vault: KeyVault) -> None:
    """A connection without an answer, too."""
    vault.talks.clear()
    service = start(SECRETS_TIMEOUT=1, **vault.environment)
    assert service.wait_exit() == 3
    [line] = service.error_lines("secrets failed")
    assert f"{vault.address}: no answer within" in line


def test_a_refusal_ends_the_start_at_once(start: Start, vault: KeyVault) -> None:
    """Nobody waits for SECRETS_TIMEOUT, and the vault isn't asked again."""
    vault.always = 403
    service = start(STARTUP_TIMEOUT=3600, SECRETS_TIMEOUT=3000, **vault.environment)
    assert service.wait_exit() == 3
    [line] = service.error_lines("secrets failed")
    assert f"{vault.address}: 403: " in line
    assert "Traceback" not in service.log
    assert vault.asked == ["/secrets"]


def test_a_bad_value_ends_the_start(start: Start, vault: KeyVault) -> None:
    """Setting and vault are named, the value isn't."""
    vault.secrets = {"otel-exporter-otlp-headers": VALUE}
    service = start(**vault.environment)
    assert service.wait_exit() == 3
    [line] = service.error_lines("secrets failed")
    assert f"{vault.address}: OTEL_EXPORTER_OTLP_HEADERS: must be name=value" in line
    assert VALUE not in service.log


@pytest.mark.parametrize("processes", [1, 2])
def test_a_dead_process_is_replaced_without_the_vault(start: Start, vault: KeyVault, processes: int) -> None:
    """Its successor has the secrets that the pod fetched."""
    service = start(WEB_CONCURRENCY=processes, **vault.environment).wait_ready()
    vault.leave()
    before = set(service.workers())
    os.kill(min(before), signal.SIGKILL)
    until(lambda: len(set(service.workers()) - before) == 1, 30, "the successor")

    def all_ready() -> bool:
        answer = ask(f"http://127.0.0.1:{service.port}/startupz", timeout=10, more=KEY).json()
        phases = {each["pid"]: each["phase"] for each in answer["processes"]}
        return set(phases) == set(service.workers()) and set(phases.values()) == {"ready"}

    until(all_ready, 60, "all are ready", lambda: service.log[-2000:])
    assert report(service)["secrets"]["detail"] == f"OPERATOR_KEYS from {vault.address}"
    assert vault.asked == ["/secrets", "/secrets/Operator-Keys/"]
    assert service.process.poll() is None


def test_a_reload_fetches_again(start: Start, vault: KeyVault) -> None:
    """After SIGHUP the new processes have the new secret; while the vault is away, the old ones serve on."""
    service = start(**vault.environment).wait_ready()
    vault.leave()
    old = service.workers()
    service.process.send_signal(signal.SIGHUP)
    service.wait_for_log("opening secrets failed")
    assert get(service.port, "/work").status == 200
    vault.secrets = {"operator-keys": "the-next-key-of-the-operators"}
    vault.come_back()
    until(lambda: not set(old) & set(service.workers()), 60, "the old processes have left", lambda: service.log[-2000:])
    service.wait_ready()
    address = f"http://127.0.0.1:{service.port}/metrics"
    assert ask(address, timeout=10, more=KEY).status in (401, 403, 404)
    assert ask(address, timeout=10, more={"Authorization": "Bearer the-next-key-of-the-operators"}).status == 200
