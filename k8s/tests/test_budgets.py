"""k8s/budgets.yaml: its inputs are what they claim to be, and each number follows from them."""

import math

import pytest

from api.settings import ApiSettings
from k8s.tests.budgets import KUBELET_MARGIN, START_FACTOR, budgets, measured_starts
from k8s.tests.rules.server import Server, server_of
from warmstart import ServiceSettings
from worker.settings import WorkerSettings

STARTS = 20  # fewer say nothing about the slowest
IMAGES = ("warmstart-api", "warmstart-worker")


@pytest.fixture(params=IMAGES)
def server(request: pytest.FixtureRequest) -> Server:
    """A service with its defaults, as gunicorn reads them."""
    return server_of(request.param, {})


def test_the_slowest_start_was_measured() -> None:
    """Of at least twenty starts, rounded up to a tenth of a second."""
    starts = measured_starts()
    assert len(starts) >= STARTS
    assert budgets().inputs["slowest_start"] == math.ceil(max(starts) * 10) / 10


@pytest.mark.parametrize("settings", [ApiSettings, WorkerSettings])
def test_settings_are_the_services_own(settings: type[ServiceSettings]) -> None:
    """STARTUP_TIMEOUT and DRAIN_SECONDS are the defaults of both services."""
    inputs, fields = budgets().inputs, settings.model_fields
    assert (inputs["startup_timeout"], inputs["drain"]) == (
        fields["startup_timeout"].default,
        fields["drain_seconds"].default,
    )


def test_gunicorns_patience_is_gunicorns_own(server: Server) -> None:
    """From services/*/gunicorn.conf.py."""
    inputs = budgets().inputs
    assert (inputs["loop_timeout"], inputs["graceful_timeout"]) == (server.timeout, server.graceful_timeout)


def test_the_start_budget() -> None:
    """Above STARTUP_TIMEOUT, above three times the slowest start, and above both together."""
    probe, inputs = budgets().probes["startup"], budgets().inputs
    budget = probe["periodSeconds"] * probe["failureThreshold"]
    assert budget > inputs["startup_timeout"]
    assert budget >= START_FACTOR * inputs["slowest_start"]
    assert budget >= budgets().start


def test_readiness_is_fast() -> None:
    """A process that failed is noticed within the drain."""
    probe = budgets().probes["readiness"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < budgets().inputs["drain"]


def test_liveness_is_slow() -> None:
    """Slower than gunicorn, which replaces one process and not the container."""
    probe = budgets().probes["liveness"]
    assert probe["periodSeconds"] * (probe["failureThreshold"] - 1) >= budgets().tolerated_pause


def test_no_probe_overtakes_itself() -> None:
    """But for the startup probe, whose failures only count, an answer may take no longer than the period."""
    for kind in ("readiness", "liveness"):
        assert budgets().probes[kind]["timeoutSeconds"] <= budgets().probes[kind]["periodSeconds"]


def test_the_kubelet_waits_longest() -> None:
    """Than gunicorn, which waits longer than the service."""
    assert budgets().grace >= budgets().inputs["graceful_timeout"] + KUBELET_MARGIN


def test_a_wedged_process_gets_no_drain() -> None:
    """The kubelet kills a container that fails liveness before gunicorn would give up waiting for it."""
    assert 0 < budgets().liveness_grace < budgets().inputs["graceful_timeout"]
