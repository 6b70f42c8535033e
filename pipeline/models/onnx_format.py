"""A network as an ONNX model, which other programs can run.

It holds the network alone: its input are images like MNIST's. Normalization and the novelty score
stay here.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from nn import NeuralNetwork
from pipeline import files
from pipeline.errors import OutputError
from pipeline.models.onnx_graph import Graph, add_view
from registry import ModelVersion

if TYPE_CHECKING:
    from onnx import ModelProto

# Versions of ONNX from 2022, so that runtimes of any age read it.
_OPSET = 17
_IR_VERSION = 8

_OPERATORS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def to_onnx(network: NeuralNetwork, *, name: str = "digits") -> "ModelProto":
    """Return a network as an ONNX model.

    Its input ``images`` is uint8, shape ``(n, sizes[0])``, ink bright on dark; its output
    ``probabilities`` is float32, shape ``(n, sizes[-1])``, calibrated as `predict_proba` is.

    Parameters
    ----------
    network : NeuralNetwork
    name : str, optional
        Name of the graph.

    Raises
    ------
    nn.NotFittedError
    ModuleNotFoundError
        If the extra ``onnx`` is not installed.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    # With the parameters of its fit, if others were assigned since.
    network = NeuralNetwork.from_bytes(network.to_bytes())
    graph = Graph(helper, numpy_helper)
    a = graph.add("Cast", ["images"], to=TensorProto.FLOAT)
    a = graph.add("Div", [a, graph.constant(255, "scale")])
    logits = [
        _add_member(graph, network, member, add_view(graph, view, a, network.sizes[0]))
        for member, view in enumerate(network.views)
    ]
    a = graph.add("Mean", logits)
    a = graph.add("Div", [a, graph.constant(network.temperature, "temperature")])
    if network.output == "sigmoid":
        # The logarithms of outputs that do not sum to 1 by themselves.
        a = graph.add("Neg", [graph.add("Softplus", [graph.add("Neg", [a])])])
    graph.add("Softmax", [a], axis=1, output="probabilities")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", network.sizes[0]])],
            [
                helper.make_tensor_value_info(
                    "probabilities", TensorProto.FLOAT, ["n", network.sizes[-1]]
                )
            ],
            graph.constants,
        ),
        producer_name="digits",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    checker.check_model(model, full_check=True)
    return model


def write_onnx(network: NeuralNetwork, version: ModelVersion, path: Path) -> None:
    """Write the network of a version to an ONNX file, with its reference and digest as metadata.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    model = to_onnx(network, name=version.name)
    for key, value in (("reference", version.reference), ("sha256", version.sha256)):
        model.metadata_props.add(key=key, value=value)
    try:
        with files.atomic_write(path) as temporary:
            temporary.write_bytes(model.SerializeToString())
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}).") from error


def _add_member(graph: Graph, network: NeuralNetwork, member: int, a: str) -> str:
    """Add the layers of a member of a committee; return the name of its logits."""
    last = len(network.sizes) - 1
    # Those of a committee are put together each time that they are asked for.
    all_weights, all_biases = network.weights, network.biases
    name = "" if len(network.views) == 1 else f"{member}."
    for layer in range(1, last + 1):
        weights, biases = all_weights[layer], all_biases[layer]
        if name:
            weights, biases = weights[member], biases[member]
        named = [
            graph.constant(weights, f"{name}weights.{layer}"),
            graph.constant(biases, f"{name}biases.{layer}"),
        ]
        a = graph.add("Gemm", [a, *named], transB=1)
        if layer < last:
            a = graph.add(_OPERATORS[network.activation], [a])
    return a
