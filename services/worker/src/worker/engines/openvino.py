"""An artifact run by OpenVINO."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from worker.artifact.manifest import TOKENIZER, Manifest, Variant
from worker.engines.base import TokenIds, Vectors
from worker.engines.padding import pad
from worker.engines.text_tokenizer import TextTokenizer
from worker.engines.tokenizing import TokenizingEngine

# OpenVINO compiles kernels for each new shape and keeps them: a first text of 25 tokens took 6 ms, later ones 1.8, and
# a shape holds 1.5 MB. So there are few shapes: rows are padded to one of these lengths, which the warm-up visits, and
# batches to one of these numbers of rows. With any number of rows, 400 random batches left 567 MB resident; with these
# few, the worker stays at 325 under load. The fastest passes have 8 to 16 rows.
SHORT, STEP, USUAL, LONG_STEP = 64, 8, 256, 32
ROWS = (1, 2, 4, 8, 12, 16, 24, 32)


class OpenVinoEngine(TokenizingEngine):
    """Vectors of the exported graph, normalized by the graph itself."""

    name = "openvino"
    rows = ROWS

    def __init__(self, folder: Path, manifest: Manifest, variant: Variant, threads: int) -> None:
        """Raises what OpenVINO raises for a graph that it can't run."""
        from worker.artifact.compiled import load_graph  # noqa: PLC0415 - only who loads this engine pays for it

        super().__init__(TextTokenizer.read(folder / TOKENIZER))
        self.lengths = lengths(self.max_tokens)
        self.precision = variant.precision
        self.dimensions = manifest.dimensions
        self._fill = manifest.pad_token
        compiled = load_graph(folder, variant, threads)
        self._request = compiled.create_infer_request()
        self._vectors = compiled.output(0)

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """As the interface has it."""
        ids, mask = pad(batch, self._fill, self.lengths, self.rows)
        answer = self._request.infer({"input_ids": ids, "attention_mask": mask}, share_inputs=True)
        # A copy, since the next pass writes into the same memory.
        rows: Vectors = np.array(answer[self._vectors][: len(batch)], np.float32)
        return rows


def lengths(longest: int) -> list[int]:
    """8, 16, … 64, 96, 128, … 256, then four to each doubling, and `longest`.

    For a text of usual length padding costs less than 0.2 ms. A model for 8,192 tokens has 34 lengths.
    """
    steps = [*range(STEP, SHORT, STEP), *range(SHORT, USUAL, LONG_STEP)]
    top = USUAL
    while top < longest:
        steps += range(top, 2 * top, top // 4)
        top *= 2
    return [*(each for each in steps if each < longest), longest]
