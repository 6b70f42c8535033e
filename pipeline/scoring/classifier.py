"""A version that reads images: everything between the contents of a file and its digit.

Scoring and Python's users read images by the same functions, so their predictions are the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork
from pipeline.errors import InputError
from pipeline.images.reading import Normalize, Reader
from pipeline.images.sheets import is_one_image, sheet_of
from pipeline.inputs.labels import UNKNOWN
from pipeline.inputs.source import Batch, Row, batch_of
from pipeline.models import CHAMPION, MODEL, full_reference, open_registry
from pipeline.scoring.answers import Answers, answers_for, judge_of
from pipeline.scoring.outcome import Options

if TYPE_CHECKING:
    from pipeline.images.ink import Polarity
    from pipeline.images.sheets import Images
    from pipeline.settings import Settings
    from registry import ModelVersion


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a classifier reads in an image."""

    digit: int | None
    """0 to 9; None if there is no prediction."""
    confidence: float | None
    """Probability of the digit, a fraction in [0, 1]."""
    reason: str | None
    """Why there is no prediction; None if there is one."""
    novelty: float | None
    """A p-value: how unlike one digit the image is. None if the version has no novelty score."""
    notes: str | None
    """What was removed from the image or done to it, if anything."""
    probabilities: NDArray[np.float32] | None = field(repr=False)
    """Probability of each digit, shape (10,)."""
    image: NDArray[np.uint8] | None = field(repr=False)
    """The image as the network saw it, shape (28, 28): 0 is paper, 255 is ink."""


