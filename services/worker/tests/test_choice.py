"""Which engine serves an artifact: the fastest that settings, CPU and installation allow."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from warmstart import Fatal
from worker.artifact import engine
from worker.artifact.manifest import Manifest, Variant
from worker.settings import WorkerSettings

KINDS: list[tuple[Any, Any]] = [("onnx", "int8"), ("openvino", "fp32"), ("onnx", "fp32"), ("openvino", "bf16")]
EVERYTHING = Manifest(
    model="any",
    source={},
    pooling="mean",
    max_tokens=256,
    dimensions=384,
    pad_token=0,
    texts=200,
    versions={},
    variants=tuple(Variant(engine=engine, precision=number, files=("f",), cosine=1) for engine, number in KINDS),
    files={},
)


def chosen(manifest: Manifest = EVERYTHING, **settings: Any) -> tuple[str, str]:
    """Engine and precision that these settings get of an artifact, by default one that has everything."""
    variant = engine.choose(manifest, WorkerSettings(**settings))
    return variant.engine, variant.precision


@pytest.fixture(autouse=True)
def bf16(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A CPU that has bf16, unless the test says otherwise."""
    monkeypatch.setattr(engine, "has_bf16", lambda: "without_bf16" not in request.node.name)


def test_auto_is_openvino_bf16() -> None:
    """Where the CPU has bf16."""
    assert chosen() == ("openvino", "bf16")
    assert chosen(engine="openvino") == ("openvino", "bf16")
    assert chosen(precision="fp32") == ("onnx", "fp32")


def test_auto_without_bf16_is_onnx() -> None:
    """Elsewhere ONNX Runtime is faster."""
    assert chosen() == ("onnx", "fp32")
    assert chosen(engine="openvino") == ("openvino", "fp32")


@pytest.mark.parametrize(
    ("exported", "settings", "told"),
    [
        (False, {}, True),
        (False, {"engine": "openvino"}, True),
        (False, {"engine": "onnx"}, False),
        (False, {"precision": "fp32"}, False),
        (True, {}, False),
        (None, {}, False),
    ],
    ids=["auto", "openvino", "onnx is asked for", "fp32 is asked for", "it was below its bar", "of an earlier version"],
)
def test_an_artifact_of_a_lesser_cpu_is_told(exported: bool | None, settings: dict[str, Any], told: bool) -> None:
    """As an image that was built elsewhere may have: this CPU has bf16, and serves at fp32 nevertheless."""
    made = EVERYTHING.model_copy(update={"variants": EVERYTHING.variants[:3], "bf16": exported})
    asked = WorkerSettings(**settings)
    assert engine.lacks_bf16(made, engine.choose(made, asked), asked) is told
    assert not engine.lacks_bf16(EVERYTHING, engine.choose(EVERYTHING, asked), asked)


def test_bf16_that_is_asked_for_without_bf16_is_fatal() -> None:
    """It would be emulated, or silently be something else."""
    with pytest.raises(Fatal, match=r"PRECISION=bf16 can't be served: this CPU or this installation lacks"):
        chosen(precision="bf16")


def test_an_engine_that_is_not_installed_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's image has one engine only."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else find(name))
    assert chosen() == ("onnx", "fp32")


def test_int8_is_for_who_asks() -> None:
    """Its vectors differ visibly."""
    assert chosen(precision="int8") == ("onnx", "int8")
    only = EVERYTHING.model_copy(update={"variants": EVERYTHING.variants[:1]})
    assert chosen(only) == ("onnx", "int8")  # its name says what it is
    with pytest.raises(Fatal, match=r"ENGINE=openvino PRECISION=int8 can't be served: the artifact has .*onnx int8"):
        chosen(engine="openvino", precision="int8")


@pytest.mark.parametrize(("flags", "found"), [("fpu avx512f", False), ("fpu avx512_bf16", True), ("amx_bf16", True)])
def test_the_cpu_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, found: bool) -> None:
    """By its flags; without a list of them it has none."""
    monkeypatch.undo()
    (tmp_path / "cpuinfo").write_text(f"model name\t: any\nflags\t\t: {flags}\n")
    assert engine.has_bf16(tmp_path / "cpuinfo") is found
    assert engine.has_bf16(tmp_path / "none") is False


def test_the_instruction_sets_are_those_that_multiply(tmp_path: Path) -> None:
    """Of x86 and ARM; without a list of flags there are none."""
    (tmp_path / "cpuinfo").write_text("flags\t: fpu avx2 avx512_vnni avx512_vnni sse2\nFeatures\t: fp asimddp i8mm\n")
    assert engine.instructions(tmp_path / "cpuinfo") == ["asimddp", "avx2", "avx512_vnni", "i8mm"]
    assert engine.instructions(tmp_path / "none") == []
