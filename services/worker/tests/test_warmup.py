"""The model has run at the shapes it serves before the worker is ready, unless that is switched off."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from fastapi.testclient import TestClient

from services.worker.tests.stand_ins import LIMIT, RecordingEngine, engine_resource, serving
from stack import until
from warmstart import Fatal
from worker import batcher
from worker.app import create_app
from worker.engines.base import TokenIds, Vectors
from worker.passes import SIZES
from worker.settings import WorkerSettings
from worker.warmup import known_vectors, warm_up


def test_three_shapes_are_run_in_the_inference_thread() -> None:
    """One text at maximum length, typical ones up to the token budget, and last a short one, before readiness."""
    engine = RecordingEngine()
    with serving(engine, warmup_passes=True, max_batch_tokens=300):
        sizes = [[len(ids) for ids in batch] for batch in engine.passes]
    longest, typical, short = sizes
    assert short == [3]
    assert longest == [engine.max_tokens]
    assert 10 <= typical[0] <= 30
    assert 300 - typical[0] < sum(typical) <= 300
    assert set(engine.embedded_on) == {"inference"}


def test_no_pass_of_the_warm_up_is_larger_than_a_served_one() -> None:
    """However large a batch may be: it is divided, and a pass of all of it could take the machine's memory."""
    engine = RecordingEngine()
    warm_up(engine, batch_tokens=100_000)
    assert max(map(len, engine.passes)) == SIZES[-1]


class Padding(RecordingEngine):
    """Pads to few lengths."""

    lengths: Sequence[int] = (8, 16, 64, 128, 256)


def singles(engine: RecordingEngine) -> list[int]:
    """The tokens of each text that was computed alone, in order."""
    return [len(batch[0]) for batch in engine.passes if len(batch) == 1]


def test_before_readiness_an_engine_that_compiles_has_few_lengths() -> None:
    """The longest and every third are run, and texts are padded to no other one."""
    engine = Padding()
    warm_up(engine, batch_tokens=300)
    assert singles(engine) == [256, 64, 3]
    assert list(engine.lengths) == [64, 256]


def test_the_other_lengths_are_added_after_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that nobody asks anything has soon run, and pads to, every length, on the thread that embeds."""
    monkeypatch.setattr(batcher, "EVERY", 0.001)
    engine = Padding()
    with serving(engine, warmup_passes=True, max_batch_tokens=300):
        until(lambda: len(engine.lengths) == len(Padding.lengths), LIMIT, "all lengths")
    assert (singles(engine), list(engine.lengths)) == ([256, 64, 3, 8, 16, 128], list(Padding.lengths))
    assert set(engine.embedded_on) == {"inference"}


def test_a_length_that_gives_other_vectors_is_not_used() -> None:
    """Its texts are padded to the next length, whose vectors are right; the lengths after it are added."""

    class WrongAt16(Padding):
        def embed(self, batch: Sequence[TokenIds]) -> Vectors:
            rows = super().embed(batch)
            return -rows if len(batch[0]) == 16 else rows

    engine = WrongAt16()
    first, second, third = warm_up(engine, 300, known_vectors(Padding())).later
    first()
    with pytest.raises(Fatal, match=r"cosine -1\.0000"):
        second()
    third()
    assert list(engine.lengths) == [8, 64, 128, 256]


def test_without_passes_texts_are_padded_to_any_length() -> None:
    """WARMUP_PASSES=off and WARMUP=lazy compile for each length when its first text comes, as an export does."""
    for settings in ({"warmup_passes": False}, {"warmup": "lazy"}):
        engine = Padding()
        with serving(engine, **settings) as client:
            client.post("/embeddings/", json={"texts": ["one"]})
            assert list(engine.lengths) == list(Padding.lengths)


def test_a_model_of_very_long_texts_is_not_run_at_all_its_lengths() -> None:
    """Up to 2,048 tokens: attention takes the square of the length, and nobody waits minutes for a start."""

    class Long(RecordingEngine):
        max_tokens = 8192
        lengths: Sequence[int] = (64, 1024, 2048, 4096, 8192)

    engine = Long()
    for add in warm_up(engine, batch_tokens=300).later:
        add()
    assert singles(engine) == [2048, 1024, 3, 64]
    assert list(engine.lengths) == list(Long.lengths)


def test_the_first_speed_is_of_a_pass_that_compiled_nothing() -> None:
    """Of the passes of a full batch the fastest counts: a speed too low would refuse the first requests of a storm."""
    compiling = 0.5  # seconds

    class Compiling(RecordingEngine):
        rows = (8,)

        def embed(self, batch: Sequence[TokenIds]) -> Vectors:
            if not any(len(batch) == len(before) for before in self.passes):
                time.sleep(compiling)
            return super().embed(batch)

    engine = Compiling()
    speed = warm_up(engine, 500).speed
    assert speed.seconds_for(sum(map(len, engine.passes[1]))) < compiling


@pytest.mark.parametrize(("budget", "rows"), [(2000, [8, 8]), (500, [8, 8]), (100, [5, 5])])
def test_two_small_passes_stand_for_a_batch(budget: int, rows: list[int]) -> None:
    """An engine that compiles for each number of rows runs 8 of them twice: the second pass has its speed."""

    class Limited(RecordingEngine):
        rows = (8, 32)

    engine = Limited()
    warm_up(engine, budget)
    assert [len(batch) for batch in engine.passes if len(batch) > 1] == rows


def test_a_machine_that_computes_other_vectors_is_not_ready() -> None:
    """An engine whose vectors of one length are not those of its export fails the start, with the shape's name."""

    class WrongAt64(Padding):
        def embed(self, batch: Sequence[TokenIds]) -> Vectors:
            rows = super().embed(batch)
            return -rows if len(batch[0]) == 64 else rows

    known = known_vectors(Padding())
    warm_up(Padding(), 300, known)
    with pytest.raises(Fatal, match=r"other vectors .* cosine -1.0000, .* \(one text of each length\)"):
        warm_up(WrongAt64(), 300, known)


