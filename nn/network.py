"""The network: a multilayer perceptron with scikit-learn's habits."""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn import checkpoints, validation
from nn import weights as weights_format
from nn.activations import ACTIVATIONS, Array
from nn.backpropagation import feedforward
from nn.calibration import best_temperature, probabilities
from nn.errors import NotFittedError, WeightsError
from nn.history import Epoch
from nn.hyperparameters import Hyperparameters
from nn.objectives import OBJECTIVES, targets
from nn.parameters import Parameters
from nn.team import cores
from nn.training import begun, worthwhile

FORMAT = "digits-network"
# Version 1 had no temperature, and fewer parameters; what it lacks has the value it stood for.
FORMAT_VERSION = "2"
_READABLE = ("1", FORMAT_VERSION)

# Rows a forward pass takes at once outside training: enough to keep BLAS busy, and it bounds
# the memory of `predict` whatever it is given.
_BLOCK = 1024


class NeuralNetwork(Hyperparameters):
    """A multilayer perceptron trained by stochastic gradient descent.

    Layer 0 is the input, layer L the output. After `fit`, ``weights[l]``, shape
    ``(sizes[l], sizes[l-1])``, and ``biases[l]``, shape ``(sizes[l],)``, enter layer l;
    index 0 of both is an unused placeholder. The mathematics is that of Michael Nielsen's
    *Neural Networks and Deep Learning*, in batches and in float32.

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
    optimizer : {"sgd", "momentum", "nesterov", "adam"}
        `nn.optimizers` has their equations and coefficients.
    learning_rate : float
        The highest of the schedule.
    schedule : {"constant", "cosine"}
        Constant, or along half a cosine down to 0 at the end of the last epoch.
    warmup_epochs : float
        For how long the learning rate first rises from 0, in a straight line.
    batch_size : int
        Images per step. The last batch of an epoch may be shorter.
    epochs : int
    l2 : float
        The book's lambda: ``C + (l2 / 2n) * sum(w**2)`` with n the number of training images.
        Biases are not decayed.
    dropout : float
        Share of the hidden neurons that each step leaves out, in [0, 1).
    label_smoothing : float
        Share of every target that is spread evenly over all classes, in [0, 1).
    distortion : Distortion, optional
        Draws a new deformation of every image for every epoch.
    seed : int, optional
        Equal seeds, data, threads and BLAS give equal weights, to the bit. None draws a fresh one.
    threads : int, optional
        How many cores a training may use; None is all this process may run on. A network too
        small to gain from it takes one. Beyond one, they are processes of their own, and each
        holds BLAS to one thread. So any number of trainings share a machine as other programs
        do; `nn.team` says why.

    Attributes
    ----------
    history : list of Epoch
    temperature : float
        What `predict_proba` divides logits by; fitted where `fit` has validation data.

    Raises
    ------
    InvalidParameterError
        Where a parameter is outside its domain.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.history: list[Epoch] = []
        self.temperature = 1.0
        self._parameters: Parameters | None = None
        # What `fit` came to use where a parameter left it the choice.
        self._resolved: dict[str, Any] = {}

    def __repr__(self) -> str:
        arguments = ", ".join(
            f"{field.name}={getattr(self, field.name)!r}" for field in fields(Hyperparameters)
        )
        return f"NeuralNetwork({arguments})"

    @property
    def weights(self) -> list[Array]:
        """Of each layer; none before `fit`."""
        return self._parameters.weights if self._parameters else []

    @property
    def biases(self) -> list[Array]:
        """Of each layer; none before `fit`."""
        return self._parameters.biases if self._parameters else []

    def fit(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train from scratch; what an earlier `fit` learnt is replaced.

        Parameters
        ----------
        images : array, shape (n, sizes[0]) or (n, h, w) with h * w == sizes[0]
            uint8, or floats in [0, 1]. Not changed.
        labels : array of int, shape (n,)
            Each in ``[0, sizes[-1])``. Not changed.
        validation_data : (images, labels), optional
            Measured after every epoch, and at the end the temperature is fitted to it; never
            trained on.
        on_epoch : callable, optional
            Called with each `Epoch` as it ends.
        checkpoint : path, optional
            A file that gets the state of the training after every epoch. If it is there, the
            training goes on from it, to the same weights as if it had never stopped. It stays
            when all is done.

        Raises
        ------
        InvalidDataError
            Where images or labels have a wrong shape, type or range.
        DivergedError
            Where the loss stops being a finite number.
        CheckpointError
            Where the checkpoint is that of another training, or none.
        HelperError
            Where a process that helped has been killed.
        """
        x, y = validation.dataset(images, labels, self.sizes)
        held_out = (
            None if validation_data is None else validation.dataset(*validation_data, self.sizes)
        )
        image = validation.image_shape(images, distorted=self.distortion is not None)
        return self._fit(x, y, held_out, image, on_epoch, checkpoint)

    def _fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        held_out: tuple[np.ndarray, np.ndarray] | None,
        image: tuple[int, int],
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        params = self.get_params()
        if self.threads is not None:
            params["threads"] = worthwhile(self, len(x), self.threads)
        kept = None
        if checkpoint is not None:
            digest = checkpoints.digest(x.reshape(len(x), *image), y, *(held_out or ()))
            kept = checkpoints.Checkpoint(Path(checkpoint), params, digest)
            params = kept.resolved
        if params["seed"] is None:
            params["seed"] = np.random.SeedSequence().entropy
        if params["threads"] is None:
            params["threads"] = worthwhile(self, len(x), cores())
        self._resolved = params
        self.temperature = 1.0

        with begun(self, x, y, image, params["seed"], params["threads"]) as training:
            self.history = kept.restore(training) if kept else []
            for number in range(training.epoch + 1, self.epochs + 1):
                started = time.perf_counter()
                # A loss that overflows is told as a DivergedError, not as NumPy's warnings.
                with np.errstate(over="ignore", invalid="ignore"):
                    loss, accuracy = training.run_epoch()
                self._parameters = training.result()
                validation_loss = validation_accuracy = None
                if held_out is not None:
                    validation_loss, validation_accuracy = self._measure(
                        *held_out, threads=params["threads"]
                    )
                epoch = Epoch(
                    number,
                    loss,
                    accuracy,
                    validation_loss,
                    validation_accuracy,
                    training.learning_rate(number * training.steps_per_epoch - 1),
                    time.perf_counter() - started,
                )
                self.history.append(epoch)
                if kept:
                    kept.save(training, self.history)
                if on_epoch is not None:
                    on_epoch(epoch)
            self._parameters = training.result()
            # In here, where BLAS has one thread: with more it would round in another way.
            if held_out is not None:
                z = self._logits(held_out[0])
                self.temperature = best_temperature(z, held_out[1], self.output)
        return self

    def predict(self, images: ArrayLike) -> NDArray[np.intp]:
        """Return the most probable label of each image, shape ``(n,)``."""
        x = validation.image_rows(images, self.sizes[0])
        labels: NDArray[np.intp] = self._logits(x).argmax(axis=0)
        return labels

    def predict_proba(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of each label, shape ``(n, sizes[-1])``; rows sum to 1.

        Sigmoid outputs do not sum to 1 by themselves: each row is divided by its sum.
        """
        x = validation.image_rows(images, self.sizes[0])
        a = probabilities(self._logits(x), self.output, self.temperature)
        return np.ascontiguousarray(a.T)

    def validate(self, images: ArrayLike, labels: ArrayLike) -> float:
        """Return the accuracy on these images, a fraction in [0, 1]."""
        x, y = validation.dataset(images, labels, self.sizes)
        return self._measure(x, y)[1]

    def to_bytes(self) -> bytes:
        """Return weights and parameters as safetensors; equal networks give equal bytes.

        The parameters include the seed and the threads that `fit` used where it had the choice:
        fitted to the same data, a network with these parameters gives these bytes.
        """
        self._require_parameters()
        tensors = {}
        for layer in range(1, len(self.sizes)):
            tensors[f"weights.{layer}"] = self.weights[layer]
            tensors[f"biases.{layer}"] = self.biases[layer]
        metadata = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "params": json.dumps(self.get_params() | self._resolved, sort_keys=True),
            "temperature": repr(self.temperature),
        }
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
        if metadata.get("format_version") not in _READABLE:
            raise WeightsError(
                f"expected format version {' or '.join(_READABLE)}, "
                f"got {metadata.get('format_version')}; a newer release of digits may read it"
            )
        try:
            network = cls.from_params(json.loads(metadata["params"]))
            network.temperature = validation.positive(
                "temperature", float(metadata.get("temperature", 1))
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
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
        self._parameters = Parameters(self.sizes)
        for layer in range(1, len(self.sizes)):
            self.weights[layer][:] = tensors[f"weights.{layer}"]
            self.biases[layer][:] = tensors[f"biases.{layer}"]

    def _measure(self, x: np.ndarray, y: np.ndarray, threads: int = 1) -> tuple[float, float]:
        """Return mean loss and accuracy."""
        z = self._logits(x, threads)
        losses = OBJECTIVES[self.output, self.loss].losses(z, targets(y, self.sizes[-1]))
        accuracy = int(np.count_nonzero(z.argmax(axis=0) == y)) / len(y)
        return float(losses.mean(dtype=np.float64)), accuracy

    def _logits(
        self, x: np.ndarray, threads: int = 1, dtype: type[np.floating] = np.float32
    ) -> Array:
        """Return the logits of rows, computed in this type, shape ``(sizes[-1], n)``."""
        vector = self._require_parameters().vector
        parameters = Parameters(self.sizes, vector.astype(dtype, copy=False))
        activation = ACTIVATIONS[self.activation]
        z = np.empty((self.sizes[-1], len(x)), dtype)

        def block(start: int) -> None:
            rows = validation.scaled(x[start : start + _BLOCK]).astype(dtype, copy=False)
            hidden = (np.empty((size, len(rows)), dtype) for size in self.sizes[1:-1])
            feedforward(parameters, activation, (rows.T, *hidden, z[:, start : start + len(rows)]))

        starts = range(0, len(x), _BLOCK)
        if threads == 1:
            for start in starts:
                block(start)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(block, starts))
        return z

    def _require_parameters(self) -> Parameters:
        if self._parameters is None:
            raise NotFittedError
        return self._parameters
