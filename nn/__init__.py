"""A multilayer perceptron in pure NumPy, with scikit-learn's habits.

>>> from nn import NeuralNetwork
>>> network = NeuralNetwork((784, 30, 10), seed=1)
"""

from nn.calibration import expected_calibration_error
from nn.distortion import Distortion
from nn.errors import (
    CheckpointError,
    DivergedError,
    HelperError,
    InvalidDataError,
    InvalidParameterError,
    NetworkError,
    NotFittedError,
    WeightsError,
)
from nn.history import Epoch
from nn.network import NeuralNetwork

__all__ = [
    "CheckpointError",
    "Distortion",
    "DivergedError",
    "Epoch",
    "HelperError",
    "InvalidDataError",
    "InvalidParameterError",
    "NetworkError",
    "NeuralNetwork",
    "NotFittedError",
    "WeightsError",
    "expected_calibration_error",
]
