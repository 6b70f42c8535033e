"""How weights are drawn before training: normal, with a standard deviation by fan-in."""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

import math
from collections.abc import Callable

import numpy as np

from nn.parameters import Parameters

INITIALIZERS: dict[str, Callable[[int], float]] = {
    # Nielsen, chapter 3: keeps the spread of z near 1 however many neurons feed it.
    "scaled": lambda fan_in: 1 / math.sqrt(fan_in),
    # Nielsen, chapter 1.
    "standard": lambda fan_in: 1.0,  # noqa: ARG005 - the point of it is to ignore fan-in
    # He et al. 2015, arXiv:1502.01852: makes up for the half that relu cuts off.
    "he": lambda fan_in: math.sqrt(2 / fan_in),
}


def initialize(parameters: Parameters, initializer: str, rng: np.random.Generator) -> None:
    """Draw the weights of a network; its biases become 0."""
    deviation = INITIALIZERS[initializer]
    for weights, fan_in in zip(parameters.weights[1:], parameters.sizes, strict=False):
        rng.standard_normal(out=weights, dtype=np.float32)
        weights *= np.float32(deviation(fan_in))
    for biases in parameters.biases:
        biases[:] = 0
