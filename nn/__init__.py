"""A multilayer perceptron in pure NumPy, with scikit-learn's habits.

>>> from nn import NeuralNetwork
>>> network = NeuralNetwork((784, 30, 10), seed=1)
"""

from nn.errors import (
    DivergedError,
    InvalidDataError,
    InvalidParameterError,
    NetworkError,
    NotFittedError,
    WeightsError,
)
from nn.network import Epoch, NeuralNetwork

__all__ = [
    "DivergedError",
    "Epoch",
    "InvalidDataError",
    "InvalidParameterError",
    "NetworkError",
    "NeuralNetwork",
    "NotFittedError",
    "WeightsError",
]
