"""How weights are drawn before training: from normal distributions."""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

import math
from typing import NamedTuple

import numpy as np

from nn.parameters import Parameters


class Initializer(NamedTuple):
    """The variance of the weights that enter a neuron."""

    gain: float
    by_fan_in: bool
    """Whether the variance is the gain divided by the number of inputs, or the gain itself."""

    def deviation(self, fan_in: int) -> float:
        """Return the standard deviation."""
        return math.sqrt(self.gain / fan_in if self.by_fan_in else self.gain)


INITIALIZERS: dict[str, Initializer] = {
    # Nielsen, chapter 3: keeps the spread of z near 1, whatever the number of inputs.
    "scaled": Initializer(1.0, by_fan_in=True),
    # Nielsen, chapter 1.
    "standard": Initializer(1.0, by_fan_in=False),
    # He et al. 2015, arXiv:1502.01852: makes up for the half that relu cuts off.
    "he": Initializer(2.0, by_fan_in=True),
}


def initialize(parameters: Parameters, initializer: str, rng: np.random.Generator) -> None:
    """Draw the weights of a network, and set its biases to 0."""
    deviation = INITIALIZERS[initializer].deviation
    for weights, fan_in in zip(parameters.weights[1:], parameters.sizes, strict=False):
        rng.standard_normal(out=weights, dtype=np.float32)
        weights *= np.float32(deviation(fan_in))
    for biases in parameters.biases:
        biases[:] = 0
