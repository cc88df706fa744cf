"""Engines and precisions that agree share a space; anything else that shapes the vectors makes another one."""

from pathlib import Path
from typing import Any

import pytest

from contract.prompts import Prompts
from contract.space import DEFAULT, KNOWN
from worker.artifact.engine import PREFERENCE
from worker.engines.fake import FakeEngine
from worker.loading import load
from worker.model_files import ModelFolder, fingerprint, verified
from worker.settings import WorkerSettings
from worker.space import AGREES, space

FILES = {"model.safetensors": "ab12"}
SERVED = [*PREFERENCE, ("sentence-transformers", "fp32")]
BEFORE_SPACES = [("openvino", "bf16"), ("openvino", "fp32"), ("onnx", "fp32"), ("sentence-transformers", "fp32")]


def engine(name: str, precision: str) -> FakeEngine:
    """An engine that says that it is this one."""
    made = FakeEngine()
    made.name, made.precision = name, precision
    return made


def test_engines_and_precisions_that_agree_share_a_space() -> None:
    """Each of them has a fingerprint of its own, and none of those names the space."""
    engines = [engine(*each) for each in SERVED]
    names = {space(FILES, each, cosine=AGREES) for each in engines}
    assert len(names) == 1
    assert len(names | {fingerprint(FILES, each) for each in engines}) == 1 + len(SERVED)


@pytest.mark.parametrize(("precision", "cosine"), [("int8", 1.0), ("bf16", AGREES - 1e-6), ("fp32", 0.0)])
def test_what_does_not_agree_has_a_space_of_its_own(precision: str, cosine: float) -> None:
    """int8 always, another precision whose vectors the export found too far from the reference: by its fingerprint."""
    other = engine("onnx", precision)
    assert space(FILES, other, cosine=cosine) == fingerprint(FILES, other)


def test_other_files_and_prompts_are_other_spaces() -> None:
    """A prompt that is empty for every text changes nothing."""
    one = engine("onnx", "fp32")
    prompts = Prompts(texts={"query": "query: "})
    names = [space(FILES, one, cosine=1), space({}, one, cosine=1), space(FILES, one, prompts, cosine=1)]
    assert len(set(names)) == 3
    assert space(FILES, one, Prompts(texts={"query": ""}), cosine=1) == names[0]


@pytest.mark.parametrize("limit", [{"dimensions": 256}, {"max_tokens": 128}, {"cut": "left"}])
def test_other_limits_are_other_spaces(limit: dict[str, Any]) -> None:
    """An artifact of an earlier version may cut texts, or vectors, elsewhere than the model's own library."""
    one, other = engine("onnx", "fp32"), engine("onnx", "fp32")
    vars(other).update(limit)
    assert space(FILES, one, cosine=1) != space(FILES, other, cosine=1)


def test_the_default_model_s_fingerprints_are_known(folder: ModelFolder) -> None:
    """Those that were stored before there were spaces, and no others, belong to the space that is served now."""
    files = verified(folder)
    assert {fingerprint(files, engine(*each)): space(files, engine(*each), cosine=1) for each in BEFORE_SPACES} == KNOWN


@pytest.mark.reference
def test_two_engines_of_a_model_name_one_space(artifacts: Path) -> None:
    """The artifact and the library that it was made with are of the default space."""
    kinds: list[dict[str, Any]] = [{"engine": "sentence-transformers"}, {"engine": "onnx"}]
    library, artifact = (load(WorkerSettings(artifacts=artifacts, **each)) for each in kinds)
    assert library.space == artifact.space == DEFAULT
    assert library.fingerprint != artifact.fingerprint
