"""The network: a multilayer perceptron with scikit-learn's habits."""

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn import validation
from nn import weights as weights_format
from nn.activations import ACTIVATIONS, Array
from nn.backpropagation import feedforward, gradients
from nn.errors import (
    DivergedError,
    NotFittedError,
    WeightsError,
)
from nn.initializers import INITIALIZERS, initialize
from nn.objectives import LOSSES, OBJECTIVES, OUTPUTS

FORMAT = "digits-network"
FORMAT_VERSION = "1"

# Rows a forward pass takes at once outside training: enough to keep BLAS busy, and it bounds
# the memory of `predict` whatever it is given.
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch of training came to.

    `loss` and `accuracy` are means over the epoch's batches, each measured just before its
    step; the validation figures are measured after the epoch's last step.
    """

    number: int
    """Counted from 1."""
    loss: float
    """Mean loss per example, without the L2 term."""
    accuracy: float
    """A fraction in [0, 1]."""
    validation_loss: float | None
    """None where `fit` was given no validation data."""
    validation_accuracy: float | None
    """None where `fit` was given no validation data."""
    learning_rate: float
    seconds: float
    """Wall time, validation included."""


class NeuralNetwork:
    """A multilayer perceptron trained by stochastic gradient descent.

    Layer 0 is the input, layer L the output. After `fit`, ``weights[l]``, shape
    ``(sizes[l], sizes[l-1])``, and ``biases[l]``, shape ``(sizes[l],)``, enter layer l;
    index 0 of both is an unused placeholder. The mathematics is that of Michael Nielsen's
    *Neural Networks and Deep Learning*, in batches of rows and in float32.

    Parameters
    ----------
    sizes : sequence of int
        Neurons in each layer, input and output included.
    activation : {"sigmoid", "tanh", "relu"}
        Of the hidden layers.
    output : {"softmax", "sigmoid"}
        Of the output layer.
    loss : {"cross_entropy", "quadratic"}
    initializer : {"scaled", "standard", "he"}
        Weights are drawn from N(0, 1/fan_in), N(0, 1) or N(0, 2/fan_in); biases start at 0.
    learning_rate : float
    batch_size : int
        Rows per step. The last batch of an epoch may be shorter.
    epochs : int
    l2 : float
        The book's lambda: ``C + (l2 / 2n) * sum(w**2)`` with n the number of training images.
        Biases are not decayed.
    seed : int, optional
        Equal seeds, data and BLAS give equal weights, to the bit. None draws a fresh one.

    Raises
    ------
    InvalidParameterError
        Where a parameter is outside its domain.
    """

    def __init__(
        self,
        sizes: Sequence[int] = (784, 30, 10),
        *,
        activation: str = "sigmoid",
        output: str = "softmax",
        loss: str = "cross_entropy",
        initializer: str = "scaled",
        learning_rate: float = 0.5,
        batch_size: int = 10,
        epochs: int = 30,
        l2: float = 0.0,
        seed: int | None = None,
    ) -> None:
        self.sizes = validation.layer_sizes(sizes)
        self.activation = validation.choice("activation", activation, ACTIVATIONS)
        self.output = validation.choice("output", output, OUTPUTS)
        self.loss = validation.choice("loss", loss, LOSSES)
        self.initializer = validation.choice("initializer", initializer, INITIALIZERS)
        self.learning_rate = validation.positive("learning_rate", learning_rate)
        self.batch_size = validation.whole("batch_size", batch_size, least=1)
        self.epochs = validation.whole("epochs", epochs, least=1)
        self.l2 = validation.not_negative("l2", l2)
        self.seed = None if seed is None else validation.whole("seed", seed, least=0)
        self.weights: list[Array] = []
        self.biases: list[Array] = []
        self.history: list[Epoch] = []

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"NeuralNetwork({arguments})"

    def get_params(self) -> dict[str, Any]:
        """Return the parameters of the constructor, by name, as values JSON can hold."""
        return {
            "sizes": list(self.sizes),
            "activation": self.activation,
            "output": self.output,
            "loss": self.loss,
            "initializer": self.initializer,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "l2": self.l2,
            "seed": self.seed,
        }

    def fit(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Self:
        """Train from scratch; what an earlier `fit` learnt is replaced.

        Parameters
        ----------
        images : array, shape (n, sizes[0]) or (n, h, w) with h * w == sizes[0]
            uint8, or floats in [0, 1]. Not changed.
        labels : array of int, shape (n,)
            Each in ``[0, sizes[-1])``. Not changed.
        validation_data : (images, labels), optional
            Measured after every epoch; never trained on.
        on_epoch : callable, optional
            Called with each `Epoch` as it ends.

        Raises
        ------
        InvalidDataError
            Where images or labels have a wrong shape, type or range.
        DivergedError
            Where the loss stops being a finite number.
        """
        x, y = validation.dataset(images, labels, self.sizes)
        held_out = (
            None if validation_data is None else validation.dataset(*validation_data, self.sizes)
        )
        rng = np.random.default_rng(self.seed)
        self.weights, self.biases = initialize(self.sizes, self.initializer, rng)
        self.history = []
        for number in range(1, self.epochs + 1):
            started = time.perf_counter()
            # A loss that overflows is told as a DivergedError, not as NumPy's warnings.
            with np.errstate(over="ignore", invalid="ignore"):
                loss, accuracy = self._train_epoch(x, y, rng.permutation(len(x)), number)
            validation_loss = validation_accuracy = None
            if held_out is not None:
                validation_loss, validation_accuracy = self._measure(*held_out)
            epoch = Epoch(
                number,
                loss,
                accuracy,
                validation_loss,
                validation_accuracy,
                self.learning_rate,
                time.perf_counter() - started,
            )
            self.history.append(epoch)
            if on_epoch is not None:
                on_epoch(epoch)
        return self

    def predict(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the most probable label of each image, shape ``(n,)``."""
        x = validation.image_rows(images, self.sizes[0])
        return np.concatenate([z.argmax(axis=1) for z in self._logits(x)])

    def predict_proba(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of each label, shape ``(n, sizes[-1])``; rows sum to 1.

        Sigmoid outputs do not sum to 1 by themselves: each row is divided by its sum.
        """
        x = validation.image_rows(images, self.sizes[0])
        output = OUTPUTS[self.output]
        a = np.concatenate([output(z) for z in self._logits(x)]).astype(np.float32)
        if self.output == "sigmoid":
            # Where every output has rounded to 0 there is nothing to share out but equally.
            a += np.finfo(np.float32).tiny
            a /= a.sum(axis=1, keepdims=True)
        return a

    def validate(self, images: ArrayLike, labels: ArrayLike) -> float:
        """Return the accuracy on these images, a fraction in [0, 1]."""
        x, y = validation.dataset(images, labels, self.sizes)
        return self._measure(x, y)[1]

    def to_bytes(self) -> bytes:
        """Return weights and parameters as safetensors; equal networks give equal bytes."""
        self._require_weights()
        tensors = {}
        for layer in range(1, len(self.sizes)):
            tensors[f"weights.{layer}"] = self.weights[layer]
            tensors[f"biases.{layer}"] = self.biases[layer]
        params = json.dumps(self.get_params(), sort_keys=True)
        metadata = {"format": FORMAT, "format_version": FORMAT_VERSION, "params": params}
        return weights_format.write(tensors, metadata)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the network that `to_bytes` wrote.

        Raises
        ------
        WeightsError
            Where the bytes are damaged, of another format, or contradict themselves.
        """
        tensors, metadata = weights_format.read(data)
        if metadata.get("format") != FORMAT:
            raise WeightsError(f"expected the format {FORMAT!r}, got {metadata.get('format')!r}")
        if metadata.get("format_version") != FORMAT_VERSION:
            raise WeightsError(
                f"expected format version {FORMAT_VERSION}, got {metadata.get('format_version')}; "
                "a newer release of digits may read it"
            )
        try:
            network = cls(**json.loads(metadata["params"]))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"its parameters cannot be read ({error})") from None
        network._adopt(tensors)
        return network

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_bytes` to a file."""
        Path(path).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the network in a file that `save` wrote."""
        return cls.from_bytes(Path(path).read_bytes())

    def _adopt(self, tensors: weights_format.Tensors) -> None:
        expected: dict[str, tuple[int, ...]] = {}
        for layer in range(1, len(self.sizes)):
            expected[f"weights.{layer}"] = (self.sizes[layer], self.sizes[layer - 1])
            expected[f"biases.{layer}"] = (self.sizes[layer],)
        got = {name: tensor.shape for name, tensor in tensors.items()}
        if got != expected:
            raise WeightsError(f"sizes {self.sizes} ask for tensors {expected}, got {got}")
        if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            raise WeightsError("some of them are not finite numbers")
        layers = range(1, len(self.sizes))
        self.weights = [np.zeros((0, 0), np.float32), *(tensors[f"weights.{i}"] for i in layers)]
        self.biases = [np.zeros(0, np.float32), *(tensors[f"biases.{i}"] for i in layers)]

    def _train_epoch(
        self, x: np.ndarray, y: np.ndarray, order: np.ndarray, epoch: int
    ) -> tuple[float, float]:
        """Take one step for every batch; return mean loss and accuracy."""
        activation = ACTIVATIONS[self.activation]
        objective = OBJECTIVES[self.output, self.loss]
        step = np.float32(self.learning_rate)
        decay = np.float32(1 - self.learning_rate * self.l2 / len(x))
        total_loss = 0.0
        correct = 0
        for batch, start in enumerate(range(0, len(x), self.batch_size), start=1):
            rows = order[start : start + self.batch_size]
            weight_gradients, bias_gradients, losses, z = gradients(
                self.weights,
                self.biases,
                activation,
                objective,
                validation.scaled(x[rows]),
                y[rows],
            )
            loss = float(losses.sum())
            if not math.isfinite(loss):
                raise DivergedError(epoch, batch, self.learning_rate)
            total_loss += loss
            correct += int(np.count_nonzero(z.argmax(axis=1) == y[rows]))
            for layer in range(1, len(self.sizes)):
                if self.l2:
                    self.weights[layer] *= decay
                self.weights[layer] -= step * weight_gradients[layer]
                self.biases[layer] -= step * bias_gradients[layer]
        return total_loss / len(x), correct / len(x)

    def _measure(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Return mean loss and accuracy."""
        objective = OBJECTIVES[self.output, self.loss]
        total_loss = 0.0
        correct = 0
        start = 0
        for z in self._logits(x):
            labels = y[start : start + len(z)]
            start += len(z)
            targets = np.zeros_like(z)
            targets[np.arange(len(z)), labels] = 1
            total_loss += float(objective(z, targets)[0].sum(dtype=np.float64))
            correct += int(np.count_nonzero(z.argmax(axis=1) == labels))
        return total_loss / len(x), correct / len(x)

    def _logits(self, x: np.ndarray) -> list[Array]:
        self._require_weights()
        activation = ACTIVATIONS[self.activation]
        return [
            feedforward(
                self.weights, self.biases, activation, validation.scaled(x[i : i + _BLOCK])
            )[1]
            for i in range(0, len(x), _BLOCK)
        ]

    def _require_weights(self) -> None:
        if not self.weights:
            raise NotFittedError
