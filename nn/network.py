"""The network: a multilayer perceptron with the interface of scikit-learn."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn import fitting, validation
from nn import weights as weights_format
from nn.activations import Array
from nn.calibration import probabilities
from nn.errors import NotFittedError, WeightsError
from nn.files import write_atomically
from nn.fitting import Dataset
from nn.history import Epoch
from nn.hyperparameters import Hyperparameters
from nn.model import Model
from nn.parameters import Parameters
from nn.views import PLAIN

FORMAT = "digits-network"
# Version 1 had no temperature and fewer parameters; the defaults stand for what it lacks. Version 3
# has attached tensors, and version 4 other views than the plain one; each is written only if there
# are some.
FORMAT_VERSION = "2"
_WITH_ATTACHED = "3"
_OF_VIEWS = "4"
_READABLE = ("1", FORMAT_VERSION, _WITH_ATTACHED, _OF_VIEWS)

# Before the name of each attached tensor.
_ATTACHED = "attached."


class NeuralNetwork(Hyperparameters):
    """A multilayer perceptron for pixels like MNIST's; for others see `pipeline.Classifier`.

    MNIST's are 28×28, ink bright on black, at most 20 pixels high and wide, and centred by mass. A
    scan that was only made small is read no better than by chance: `pipeline.Classifier` brings
    scans, photos and files into this form, and reads them with a network.

    It is trained by stochastic gradient descent. Layer 0 is the input, layer L the output. After
    `fit`, ``weights[l]``, shape ``(sizes[l], sizes[l-1])``, and ``biases[l]``, shape
    ``(sizes[l],)``, enter layer l; index 0 of both is an unused placeholder. Those of a committee
    have one more axis, the first, for its members. The mathematics is that of Michael Nielsen's
    *Neural Networks and Deep Learning*, in batches and in float32.

    Parameters may be assigned; `fit` validates them, and predictions use those of the last fit.

    Parameters
    ----------
    sizes : sequence of int
        Neurons in each layer, input and output included.
    views : sequence of {"plain", "deslanted", "edges", "deslanted_edges"}
        What each member of a committee sees: the image as it is or without its slant, or the edges
        of one of them in eight directions (`nn.edges`). Each member is a network of these sizes,
        trained as it would be alone: the first with `seed`, the second with `seed` + 1, and so on.
        The logits are the mean of the members'. One view is one network. For all but the first
        view, images must be square; for edges, 4 must divide their sides.
    activation : {"sigmoid", "tanh", "relu"}
        Activation function of the hidden layers.
    output : {"softmax", "sigmoid"}
        Activation function of the output layer.
    loss : {"cross_entropy", "quadratic"}
    initializer : {"scaled", "standard", "he"}
        Weights are drawn from N(0, 1/fan_in), N(0, 1) or N(0, 2/fan_in); biases start at 0.
    optimizer : {"sgd", "momentum", "nesterov", "adam"}
        `nn.optimizers` has their equations and coefficients.
    learning_rate : float
        Peak of the schedule.
    schedule : {"constant", "cosine"}
        Constant, or half a cosine that falls to 0 at the end of the last epoch.
    warmup_epochs : float
        Number of epochs in which the learning rate first rises linearly from 0.
    batch_size : int
        Images per step. The last batch of an epoch may be shorter.
    epochs : int
    l2 : float
        The book's lambda: ``C + (l2 / 2n) * sum(w**2)`` with n the number of training images.
        Biases are not decayed.
    dropout : float
        Fraction of the hidden neurons that each step leaves out, in [0, 1).
    label_smoothing : float
        Fraction of every target that is spread evenly over all classes, in [0, 1).
    skipping : float
        Fraction of the learnt images that an epoch leaves out, in [0, 1); `nn.selection` says
        which are learnt. The history has the loss and the accuracy of the others.
    distortion : Distortion, optional
        Deforms every image anew for every epoch.
    style : Style, optional
        Draws strokes of other people's hands on digits, anew for every epoch, before they are
        deformed. The labels must be the digits.
    seed : int, optional
        Equal seeds, data, threads and BLAS give equal weights, to the bit. None draws a new seed.
    threads : int, optional
        Maximum number of cores for a training; None is all that this process may use. A network
        too small to gain from more uses one. With more than one, each is a process that limits
        BLAS to one thread, so that several trainings can share a machine; `nn.parallel` says why.

    Attributes
    ----------
    history : list of Epoch
    temperature : float
        Divisor of the logits in `predict_proba`; `fit` fits it to the validation data, if any.
    attached : dict of str to ndarray of float32
        Further tensors that are kept with the weights; no prediction depends on them.

    Raises
    ------
    InvalidParameterError
        If a parameter is outside its domain.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.history: list[Epoch] = []
        self.temperature = 1.0
        self.attached: dict[str, NDArray[np.float32]] = {}
        self._model: Model | None = None

    def __repr__(self) -> str:
        arguments = ", ".join(
            f"{field.name}={getattr(self, field.name)!r}" for field in fields(Hyperparameters)
        )
        return f"NeuralNetwork({arguments})"

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer; empty before `fit`."""
        return _stacked([each.weights for each in self._model.members]) if self._model else []

    @property
    def biases(self) -> list[Array]:
        """Biases of each layer; empty before `fit`."""
        return _stacked([each.biases for each in self._model.members]) if self._model else []

    def fit(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train from scratch; the result of an earlier `fit` is replaced.

        Parameters
        ----------
        images : array, shape (n, sizes[0]) or (n, h, w) with h * w == sizes[0]
            uint8, or floats in [0, 1]. Not changed.
        labels : array of int, shape (n,)
            Each in ``[0, sizes[-1])``. Not changed.
        validation_data : (images, labels), optional
            Loss and accuracy on them are measured after every epoch, and the temperature is
            fitted to them at the end. They are not trained on.
        on_epoch : callable, optional
            Called with each `Epoch` when it ends.
        checkpoint : path, optional
            File to which the state of the training is saved after every epoch. If the file
            exists, the training resumes from it and ends with the same weights as an
            uninterrupted one. The file stays when the training is complete.

        Raises
        ------
        InvalidParameterError
            If a parameter was assigned that is outside its domain.
        InvalidDataError
            If images or labels have a wrong shape, type or range.
        DivergedError
            If the loss is no longer a finite number.
        CheckpointError
            If the file is the checkpoint of another training, or not a checkpoint.
        WorkerError
            If a worker process of this training was killed.
        """
        hyperparameters = self.validated()
        sizes = hyperparameters.sizes
        training_data = Dataset(*validation.dataset(images, labels, sizes))
        held_out = None
        if validation_data is not None:
            held_out = Dataset(*validation.dataset(*validation_data, sizes))
        changed = (hyperparameters.distortion, hyperparameters.style) != (None, None)
        image_shape = validation.image_shape(images, distorted=changed)
        path = None if checkpoint is None else Path(checkpoint)
        return self._fit(hyperparameters, training_data, held_out, image_shape, on_epoch, path)

    def _fit(
        self,
        hyperparameters: Hyperparameters,
        training_data: Dataset,
        validation_data: Dataset | None,
        image_shape: tuple[int, int],
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: Path | None = None,
    ) -> Self:
        history: list[Epoch] = []

        # They were of the weights before.
        self.attached = {}

        def keep(model: Model) -> None:
            self._model = model
            if on_epoch is not None:
                on_epoch(history[-1])

        self.history, self.temperature = history, 1.0
        self._model, self.temperature = fitting.fit(
            hyperparameters,
            training_data,
            validation_data,
            image_shape,
            history=history,
            on_epoch=keep,
            checkpoint=checkpoint,
        )
        return self

    def predict(self, images: ArrayLike) -> NDArray[np.intp]:
        """Return the most probable label of each image, shape ``(n,)``."""
        model = self._require_model()
        x = validation.image_rows(images, model.sizes[0])
        labels: NDArray[np.intp] = model.logits(x).argmax(axis=0)
        return labels

    def predict_proba(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of each label, shape ``(n, sizes[-1])``; rows sum to 1.

        Sigmoid outputs do not sum to 1 by themselves: each row is divided by its sum.
        """
        model = self._require_model()
        x = validation.image_rows(images, model.sizes[0])
        a = probabilities(model.logits(x), model.hyperparameters.output, self.temperature)
        return np.ascontiguousarray(a.T)

    def predict_with_hidden(
        self, images: ArrayLike
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the probability of each label, and the activations of the layer before the last.

        Returns
        -------
        probabilities : ndarray of float32, shape (n, sizes[-1])
            As `predict_proba` returns them.
        hidden : ndarray of float32, shape (n, members * sizes[-2])
            Those of one member after another.
        """
        model = self._require_model()
        x = validation.image_rows(images, model.sizes[0])
        hidden = np.empty((model.hidden, len(x)), np.float32)
        z = model.logits(x, hidden_out=hidden)
        a = probabilities(z, model.hyperparameters.output, self.temperature)
        return np.ascontiguousarray(a.T), hidden.T

    def validate(self, images: ArrayLike, labels: ArrayLike) -> float:
        """Return the accuracy on these images, a fraction in [0, 1]."""
        model = self._require_model()
        return model.evaluate(*validation.dataset(images, labels, model.sizes))[1]

    score = validate
    """scikit-learn's name for `validate`."""

    def to_bytes(self) -> bytes:
        """Return weights and parameters as safetensors; equal networks give equal bytes.

        The parameters are those of the fit, with the seed and the number of threads it used: a
        network with these parameters, fitted to the same data, gives the same bytes.
        """
        model = self._require_model()
        tensors = {}
        weights, biases = self.weights, self.biases
        for layer in range(1, len(model.sizes)):
            tensors[f"weights.{layer}"] = weights[layer]
            tensors[f"biases.{layer}"] = biases[layer]
        for name, tensor in self.attached.items():
            tensors[_ATTACHED + name] = tensor
        metadata = {
            "format": FORMAT,
            "format_version": self._format_version(model),
            "params": json.dumps(_written(model.hyperparameters), sort_keys=True),
            "temperature": repr(self.temperature),
        }
        return weights_format.write(tensors, metadata)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the network that `to_bytes` serialized.

        Raises
        ------
        WeightsError
            If the bytes are damaged, of another format, or contradict themselves.
        """
        tensors, metadata = weights_format.read(data)
        if metadata.get("format") != FORMAT:
            raise WeightsError(f"expected the format {FORMAT!r}, got {metadata.get('format')!r}")
        if metadata.get("format_version") not in _READABLE:
            raise WeightsError(
                f"expected format version {', '.join(_READABLE)}, "
                f"got {metadata.get('format_version')}; a newer release of digits may read it"
            )
        try:
            network = cls.from_params(json.loads(metadata["params"]))
            network.temperature = validation.positive(
                "temperature", float(metadata.get("temperature", 1))
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise WeightsError(f"the parameters cannot be read ({error})") from None
        hyperparameters = network.validated()
        for name in [name for name in tensors if name.startswith(_ATTACHED)]:
            network.attached[name.removeprefix(_ATTACHED)] = tensors.pop(name)
        members = _parameters(tuple(network.sizes), len(network.views), tensors)
        network._model = Model(hyperparameters, members)
        return network

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_bytes` to a file, which is complete or unchanged whatever happens."""
        write_atomically(Path(path), self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the network in a file that `save` wrote."""
        return cls.from_bytes(Path(path).read_bytes())

    def _format_version(self, model: Model) -> str:
        if model.hyperparameters.views != (PLAIN,):
            return _OF_VIEWS
        return _WITH_ATTACHED if self.attached else FORMAT_VERSION

    def _require_model(self) -> Model:
        if self._model is None:
            raise NotFittedError
        return self._model


def _written(hyperparameters: Hyperparameters) -> dict[str, Any]:
    """Return the parameters as they are written, without those that earlier releases did not have.

    So a version of an earlier release is reproduced to the bit.
    """
    params = hyperparameters.get_params()
    if params["style"] is None:
        del params["style"]
    if params["views"] == [PLAIN]:
        del params["views"]
    return params


def _stacked(members: Sequence[Sequence[Array]]) -> list[Array]:
    """Return the arrays of each layer: of one member as they are, of several with a first axis."""
    if len(members) == 1:
        return list(members[0])
    return [np.stack(layer) for layer in zip(*members, strict=True)]


def _parameters(
    sizes: tuple[int, ...], members: int, tensors: weights_format.Tensors
) -> tuple[Parameters, ...]:
    """Return tensors from a file as the parameters of each member of a network."""
    axis = () if members == 1 else (members,)
    expected: dict[str, tuple[int, ...]] = {}
    for layer in range(1, len(sizes)):
        expected[f"weights.{layer}"] = (*axis, sizes[layer], sizes[layer - 1])
        expected[f"biases.{layer}"] = (*axis, sizes[layer])
    got = {name: tensor.shape for name, tensor in tensors.items()}
    if got != expected:
        raise WeightsError(f"sizes {sizes} require tensors {expected}, got {got}")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise WeightsError("some of them are not finite numbers")
    networks = tuple(Parameters(sizes) for _ in range(members))
    for layer in range(1, len(sizes)):
        for kind in ("weights", "biases"):
            tensor = tensors[f"{kind}.{layer}"]
            for network, own in zip(networks, tensor if axis else [tensor], strict=True):
                getattr(network, kind)[layer][:] = own
    return networks
