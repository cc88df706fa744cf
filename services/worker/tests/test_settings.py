"""Settings say what this worker can do, and nothing more."""

import pytest
from pydantic import ValidationError

from worker.settings import WorkerSettings


def test_defaults_are_the_documented_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Port, model, engine, precision and warm-up passes without any variable set."""
    for name in ("PORT", "EMBEDDING_MODEL", "ENGINE", "PRECISION", "WARMUP_PASSES"):
        monkeypatch.delenv(name, raising=False)
    settings = WorkerSettings()
    assert (settings.port, settings.embedding_model) == (8001, "all-MiniLM-L6-v2")
    assert (settings.engine, settings.precision, settings.warmup_passes) == ("auto", "auto", True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ENGINE", "tensorflow"), ("PRECISION", "fp8"), ("EMBEDDING_MODEL", "modèle"), ("WARMUP_PASSES", "2")],
)
def test_what_is_not_supported_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value that would be ignored, or that can't go into a header, is a bad setting."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        WorkerSettings()


@pytest.mark.parametrize(("name", "value"), [("PREDICTOR_SHA256", "0" * 64), ("PREDICTOR_TRUSTED_TYPES", "my.Scaler")])
def test_what_is_about_the_predictor_needs_one(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Without PREDICTOR, or with an empty one, `/predict` would be a 404, and nobody would know why."""
    monkeypatch.setenv(name, value)
    for predictor in (None, ""):
        if predictor is not None:
            monkeypatch.setenv("PREDICTOR", predictor)
        with pytest.raises(ValidationError, match=f"{name} needs PREDICTOR"):
            WorkerSettings()
    monkeypatch.setenv("PREDICTOR", "model.skops")
    assert WorkerSettings().predictor


@pytest.mark.parametrize(("value", "passes"), [("on", True), ("off", False)])
def test_warmup_passes_are_on_or_off(monkeypatch: pytest.MonkeyPatch, value: str, passes: bool) -> None:
    """WARMUP_PASSES takes the words of the documentation."""
    monkeypatch.setenv("WARMUP_PASSES", value)
    assert WorkerSettings().warmup_passes is passes


@pytest.mark.parametrize(("processes", "threads"), [(1, 7), (2, 3), (7, 1), (32, 1)])
def test_processes_share_the_cpus(processes: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Model threads of all processes together don't exceed the CPUs, seven here, but each has one."""
    monkeypatch.setattr("worker.settings.cpu_limit", lambda: 7)
    assert WorkerSettings(web_concurrency=processes).threads == threads


def test_every_setting_is_described() -> None:
    """The table of settings is made from the descriptions."""
    assert all(field.description for field in WorkerSettings.model_fields.values())


@pytest.mark.parametrize("name", ["WORKER_SECRET", "OPERATOR_KEYS"])
def test_a_secret_that_can_be_guessed_is_refused_in_production(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Of several values each counts; a worker without one starts."""
    monkeypatch.setenv("ENVIRONMENT", "production")
    WorkerSettings().check_serving()
    monkeypatch.setenv(name, f"{'0' * 22} {'0' * 21}")
    with pytest.raises(ValueError, match=f"^{name}: .* 22 characters"):
        WorkerSettings().check_serving()
