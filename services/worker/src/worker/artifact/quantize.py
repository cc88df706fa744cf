"""Quantizes a graph to int8: weights and the activations of dense layers have eight bits, ranges measured beforehand.

What loses most stays at the precision of the rest of the graph, bf16 where the CPU has it: the table of embeddings, the
few neurons with huge activations and a few layers (`neurons`), and the products of attention, which are no faster in
eight bits at the lengths that are served (16 texts of 40 tokens: 28 ms without, 34 with; 49 at bf16; all-MiniLM-L6-v2).
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from warmstart import Fatal
from worker.artifact.graph import write_openvino
from worker.artifact.loading import core
from worker.artifact.neurons import feed_forward, reaches, sensitive, split
from worker.artifact.verification import reference_texts
from worker.engines.base import TokenIds
from worker.engines.padding import pad
from worker.engines.text_tokenizer import TextTokenizer

SMOOTHING = 0.8  # how much of the activations' range goes over to the weights; of 0.65 to 0.9 the least loss
FILES = ("model.int8.xml", "model.int8.bin")


def varied() -> list[str]:
    """A third of the export's own texts: all kinds, lengths, some thirty languages."""
    return reference_texts()[::3]


def calibration(tokenizer: TextTokenizer, texts: Sequence[str], prompts: Sequence[str] = ()) -> list[TokenIds]:
    """The texts, and the varied ones. Some have a prompt.

    With the export's texts alone, two thirds of them odd, the loss on usual ones was twice as large.
    """
    before = ["", "", *prompts]
    everything = enumerate([*texts, *varied()])
    return tokenizer.encode([before[place % len(before)] + text for place, text in everything])


def write_int8(onnx_file: Path, folder: Path, inputs: Sequence[TokenIds], fill: int) -> None:
    """Write the graph into the folder as `FILES`; a minute for a small model.

    Raises Fatal where nncf is not installed, or RuntimeError when it can't quantize the graph.
    """
    _nncf()
    import onnx  # noqa: PLC0415 - who serves needs none

    model = onnx.load(onnx_file)
    layers = feed_forward(model)
    exact = sensitive(model, layers)
    divided = [layer for layer in layers if layer.nodes[0].name not in exact]
    if divided:
        for layer, reach in zip(divided, reaches(_feeds(inputs, fill), model, divided), strict=True):
            exact += split(model, layer, reach)
    with tempfile.TemporaryDirectory() as scratch:  # the quantized file keeps the format of what isn't: float16
        file = Path(scratch, "model.onnx")
        onnx.save(model, file)
        write_openvino(file, file.with_suffix(".xml"))
        graph = core().read_model(str(file.with_suffix(".xml")))
        _quantize(graph, inputs, fill, exact, folder / FILES[0])


def _quantize(graph: Any, inputs: Sequence[TokenIds], fill: int, exact: Sequence[str], file: Path) -> None:
    import openvino  # noqa: PLC0415 - who serves needs none of its converters

    nncf = _nncf()
    parameters = nncf.quantization.advanced_parameters
    names = {each.get_friendly_name() for each in graph.get_ops()}
    quantized = nncf.quantize(
        graph,
        nncf.Dataset(list(_feeds(inputs, fill))),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(
            names=[*names.intersection(exact), *_products(graph)], types=["Gather"], validate=False
        ),
        advanced_parameters=parameters.AdvancedQuantizationParameters(
            smooth_quant_alphas=parameters.AdvancedSmoothQuantParameters(matmul=SMOOTHING),
            # By the distribution, not its ends: the worst text lost half as much, and the usual one no more.
            activations_range_estimator_params=nncf.quantization.range_estimator.RangeEstimatorParametersSet.HISTOGRAM,
            disable_bias_correction=True,  # it changed nothing here
        ),
    )
    openvino.save_model(quantized, str(file))


def _nncf() -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # otherwise it reports its use to its makers
    try:
        import nncf  # noqa: PLC0415 - an extra of the export
        import nncf.quantization.range_estimator  # noqa: PLC0415
    except ImportError as error:
        how = "make install-int8, with Python 3.11 (nncf allows no numpy for a newer one)"
        raise Fatal(f"int8 needs nncf: {how}. An artifact that was made elsewhere can be copied here") from error
    nncf.set_log_level(40)  # logging.ERROR
    return nncf


def _feeds(inputs: Sequence[TokenIds], fill: int) -> Iterator[dict[str, Any]]:
    """One text at a time, so that no padding is counted."""
    for ids in inputs:
        rows, mask = pad([ids], fill)
        yield {"input_ids": rows, "attention_mask": mask}


def _products(graph: Any) -> list[str]:
    """The products of two activations: those of attention."""
    return [
        each.get_friendly_name()
        for each in graph.get_ops()
        if each.get_type_name() == "MatMul" and not any(_constant(source.get_node()) for source in each.input_values())
    ]


def _constant(node: Any) -> bool:
    """A weight, which may be stored in a smaller format."""
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")
