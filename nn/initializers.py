"""How weights are drawn before training: normal, with a standard deviation by fan-in."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from nn.activations import Array

INITIALIZERS: dict[str, Callable[[int], float]] = {
    # Nielsen, chapter 3: keeps the spread of z near 1 however many neurons feed it.
    "scaled": lambda fan_in: 1 / math.sqrt(fan_in),
    # Nielsen, chapter 1.
    "standard": lambda fan_in: 1.0,  # noqa: ARG005 - the point of it is to ignore fan-in
    # He et al. 2015, arXiv:1502.01852: makes up for the half that relu cuts off.
    "he": lambda fan_in: math.sqrt(2 / fan_in),
}


def initialize(
    sizes: Sequence[int], initializer: str, rng: np.random.Generator
) -> tuple[list[Array], list[Array]]:
    """Draw the weights and biases of a network.

    Returns
    -------
    weights, biases : list of ndarray, float32
        ``weights[l]`` has shape ``(sizes[l], sizes[l-1])`` and ``biases[l]`` ``(sizes[l],)``;
        index 0 is an empty placeholder, since nothing enters the input layer. Biases are 0.
    """
    deviation = INITIALIZERS[initializer]
    weights: list[Array] = [np.zeros((0, 0), np.float32)]
    biases: list[Array] = [np.zeros(0, np.float32)]
    for fan_in, fan_out in pairwise(sizes):
        drawn = rng.standard_normal((fan_out, fan_in), dtype=np.float32)
        weights.append(drawn * np.float32(deviation(fan_in)))
        biases.append(np.zeros(fan_out, np.float32))
    return weights, biases
