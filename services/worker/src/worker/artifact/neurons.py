"""Takes the few neurons with huge activations out of a graph's feed-forward layers, into a small branch beside them.

Eight bits are spread over the whole range of a layer's activations. In all-MiniLM-L6-v2 one neuron of 1,536 reaches
25 where all others stay below 7, so all others get two bits less. A sum over neurons is the same in two parts: the
branch has the neurons that reach furthest, and stays at the precision of the rest of the graph. Of its vectors' loss
(1 - cosine), int8 without it had three quarters in these layers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.artifact.loading import core

ALONE = 64  # neurons in the branch; 4, 16, 64 and 128 left a loss of 42, 33, 26 and 22 e-5 in these layers, 300 without
BRANCH = "_alone"  # ends the names of the branch's nodes
# What is computed of each neuron by itself, as activation functions are.
ELEMENTWISE = {"Add", "Clip", "Div", "Erf", "Gelu", "Mul", "Pow", "Relu", "Sigmoid", "Sub", "Tanh"}


@dataclass(frozen=True)
class FeedForward:
    """Two dense layers with an activation function between: its ONNX nodes, in order, the dense layers first and last.

    `neurons` names what the second layer reads: (…, neurons).
    """

    nodes: Sequence[Any]

    @property
    def neurons(self) -> str:
        """The name of the tensor."""
        return str(self.nodes[-1].input[0])


def feed_forward(graph: Any) -> list[FeedForward]:
    """Those of an ONNX model whose second layer gathers more neurons than it has outputs."""
    weights = {each.name: list(each.dims) for each in graph.graph.initializer}
    made_by = {output: node for node in graph.graph.node for output in node.output}
    found = []
    for node in graph.graph.node:
        shape = weights.get(node.input[1], []) if node.op_type == "MatMul" else []
        if len(shape) == 2 and shape[0] > shape[1] and (between := _back(node, made_by, weights)):
            found.append(FeedForward([each for each in graph.graph.node if each.output[0] in between]))
    return found


def _back(last: Any, made_by: dict[str, Any], weights: dict[str, list[int]]) -> set[str]:
    """What nodes between another dense layer and this one compute, by name; none where anything else is between."""
    seen, dense, open_ = {last.output[0]}, 0, [last.input[0]]
    while open_:
        name = open_.pop()
        if name in seen:
            continue
        node = made_by.get(name)
        if node is None:
            return set()
        if node.op_type == "MatMul" and node.input[1] in weights:
            dense += 1
        elif node.op_type in ELEMENTWISE:
            open_ += [each for each in node.input if each not in weights and not _constant(made_by.get(each))]
        else:
            return set()
        seen.add(name)
    return seen if dense == 1 else set()


def _constant(node: Any) -> bool:
    return node is not None and node.op_type == "Constant"


def sensitive(graph: Any, layers: Sequence[FeedForward]) -> list[str]:
    """The dense layers from the second last feed-forward one to the last, which is not among them: their nodes' names.

    Little comes after them that would even out what they lose: in all-MiniLM-L6-v2 a third of the whole, with a seventh
    of the work. Without them recall@10 was 0.972, with them 0.967.
    """
    if len(layers) < 2:
        return []
    weights = {each.name for each in graph.graph.initializer}
    places = {node.name: place for place, node in enumerate(graph.graph.node)}
    start, end = (places[layer.nodes[0].name] for layer in layers[-2:])
    found = graph.graph.node[start:end]
    return [node.name for node in found if node.op_type == "MatMul" and node.input[1] in weights]


def split(model: Any, layer: FeedForward, reach: NDArray[Any], alone: int = ALONE) -> list[str]:
    """Give the neurons that reach furthest a branch of their own; returns the names of its dense layers' nodes.

    `reach` is the largest absolute activation of each neuron.
    """
    import onnx  # noqa: PLC0415 - who serves needs none

    order = np.argsort(-reach, kind="stable")
    parts = {BRANCH: np.sort(order[:alone]), "": np.sort(order[alone:])}
    weights = {each.name: each for each in model.graph.initializer}
    inner = {node.output[0] for node in layer.nodes}
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in layer.nodes]
    for suffix, chosen in parts.items():
        for node, original in zip(layer.nodes if not suffix else copies, copies, strict=True):
            last = original.output[0] == layer.nodes[-1].output[0]
            for place, name in enumerate(list(node.input)):
                if name in inner:
                    node.input[place] = name + suffix
                elif name in weights and (part := _part(weights[name], chosen, len(reach), rows=last)) is not None:
                    node.input[place] = f"{name}{suffix or '_rest'}"
                    part.name = node.input[place]
                    if all(each.name != part.name for each in model.graph.initializer):
                        model.graph.initializer.append(part)
    return _add_up(model, layer, copies)


def _part(weight: Any, chosen: NDArray[Any], neurons: int, *, rows: bool) -> Any:
    """The chosen neurons' part of a weight; None when it is the same for all."""
    from onnx import numpy_helper  # noqa: PLC0415 - as above

    values = numpy_helper.to_array(weight)
    axis = 0 if rows else -1
    if not values.ndim or values.shape[axis] != neurons:
        return None
    return numpy_helper.from_array(np.ascontiguousarray(values.take(chosen, axis)))


def _add_up(model: Any, layer: FeedForward, copies: Sequence[Any]) -> list[str]:
    """Put the branch's nodes before the layer's last one, and the sum after it, under the name that is read."""
    import onnx  # noqa: PLC0415 - as above

    for node in copies:
        node.name += BRANCH
        node.output[0] += BRANCH
    last = layer.nodes[-1]
    total = last.output[0]
    last.output[0] = f"{total}_rest"
    summed = onnx.helper.make_node("Add", [last.output[0], copies[-1].output[0]], [total], f"{last.name}_sum")
    place = next(place for place, node in enumerate(model.graph.node) if node.name == last.name)
    for node in (summed, *reversed(copies)):
        model.graph.node.insert(place + (node is summed), node)
    return [node.name for node in copies if node.op_type == "MatMul"]


def reaches(engine_inputs: Iterator[dict[str, Any]], model: Any, layers: Sequence[FeedForward]) -> list[NDArray[Any]]:
    """The largest absolute activation of each neuron of each layer over the inputs, by OpenVINO at fp32."""
    import onnx  # noqa: PLC0415 - as above

    told = onnx.ModelProto.FromString(model.SerializeToString())
    for layer in layers:
        told.graph.output.append(onnx.helper.make_tensor_value_info(layer.neurons, onnx.TensorProto.FLOAT, None))
    graph = core().read_model(told.SerializeToString())
    compiled = core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request, outputs = compiled.create_infer_request(), compiled.outputs[-len(layers) :]
    most: list[NDArray[Any]] = []
    for inputs in engine_inputs:
        answer = request.infer(inputs)
        found = [np.abs(answer[output]).reshape(-1, answer[output].shape[-1]).max(axis=0) for output in outputs]
        most = [np.maximum(*pair) for pair in zip(most, found, strict=True)] if most else found
    return most
