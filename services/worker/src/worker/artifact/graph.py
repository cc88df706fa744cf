"""Writes a loaded sentence-transformers model as graphs that other libraries run."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from worker.artifact.loading import core
from worker.engines.sentence_transformers import unit_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

INPUTS = ["input_ids", "attention_mask"]
OUTPUT = "vectors"
OPSET = 17  # the newest that torch's TorchScript-based exporter knows well


def write_onnx(model: "SentenceTransformer", file: Path) -> None:
    """Transformer, pooling and normalizing as one graph: two int64 (rows, tokens) in, float32 (rows, dimensions) out.

    By the TorchScript-based exporter: ONNX Runtime fuses its graph better than that of the newer one (skip layer
    normalization; 1,127 against 940 texts/s in batches of 32 on 2 cores), and it writes it in 1.4 s instead of 5.7.
    """
    import torch  # noqa: PLC0415

    class Pipeline(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return unit_rows(self.model, input_ids, attention_mask)

    example = torch.ones(2, 7, dtype=torch.long)
    axes = {0: "rows", 1: "tokens"}
    with warnings.catch_warnings():
        # They are about constants in the trace and the exporter's age. The comparison with the reference decides.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Pipeline().eval(),
            (example, example),
            str(file),
            input_names=INPUTS,
            output_names=[OUTPUT],
            dynamic_axes={**dict.fromkeys(INPUTS, axes), OUTPUT: {0: "rows"}},
            opset_version=OPSET,
            dynamo=False,
        )


def write_openvino(onnx: Path, file: Path) -> None:
    """The same graph as OpenVINO's own representation, which it maps into memory: `file` and, beside it, a .bin.

    Weights are stored as float16: half the size, and more digits than the bf16 they are multiplied in.
    """
    import openvino  # noqa: PLC0415

    openvino.save_model(core().read_model(str(onnx)), str(file), compress_to_fp16=True)
