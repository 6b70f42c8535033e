"""Weights and biases of all layers, held in one vector."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nn.activations import Array


class Parameters:
    """One vector, and views of it: ``weights[l]`` and ``biases[l]`` enter layer l.

    The vector holds the weights of all layers first, then the biases. So an optimizer walks
    through memory once, whatever the layers, and L2 regularisation knows where weights end.

    Attributes
    ----------
    vector : ndarray, shape (n_parameters,)
    weights, biases : list of ndarray
        ``weights[l]`` has shape ``(sizes[l], sizes[l-1])`` and ``biases[l]`` ``(sizes[l],)``;
        index 0 is an empty placeholder, since nothing enters the input layer.
    weight_count : int
        How many of the vector's numbers are weights.
    """

    def __init__(self, sizes: Sequence[int], vector: Array | None = None) -> None:
        self.sizes = tuple(sizes)
        shapes = [(fan_out, fan_in) for fan_in, fan_out in pairwise(self.sizes)]
        self.weight_count = sum(fan_out * fan_in for fan_out, fan_in in shapes)
        self.vector = np.zeros(count(sizes), np.float32) if vector is None else vector
        self.weights: list[Array] = [np.zeros((0, 0), self.vector.dtype)]
        self.biases: list[Array] = [np.zeros(0, self.vector.dtype)]
        weight, bias = 0, self.weight_count
        for fan_out, fan_in in shapes:
            self.weights.append(
                self.vector[weight : weight + fan_out * fan_in].reshape(fan_out, fan_in)
            )
            self.biases.append(self.vector[bias : bias + fan_out])
            weight += fan_out * fan_in
            bias += fan_out

    def __reduce__(self) -> tuple[type["Parameters"], tuple[tuple[int, ...], Array]]:
        # Pickled or copied one by one, the views would no longer be views.
        return Parameters, (self.sizes, self.vector)

    def ranges(self, piece: int, pieces: int) -> list[slice]:
        """Return where in the vector a share of every layer's neurons has its parameters."""
        found: list[slice] = []
        weight, bias = 0, self.weight_count
        biases: list[slice] = []
        for fan_in, fan_out in pairwise(self.sizes):
            neurons = share(fan_out, piece, pieces)
            found.append(slice(weight + neurons.start * fan_in, weight + neurons.stop * fan_in))
            biases.append(slice(bias + neurons.start, bias + neurons.stop))
            weight += fan_out * fan_in
            bias += fan_out
        return joined(found) + joined(biases)


def count(sizes: Sequence[int]) -> int:
    """Return how many parameters a network has."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))


def share(count: int, piece: int, pieces: int) -> slice:
    """Return one of `pieces` even, adjacent shares of `count` things."""
    return slice(count * piece // pieces, count * (piece + 1) // pieces)


def joined(ranges: list[slice]) -> list[slice]:
    """Return the same places as few ranges: adjacent ones become one."""
    found = ranges[:1]
    for following in ranges[1:]:
        if following.start == found[-1].stop:
            found[-1] = slice(found[-1].start, following.stop)
        else:
            found.append(following)
    return found
