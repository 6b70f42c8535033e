"""A graph of ONNX operators, and the views of a committee in it."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nn.edges import BETWEEN, CELL, MIX, SOFTNESS, cells
from nn.slant import MAX_SLANT, MIN_VARIANCE
from nn.views import OF_EDGES, PLAIN, UPRIGHT


class Graph:
    """Nodes and constants of a graph, in which each node has one output."""

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._helper = helper
        self._numpy_helper = numpy_helper

    def constant(
        self, value: ArrayLike, name: str = "", dtype: type[np.generic] = np.float32
    ) -> str:
        """Add a constant; return its name."""
        name = name or f"constant.{len(self.constants)}"
        array = np.asarray(value, dtype, order="C")
        self.constants.append(self._numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, inputs: list[str], *, output: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        output = output or f"{operator.lower()}.{len(self.nodes)}"
        node = self._helper.make_node(operator, inputs, [output], **attributes)
        self.nodes.append(node)
        return output

    def axes(self, *axes: int) -> str:
        """Add a list of axes, or a shape; return its name."""
        return self.constant(axes, dtype=np.int64)

    def sum(self, a: str, *axes: int) -> str:
        """Add a sum over some axes, which stay with the length 1."""
        return self.add("ReduceSum", [a, self.axes(*axes)])


def add_view(graph: Graph, view: str, images: str, pixels: int) -> str:
    """Add what a member of a committee sees, as `nn.views` computes it; return its name.

    Parameters
    ----------
    images : str
        Of shape ``(n, pixels)``, in [0, 1].
    """
    if view == PLAIN:
        return images
    side = math.isqrt(pixels)
    seen = graph.add("Reshape", [images, graph.axes(-1, side, side)])
    if view in UPRIGHT:
        seen = _deslanted(graph, seen, side)
    if view in OF_EDGES:
        seen = _edges(graph, graph.add("Unsqueeze", [seen, graph.axes(1)]), side)
    return graph.add("Reshape", [seen, graph.axes(-1, pixels)])


def _deslanted(graph: Graph, a: str, side: int) -> str:
    """Add images without their slant, shape (n, side, side)."""
    columns = _columns(graph, a, side)
    # A pixel gets those of its row, each by how near its column is: linear interpolation.
    by_pixel = graph.add("Unsqueeze", [columns, graph.axes(2)])
    column = graph.constant(np.arange(side).reshape(1, 1, side, 1))
    distance = graph.add("Abs", [graph.add("Sub", [column, by_pixel])])
    share = graph.add("Relu", [graph.add("Sub", [graph.constant(1), distance])])
    rows = graph.add("Unsqueeze", [a, graph.axes(2)])
    upright = graph.add("MatMul", [rows, share])
    return graph.add("Reshape", [upright, graph.axes(-1, side, side)])


def _columns(graph: Graph, a: str, side: int) -> str:
    """Add the columns of a deslanted image, shape (n, side, side)."""
    centre = (side - 1) / 2
    position = np.arange(side, dtype=np.float32) - np.float32(centre)
    row, column = graph.constant(position.reshape(1, -1, 1)), graph.constant(position)
    tiny = graph.constant(np.finfo(np.float32).tiny)
    mass = graph.add("Max", [graph.sum(a, 1, 2), tiny])

    def mean(values: str) -> str:
        return graph.add("Div", [graph.sum(graph.add("Mul", [a, values]), 1, 2), mass])

    mean_row, mean_column = mean(row), mean(column)
    products = [
        (mean(graph.add("Mul", [row, other])), graph.add("Mul", [mean_row, mean_other]))
        for other, mean_other in ((column, mean_column), (row, mean_row))
    ]
    covariance, variance = (graph.add("Sub", [*each]) for each in products)
    slant = graph.add(
        "Div", [covariance, graph.add("Max", [variance, graph.constant(MIN_VARIANCE)])]
    )
    slant = graph.add("Clip", [slant, graph.constant(-MAX_SLANT), graph.constant(MAX_SLANT)])
    moved = graph.add("Mul", [slant, graph.add("Sub", [row, mean_row])])
    return graph.add("Add", [graph.constant(position + centre), moved])


def _edges(graph: Graph, a: str, side: int) -> str:
    """Add the edges of images, shape (n, 1, side, side), by direction and cell."""
    to_right = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    kernels = np.stack([to_right, -to_right, to_right.T, -to_right.T])[:, np.newaxis]
    a = graph.add("Relu", [graph.add("Conv", [a, graph.constant(kernels)], pads=[1, 1, 1, 1])])
    ends = [
        graph.add("Gather", [a, graph.constant(numbers, dtype=np.int64)], axis=1)
        for numbers in zip(*BETWEEN, strict=True)
    ]
    a = graph.add("Concat", [a, graph.add("Min", ends)], axis=1)
    by_row, by_column = (cells(side, side // length) for length in CELL)
    a = graph.add("MatMul", [graph.constant(by_row), a])
    a = graph.add("MatMul", [a, graph.constant(by_column.T)])
    a = graph.add("Reshape", [a, graph.axes(0, len(MIX), -1)])
    a = graph.add("Relu", [graph.add("MatMul", [graph.constant(MIX), a])])
    a = graph.add("Sqrt", [graph.add("Add", [a, graph.constant(SOFTNESS)])])
    return graph.add("Sub", [a, graph.constant(math.sqrt(SOFTNESS))])
