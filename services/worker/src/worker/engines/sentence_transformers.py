"""The reference engine: the model as sentence-transformers runs it.

Importing torch and transformers takes seconds, so the imports are inside of functions that load a model.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.engines.base import TokenIds, Vectors
from worker.engines.padding import pad
from worker.engines.supported import prompts_of, require_supported, tokenizer_of
from worker.engines.tokenizing import TokenizingEngine
from worker.model_files import ModelFolder

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer


class SentenceTransformersEngine(TokenizingEngine):
    """Vectors equal `SentenceTransformer.encode(..., prompt="", normalize_embeddings=True)` to 1e-5."""

    name = "sentence-transformers"
    precision = "fp32"

    def __init__(self, folder: ModelFolder, threads: int) -> None:
        """Load on the thread that will call `embed`: OpenMP's thread count belongs to the calling thread.

        Raises Fatal for a model that is not supported, and ImportError, OSError or ValueError when the library or the
        folder won't do.
        """
        self.model = _load(folder, threads)
        require_supported(self.model)
        super().__init__(tokenizer_of(self.model))
        self.model.max_seq_length = self.max_tokens
        self.prompts = prompts_of(self.model)
        self.pad_token: int = self.model.tokenizer.pad_token_id or 0  # padding is masked out: any id will do
        self.dimensions = self.model.get_embedding_dimension() or 0

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """As the interface has it; pooling and normalizing are modules of the model."""
        import torch  # noqa: PLC0415

        ids, mask = pad(batch, self.pad_token)
        with torch.inference_mode():
            rows = unit_rows(self.model, torch.from_numpy(ids), torch.from_numpy(mask))
        vectors: Vectors = np.ascontiguousarray(rows.numpy())
        return vectors


def unit_rows(model: "SentenceTransformer", ids: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """All of a model's modules, its own choice of leading dimensions, and unit length, which not every model gives."""
    import torch  # noqa: PLC0415

    rows = model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"]
    if model.truncate_dim:
        rows = rows[:, : model.truncate_dim]
    return torch.nn.functional.normalize(rows.float(), dim=1)


def _load(folder: ModelFolder, threads: int) -> "SentenceTransformer":
    # The libraries read this when they are imported. OpenMP's threads would spin while they wait for each other: beside
    # one other busy process on 2 cores a pass then took ten times as long.
    os.environ.update(OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY="passive", HF_HUB_OFFLINE="1")
    import torch  # noqa: PLC0415
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:  # one forward pass at a time; torch allows one change in a process
        torch.set_num_interop_threads(1)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return SentenceTransformer(str(folder.path), device="cpu", local_files_only=True).eval()
