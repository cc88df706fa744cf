"""An artifact run by ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path

from worker.artifact.manifest import TOKENIZER, Manifest, Variant
from worker.engines.base import TokenIds, Vectors
from worker.engines.padding import pad
from worker.engines.text_tokenizer import TextTokenizer
from worker.engines.tokenizing import TokenizingEngine


class OnnxEngine(TokenizingEngine):
    """Vectors of the exported graph, normalized by the graph itself."""

    name = "onnx"

    def __init__(self, folder: Path, manifest: Manifest, variant: Variant, threads: int) -> None:
        """Raises what ONNX Runtime raises for a graph that it can't run."""
        import onnxruntime  # noqa: PLC0415 - only who loads this engine pays for it

        super().__init__(TextTokenizer.read(folder / TOKENIZER))
        self.precision = variant.precision
        self.dimensions = manifest.dimensions
        self._fill = manifest.pad_token
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        graph = str(folder / variant.files[0])
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """As the interface has it."""
        ids, mask = pad(batch, self._fill)
        [rows] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        vectors: Vectors = rows
        return vectors
