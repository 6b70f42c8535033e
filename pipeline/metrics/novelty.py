"""Novelty: how unlike one digit an image is, as a p-value.

A small head reads the network's last hidden layer and answers whether an image is one digit. It
was trained on digits and on drawings of other things (outlier exposure, Hendrycks et al. 2019,
arXiv:1812.04606). Its answer is held against those for digits that neither of the two was trained
on: the share of them that look as little like a digit is a conformal p-value (Vovk et al. 2005).
Of digits like these, a hundredth has a p-value of 0.01 and less.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork

Array = NDArray[np.float32]

NOVEL = 0.01
"""Images with a smaller p-value are counted as novel."""

_PREFIX = "novelty."


@dataclass(frozen=True, slots=True)
class NoveltyScore:
    """The head of a version, with the answers that it is calibrated by."""

    scale: Array
    """Divisor of each activation, shape (hidden,)."""
    weights: Array
    """Of the head's own layer, shape (neurons, hidden)."""
    biases: Array
    """Shape (neurons,)."""
    output: Array
    """Weights of the answer, shape (neurons,)."""
    calibration: Array
    """Answers for held-out digits, ascending; the higher, the less it is one."""

    @classmethod
    def of(cls, network: NeuralNetwork) -> Self | None:
        """Return the score that is attached to a network; None if there is none."""
        names = [field.name for field in fields(cls)]
        if not all(_PREFIX + name in network.attached for name in names):
            return None
        return cls(*(network.attached[_PREFIX + name] for name in names))

    def attach(self, network: NeuralNetwork) -> None:
        """Keep the score with the weights of its network."""
        for field in fields(self):
            network.attached[_PREFIX + field.name] = getattr(self, field.name)

    def answers(self, hidden: Array) -> Array:
        """Return how little images are like one digit, shape (n,): a monotone figure.

        Parameters
        ----------
        hidden : ndarray of float32, shape (n, hidden)
            Activations of the network's last hidden layer.
        """
        # The division is one of the weights: there are fewer of them.
        activations = (self.weights / self.scale) @ np.clip(hidden.T, 0, self.scale[:, np.newaxis])
        activations += self.biases[:, np.newaxis]
        answers: Array = self.output @ np.maximum(activations, 0, out=activations)
        return answers

    def p_values(self, hidden: Array) -> Array:
        """Return the p-value of each image being one digit, in (0, 1], shape (n,)."""
        count = len(self.calibration)
        below = np.searchsorted(self.calibration, self.answers(hidden), side="left")
        return ((1 + count - below) / (1 + count)).astype(np.float32)


def features(hidden: Array, scale: Array) -> Array:
    """Return activations as fractions in [0, 1], shape (n, hidden): what the head learns from."""
    fractions: Array = np.clip(hidden / scale, 0, 1)
    return fractions
