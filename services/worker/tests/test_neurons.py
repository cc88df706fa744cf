"""A feed-forward layer whose few far-reaching neurons have a branch of their own computes the same."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from worker.artifact.neurons import BRANCH, FeedForward, feed_forward, reaches, split

INPUTS, NEURONS = 4, 40


def model(*, second: int = INPUTS, between: str = "Relu") -> Any:
    """x · W1 + b1, an activation function with a factor for each neuron, · W2; neuron 7 reaches far."""
    random = np.random.default_rng(0)
    weights = {
        "w1": random.normal(size=(INPUTS, NEURONS)),
        "b1": random.normal(size=NEURONS),
        "factor": np.where(np.arange(NEURONS) == 7, 50, 1),
        "two": np.asarray(2),
        "w2": random.normal(size=(NEURONS, second)),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h0"], "first"),
        helper.make_node("Add", ["b1", "h0"], ["h1"], "bias"),
        helper.make_node(between, ["h1"], ["h2"], "activation"),
        helper.make_node("Mul", ["h2", "factor"], ["h3"], "scaled"),
        helper.make_node("Mul", ["h3", "two"], ["h4"], "doubled"),
        helper.make_node("MatMul", ["h4", "w2"], ["y"], "second"),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, INPUTS])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, second])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def computed(made: Any, x: NDArray[Any]) -> NDArray[Any]:
    """What ONNX Runtime computes of it."""
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    [y] = session.run(None, {"x": x})
    rows: NDArray[Any] = y
    return rows


def test_the_sum_of_both_parts_is_the_layer() -> None:
    """The graph gives the same, the neurons that reach furthest are in the branch alone, and nothing else is there."""
    made = model()
    x = np.random.default_rng(1).normal(size=(9, INPUTS)).astype(np.float32)
    before = computed(made, x)
    [layer] = feed_forward(made)
    assert [node.name for node in layer.nodes] == ["first", "bias", "activation", "scaled", "doubled", "second"]
    [reach] = reaches(iter([{"x": x}]), made, [layer])
    assert int(reach.argmax()) == 7
    assert split(made, layer, reach, alone=3) == [f"first{BRANCH}", f"second{BRANCH}"]
    onnx.checker.check_model(made)
    np.testing.assert_allclose(computed(made, x), before, rtol=1e-4, atol=1e-4)
    weights = {each.name: numpy_helper.to_array(each) for each in made.graph.initializer}
    assert weights[f"w1{BRANCH}"].shape == (INPUTS, 3)
    assert weights[f"w2{BRANCH}"].shape == (3, INPUTS)
    assert 50 in weights[f"factor{BRANCH}"]
    assert 50 not in weights["factor_rest"]


@pytest.mark.parametrize("options", [{"second": NEURONS + 1}, {"between": "Softmax"}])
def test_other_layers_are_left_alone(options: dict[str, Any]) -> None:
    """One with more outputs than neurons, and one where the neurons are not independent of each other."""
    found: list[FeedForward] = feed_forward(model(**options))
    assert found == []
