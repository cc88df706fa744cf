"""Names the space of a model's vectors: those of one space can be compared."""

import hashlib
import json
from typing import Any

from contract.prompts import NO_PROMPTS, Prompts
from worker.engines.base import Engine
from worker.model_files import fingerprint

REFERENCE = 1.0  # the cosine of sentence-transformers, with which every export is compared
AGREES = 0.9999  # a part of stored names: another number would rename every space
MAY_AGREE = {"fp32", "bf16"}


def space(hashes: dict[str, str], engine: Engine, prompts: Prompts = NO_PROMPTS, cosine: float = 0.0) -> str:
    """Hex sha256 over weights, tokenizer and pooling (by their files' hashes), limits, prompts and the tolerance.

    `cosine` is the lowest similarity with the reference that the export measured. An engine at fp32 or bf16 that
    reaches `AGREES` shares the space of the reference; any other has a space of its own, named by its fingerprint.
    """
    if engine.precision not in MAY_AGREE or cosine < AGREES:
        return fingerprint(hashes, engine, prompts)
    # An artifact that an earlier version exported may have other limits than the model's own library.
    limits = {"dimensions": engine.dimensions, "max_tokens": engine.max_tokens, "cut": engine.cut}
    identity: dict[str, Any] = {"files": hashes, "cosine": AGREES, **limits}
    if prompts.any:
        identity["prompts"] = prompts.model_dump()
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
