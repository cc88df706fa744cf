"""The model's health comes from its forward passes: broken or stuck, it gates readiness, heals, or ends the process."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from services.worker.tests.stand_ins import (
    LIMIT,
    POISON,
    GatedEngine,
    PoisonEngine,
    RecordingEngine,
    metric,
    put_forward,
    serving,
)
from stack import until
from worker.embedding import KNOWN_TEXT
from worker.engines.base import TokenIds
from worker.engines.fake import FakeEngine
from worker.health import EngineHealth

SOON = {"health_interval": 0.05}


class BreakingEngine(FakeEngine):
    """While `fault` is set, a pass gives what the fault makes of its rows, or raises it."""

    fault: Any = None
    passes = 0

    def embed(self, batch: Sequence[TokenIds]) -> Any:
        """As the fake engine does, unless it is broken."""
        self.passes += 1
        if isinstance(self.fault, Exception):
            raise self.fault
        rows = super().embed(batch)
        return self.fault(rows) if self.fault else rows


def post(client: TestClient, text: str = "a") -> tuple[int, str | None]:
    """Status and code of an embedding."""
    answer = client.post("/embeddings/", json={"texts": [text]})
    return answer.status_code, answer.json().get("error", {}).get("code")


def ready(client: TestClient) -> bool:
    """Whether /readyz is 200."""
    return client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("CUDA error: device-side assert"),
        MemoryError(),
        lambda rows: rows * np.float32("nan"),
        lambda rows: rows[:, :-1],
        lambda rows: rows[:0],
        lambda rows: None,
    ],
    ids=["raises", "no memory", "nan", "short", "no rows", "none"],
)
def test_a_broken_engine_leaves_the_balancer_and_comes_back(fault: Any) -> None:
    """When a pass of its own fails too, no caller's text is blamed, and it is unready; one that succeeds heals it."""
    engine = BreakingEngine()
    with serving(engine, **SOON) as client:
        assert post(client) == (200, None)
        engine.fault = fault
        assert post(client) == (503, "unavailable")
        until(lambda: not ready(client), LIMIT, "it is unready")
        lines = client.get("/readyz?verbose").text.splitlines()
        assert any(line.startswith("[-]model failed: degraded: forward passes fail") for line in lines)
        assert "(not gating)" not in client.get("/readyz?verbose").text
        passes = engine.passes
        assert post(client) == (503, "dependency_unavailable")
        until(lambda: engine.passes > passes, LIMIT, "it tries by itself")
        assert client.get("/livez").status_code == 200
        engine.fault = None
        until(lambda: ready(client), LIMIT, "it is ready")
        assert post(client) == (200, None)


@pytest.mark.parametrize("words", [1, 1000], ids=["on the loop", "on its thread"])
def test_a_broken_tokenizer_is_a_broken_engine(words: int) -> None:
    """No text gets as far as a pass: its callers get a typed error, and the replica is unready until it works again."""

    class Mute(FakeEngine):
        broken = True

        def encode(self, texts: Sequence[str]) -> list[TokenIds]:
            if self.broken:
                raise RuntimeError("Already borrowed")
            return super().encode(texts)

    engine, failed = Mute(), metric("worker_failed_total")
    with serving(engine, **SOON) as client:
        assert post(client, "word " * words) == (500, "inference_failed")
        assert metric("worker_failed_total") == failed + 1
        until(lambda: not ready(client), LIMIT, "it is unready")
        engine.broken = False
        until(lambda: ready(client), LIMIT, "it is ready")
        assert post(client, "word " * words) == (200, None)


def test_an_engine_that_does_not_heal_ends_its_process() -> None:
    """After HEAL_TIMEOUT the process is failed: unready for good, drained and replaced."""
    engine = BreakingEngine()
    with serving(engine, heal_timeout=0.3, **SOON) as client:
        engine.fault = RuntimeError("broken")
        post(client)
        until(lambda: client.app.state.lifecycle.phase == "failed", LIMIT, "it is failed")  # type: ignore[attr-defined]
        assert not ready(client)
        assert post(client) == (503, "dependency_unavailable")


def test_a_poisonous_text_makes_nobody_unready() -> None:
    """However often it is sent, alone or with others: a pass of the known text tells it from a broken engine."""
    engine = PoisonEngine()
    with serving(engine, **SOON) as client:
        for _ in range(20):
            assert post(client, POISON) == (500, "inference_failed")
            assert client.get("/readyz/model").status_code == 200
        known = FakeEngine().encode([KNOWN_TEXT])
        until(lambda: known in engine.passes, LIMIT, "the known text is tried")
        assert post(client) == (200, None)
        assert ready(client)


def test_a_stuck_pass_leaves_the_balancer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than any request may take: the replica is unready, who waits is told, who comes is refused at once."""
    engine = GatedEngine()
    with serving(engine, request_timeout=60, **SOON) as client, ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, client, "first")
        until(lambda: engine.passes, LIMIT, "the first pass")
        put_forward(client, 61, monkeypatch)
        assert first.result()[0] in (503, 504)
        until(lambda: not ready(client), LIMIT, "it is unready")
        assert "[-]model failed: degraded: a forward pass has been running for" in client.get("/readyz?verbose").text
        assert post(client, "second") == (503, "dependency_unavailable")
        engine.gate.set()
        until(lambda: ready(client), LIMIT, "it is ready")
        assert post(client, "third") == (200, None)
    assert engine.embedded == FakeEngine().encode(["first", "third"])


def test_a_stuck_pass_of_a_known_text_leaves_the_balancer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text fails, the engine hangs when it is tried, and nobody asks for anything: no caller has to find out."""

    class Wedged(GatedEngine):
        def encode(self, texts: Sequence[str]) -> list[TokenIds]:
            if POISON in texts:
                raise RuntimeError("Already borrowed")
            return super().encode(texts)

    engine = Wedged()
    with serving(engine, request_timeout=60, **SOON) as client:
        try:
            assert post(client, POISON) == (500, "inference_failed")
            until(lambda: engine.passes, LIMIT, "the known text is tried")
            assert ready(client)
            put_forward(client, 61, monkeypatch)
            until(lambda: not ready(client), LIMIT, "it is unready")
        finally:
            engine.gate.set()
        until(lambda: ready(client), LIMIT, "it is ready")


def test_a_stuck_pass_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread can't be cancelled: after HEAL_TIMEOUT the process is failed."""
    engine = GatedEngine()
    with serving(engine, request_timeout=60, heal_timeout=0.3, **SOON) as client, ThreadPoolExecutor(1) as pool:
        try:
            stuck = pool.submit(post, client)
            until(lambda: engine.passes, LIMIT, "the pass")
            put_forward(client, 61, monkeypatch)
            assert stuck.result()[0] in (503, 504)
            until(lambda: client.app.state.lifecycle.phase == "failed", LIMIT, "it is failed")  # type: ignore[attr-defined]
            assert not ready(client)
        finally:
            engine.gate.set()


def test_an_idle_model_is_healthy_whatever_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without a pass running, or one that failed, the check holds, and nothing is tried."""
    engine, check, checked = RecordingEngine(), EngineHealth.check, list[None]()

    def count(health: EngineHealth) -> None:
        check(health)
        checked.append(None)

    monkeypatch.setattr(EngineHealth, "check", count)
    with serving(engine, request_timeout=60, **SOON) as client:
        assert post(client) == (200, None)
        put_forward(client, 61, monkeypatch)
        seen = len(checked)
        until(lambda: len(checked) > seen + 5, LIMIT, "samples that succeed")
        assert ready(client)
        assert len(engine.passes) == 1