def test_int8_that_loses_more_than_at_its_export_is_not_ready() -> None:
    """A CPU without VNNI turns vectors to a cosine of 0.996 with those of the export; one with it to 0.9995."""

    class Turned(Padding):
        precision = "int8"

        def __init__(self, cosine: float) -> None:
            super().__init__()
            self.cosine = np.float32(cosine)

        def embed(self, batch: Sequence[TokenIds]) -> Vectors:
            rows = super().embed(batch)
            aside = np.roll(rows, 1, axis=1)
            aside -= (aside * rows).sum(axis=1, keepdims=True) * rows
            aside /= np.linalg.norm(aside, axis=1, keepdims=True)
            turned: Vectors = self.cosine * rows + np.sqrt(1 - self.cosine**2) * aside
            return turned

    known = known_vectors(Turned(1))
    warm_up(Turned(0.9995), 300, known)
    with pytest.raises(Fatal, match=r"cosine 0\.996., at least 0\.9990 .*int8 needs a CPU .* with VNNI"):
        warm_up(Turned(0.996), 300, known)


def test_a_vector_without_numbers_is_wrong() -> None:
    """NaN fails the start, whether or not the right vector is known."""

    class Broken(RecordingEngine):
        def embed(self, batch: Sequence[TokenIds]) -> Vectors:
            return super().embed(batch) * np.float32("nan")

    for known in (known_vectors(RecordingEngine()), None):
        with pytest.raises(Fatal, match="gives no finite vector"):
            warm_up(Broken(), 300, known)


def test_passes_can_be_switched_off() -> None:
    """WARMUP_PASSES=off gets ready without a forward pass."""
    engine = RecordingEngine()
    with serving(engine, warmup_passes=False):
        assert engine.passes == []


def test_a_lazy_worker_loads_with_the_first_request() -> None:
    """WARMUP=lazy is ready without a model; the first request loads it, and no pass delays that request."""
    engine = RecordingEngine()
    with serving(engine, warmup="lazy", warmup_passes=True) as client:
        assert client.get("/readyz").status_code == 200
        assert engine.encoded_on == []
        assert client.post("/embeddings/", json={"texts": ["one"]}).status_code == 200
    assert [len(batch) for batch in engine.passes] == [1]


def test_a_lazy_load_that_fails_is_a_typed_503() -> None:
    """The reason is in the answer, and the worker stays up."""
    settings = WorkerSettings(warmup="lazy", embedding_model="no/such/model", drain_seconds=0)
    with TestClient(create_app(settings)) as client:
        for _ in range(2):
            answer = client.get("/model")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")
            assert "no/such/model is neither a folder" in answer.json()["error"]["message"]
        assert client.get("/livez").status_code == 200


def test_one_resource_swaps_for_another() -> None:
    """The documented line: an application around an engine of one's own."""
    with TestClient(create_app(resources=[engine_resource(RecordingEngine())])) as client:
        assert client.get("/model").json()["model"] == "stand-in"