class Classifier:
    """Reads handwritten digits: it does to an image what `pipeline.score` does.

    An image may have any size, format and polarity. It is a path (str or `os.PathLike`), the
    bytes of an image file, a Pillow image, or an array: ``(height, width)``, or ``(height, width,
    channels)`` with 1 to 4 channels in the order of RGB and alpha; of uint8, of other numbers in
    [0, 255], or of floats in [0, 1]. Several images are a list of these, or an array ``(n, height,
    width)``.

    Several images are read as one batch: if most of them are dark on light, that counts for those
    that are in doubt.

    Parameters
    ----------
    network : NeuralNetwork
        Trained on images like MNIST's.
    normalize : {"auto", "always", "never"}
        Which images are normalized: those unlike MNIST's, all, or none.
    ink : {"auto", "dark", "light"}
        Whether the ink is darker or lighter than the paper.
    reject : float, optional
        Images whose novelty, a p-value, is smaller get no prediction.
    version : ModelVersion, optional
        The version that the network belongs to.

    Attributes
    ----------
    network : NeuralNetwork
    version : ModelVersion or None

    Raises
    ------
    InvalidParameterError
        If a parameter is outside its domain.

    Examples
    --------
    >>> classifier = Classifier.load("mnist@champion")  # doctest: +SKIP
    >>> classifier.predict("five.png")  # doctest: +SKIP
    5
    """

    def __init__(
        self,
        network: NeuralNetwork,
        *,
        normalize: Normalize = "auto",
        ink: Polarity = "auto",
        reject: float | None = None,
        version: ModelVersion | None = None,
    ) -> None:
        options = Options(normalize, ink, reject=reject)
        self.network = network
        self.version = version
        self._options = options

    @classmethod
    def load(
        cls,
        reference: str | int | ModelVersion = f"{MODEL}@{CHAMPION}",
        *,
        normalize: Normalize = "auto",
        ink: Polarity = "auto",
        reject: float | None = None,
        settings: Settings | None = None,
    ) -> Self:
        """Return the classifier of a version.

        Parameters
        ----------
        reference : str, int or ModelVersion
            ``mnist@champion``, ``mnist/7``, ``@champion``, ``7``. It is resolved once: a later
            promotion changes nothing.
        normalize, ink, reject
            As for the class.
        settings : Settings, optional
            Those of the environment by default; they name the registry.

        Raises
        ------
        registry.NotFoundError
            If there is no such version.
        registry.BlobError
            If its weights are missing or do not match their digest.
        """
        with open_registry(settings, create=False) as registry:
            version = registry.get(full_reference(reference))
            network = NeuralNetwork.from_bytes(registry.load(version.reference))
        return cls(network, normalize=normalize, ink=ink, reject=reject, version=version)

    def __repr__(self) -> str:
        name = self.version.reference if self.version else self.network.sizes
        return f"Classifier({name}, {self._options})"

    @overload
    def read(self, images: str | os.PathLike[str] | bytes) -> Prediction: ...
    @overload
    def read(self, images: list[Any] | tuple[Any, ...]) -> list[Prediction]: ...
    @overload
    def read(self, images: Images) -> Any: ...
    def read(self, images: Images) -> Any:
        """Return what is read in an image, or in each of several.

        An image that cannot be read is no error: its prediction has the reason.

        Returns
        -------
        Prediction, or list of Prediction
        """
        predictions = self._read(images)
        return predictions[0] if is_one_image(images) else predictions

    @overload
    def predict(self, images: str | os.PathLike[str] | bytes) -> int: ...
    @overload
    def predict(self, images: list[Any] | tuple[Any, ...]) -> NDArray[np.intp]: ...
    @overload
    def predict(self, images: Images) -> Any: ...
    def predict(self, images: Images) -> Any:
        """Return the digit of an image, or of each of several.

        Returns
        -------
        int, or ndarray of int, shape (n,)

        Raises
        ------
        InputError
            If an image has no prediction; `read` gives the reason of each.
        """
        digits = [prediction.digit for prediction in _required(self._read(images))]
        return digits[0] if is_one_image(images) else np.array(digits, np.intp)

    def predict_proba(self, images: Images) -> NDArray[np.float32]:
        """Return the probability of each digit.

        Of an image that was normalized it is less sure than the network is: see
        `pipeline.metrics.confidence`.

        Returns
        -------
        ndarray of float32, shape (10,) for one image, (n, 10) for several

        Raises
        ------
        InputError
            If an image has no prediction; `read` gives the reason of each.
        """
        rows = [prediction.probabilities for prediction in _required(self._read(images))]
        probabilities = np.array(rows, np.float32).reshape(-1, self.network.sizes[-1])
        return probabilities[0] if is_one_image(images) else probabilities

    def reader(self, *, split: int | None = None) -> Reader:
        """Return how images are read for this classifier.

        Parameters
        ----------
        split : int, optional
            Number of digits that each image is cut into; 0 if that is not known.
        """
        options = self._options
        return Reader(options.normalize, options.ink, split, judge_of(self.network))

    def answers(self, batch: Batch) -> Answers:
        """Return what is said of images that `reader` has read."""
        return answers_for(self.network, batch, self._options.reject)

    def _read(self, images: Images) -> list[Prediction]:
        each: list[Any] = [images]
        if not is_one_image(images):
            each = list(images)  # type: ignore[arg-type]  # a list, a tuple or an array
        rows = (Row(str(index), UNKNOWN, sheet_of(image)) for index, image in enumerate(each))
        batch = batch_of(rows, len(each), self.reader())
        return _predictions(batch, self.answers(batch))


def _predictions(batch: Batch, answers: Answers) -> list[Prediction]:
    """Return the prediction of each place of a batch."""
    seen, rows = iter(batch.images), iter(answers.probabilities)
    predictions = []
    for index, novelty in enumerate(answers.novelty.tolist()):
        image = None if index in batch.reasons else next(seen)
        reason = answers.reasons.get(index)
        row = None if reason else next(rows)
        predictions.append(
            Prediction(
                digit=None if row is None else int(row.argmax()),
                confidence=None if row is None else float(row.max()),
                reason=reason,
                novelty=None if np.isnan(novelty) else novelty,
                notes=batch.notes.get(index),
                probabilities=row,
                image=image,
            )
        )
    return predictions


def _required(predictions: list[Prediction]) -> list[Prediction]:
    """Return predictions, each of which has a digit."""
    missing = [index for index, each in enumerate(predictions) if each.digit is None]
    if missing:
        first = predictions[missing[0]].reason
        raise InputError(
            f"No prediction for {len(missing)} of {len(predictions)} images; of image "
            f"{missing[0]}: {first}. Classifier.read() gives the reason of each."
        )
    return predictions
