"""Weights and biases of all layers, held in one vector."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nn.activations import Array


class Parameters:
    """One vector, and views of it: ``weights[l]`` and ``biases[l]`` enter layer l.

    The vector holds the weights of all layers first, then the biases. So an optimizer passes
    through memory once, whatever the number of layers, and L2 regularisation applies to one range.

    Attributes
    ----------
    vector : ndarray, shape (n_parameters,)
    weights, biases : list of ndarray
        ``weights[l]`` has shape ``(sizes[l], sizes[l-1])`` and ``biases[l]`` ``(sizes[l],)``;
        index 0 is an empty placeholder, since nothing enters the input layer.
    weight_count : int
        Number of weights; they are the first elements of the vector.
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
        # If they were pickled or copied one by one, the views would become separate arrays.
        return Parameters, (self.sizes, self.vector)

    def ranges(self, piece: int, pieces: int) -> list[slice]:
        """Return the ranges of the vector that belong to a share of the neurons of every layer."""
        weights: list[slice] = []
        weight, bias = 0, self.weight_count
        biases: list[slice] = []
        for fan_in, fan_out in pairwise(self.sizes):
            neurons = share(fan_out, piece, pieces)
            weights.append(slice(weight + neurons.start * fan_in, weight + neurons.stop * fan_in))
            biases.append(slice(bias + neurons.start, bias + neurons.stop))
            weight += fan_out * fan_in
            bias += fan_out
        return joined(weights) + joined(biases)


def count(sizes: Sequence[int]) -> int:
    """Return the number of parameters of a network."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))


def share(count: int, piece: int, pieces: int) -> slice:
    """Return the range of one of `pieces` adjacent, even shares of `count` items."""
    return slice(count * piece // pieces, count * (piece + 1) // pieces)


def joined(ranges: list[slice]) -> list[slice]:
    """Merge adjacent ranges."""
    merged = ranges[:1]
    for following in ranges[1:]:
        if following.start == merged[-1].stop:
            merged[-1] = slice(merged[-1].start, following.stop)
        else:
            merged.append(following)
    return merged
