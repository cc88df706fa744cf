"""The model has run at the shapes it serves before the worker is ready, unless that is switched off."""

from fastapi.testclient import TestClient

from services.worker.tests.stand_ins import RecordingEngine, engine_resource, serving
from worker.app import create_app
from worker.settings import WorkerSettings


def test_three_shapes_are_run_in_the_inference_thread() -> None:
    """One short text, one at maximum length, then typical texts up to the token budget, before readiness."""
    engine = RecordingEngine()
    with serving(engine, warmup_passes=True, max_batch_tokens=300):
        sizes = [[len(ids) for ids in batch] for batch in engine.passes]
    short, longest, typical = sizes
    assert short == [3]
    assert longest == [engine.max_tokens]
    assert 10 <= typical[0] <= 30
    assert 300 - typical[0] < sum(typical) <= 300
    assert set(engine.embedded_on) == {"inference"}


def test_every_length_that_the_engine_pads_to_is_run() -> None:
    """An engine that compiles for each shape has compiled for one text of any length."""

    class Padding(RecordingEngine):
        lengths = (8, 64, 256)

    engine = Padding()
    with serving(engine, warmup_passes=True, max_batch_tokens=300):
        sizes = [len(batch[0]) for batch in engine.passes if len(batch) == 1]
    assert sizes[-3:] == [8, 64, 256]


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
