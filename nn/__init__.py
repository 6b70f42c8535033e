"""A multilayer perceptron in pure NumPy, with the interface of scikit-learn.

>>> from nn import NeuralNetwork
>>> network = NeuralNetwork((784, 30, 10), seed=1)
"""

from nn.blas import single_threaded_blas
from nn.calibration import expected_calibration_error
from nn.cores import available_cores
from nn.distortion import Distortion
from nn.errors import (
    CheckpointError,
    DivergedError,
    InvalidDataError,
    InvalidParameterError,
    NetworkError,
    NotFittedError,
    WeightsError,
    WorkerError,
)
from nn.history import Epoch
from nn.network import NeuralNetwork
from nn.style import Style

__all__ = [
    "CheckpointError",
    "Distortion",
    "DivergedError",
    "Epoch",
    "InvalidDataError",
    "InvalidParameterError",
    "NetworkError",
    "NeuralNetwork",
    "NotFittedError",
    "Style",
    "WeightsError",
    "WorkerError",
    "available_cores",
    "expected_calibration_error",
    "single_threaded_blas",
]
