"""The evaluation of predictions on labelled images: confusion matrix, accuracy, worst mistakes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.metrics.counts import DIGITS

_MAX_MISTAKES = 24


@dataclass(frozen=True, slots=True)
class Mistake:
    """An image whose prediction is wrong."""

    image: bytes = field(repr=False)
    """784 bytes, row by row: 0 is paper, 255 is ink."""
    label: int
    prediction: int
    confidence: float
    """Confidence of the prediction, in [0, 1]."""
    location: str
    """Where the image is, such as ``training image 123`` or the path of a file."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Right and wrong predictions of images with labels; small enough to send between processes."""

    confusion: tuple[tuple[int, ...], ...]
    """Counts, 10 by 10: rows by label, columns by prediction."""
    mistakes: tuple[Mistake, ...]
    """The most confident mistakes, in descending confidence; at most 24."""
    correct: bytes = field(repr=False)
    """For each image, in order: 1 if the prediction is right, 0 if it is wrong."""

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.correct)

    @property
    def wrong(self) -> int:
        """Number of wrong predictions."""
        return self.correct.count(0)

    @property
    def accuracy(self) -> float:
        """Accuracy, a fraction in [0, 1]."""
        return self.correct.count(1) / self.images

    @property
    def recall(self) -> tuple[float | None, ...]:
        """Recall of each digit, a fraction in [0, 1]; None if there is no image of it."""
        return tuple(
            row[digit] / total if (total := sum(row)) else None
            for digit, row in enumerate(self.confusion)
        )


def discordant(first: Evaluation, second: Evaluation) -> tuple[int, int]:
    """Return the numbers of images that only the first, and only the second, predicted right.

    Both evaluations must be of the same images, in the same order.
    """
    a, b = (np.frombuffer(one.correct, np.uint8) for one in (first, second))
    return int(np.count_nonzero(a > b)), int(np.count_nonzero(a < b))


def evaluate(
    probabilities: NDArray[np.float32],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    location: Callable[[int], str],
) -> Evaluation:
    """Compare predictions with labels.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 10)
    images : ndarray of uint8, shape (n, 28, 28)
    labels : ndarray of uint8, shape (n,)
    location : callable
        Returns where an image is, by its index.

    Raises
    ------
    InputError
        If there is no image.
    """
    if not len(labels):
        raise InputError("There is nothing to evaluate: expected labelled images, got none.")
    predictions = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    correct = predictions == labels
    confusion = np.zeros((DIGITS, DIGITS), np.int64)
    np.add.at(confusion, (labels, predictions), 1)
    wrong = np.flatnonzero(~correct)
    # Mistakes of equal confidence stay in order.
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MAX_MISTAKES]
    return Evaluation(
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        mistakes=tuple(
            Mistake(
                image=images[number].tobytes(),
                label=int(labels[number]),
                prediction=int(predictions[number]),
                confidence=float(confidence[number]),
                location=location(int(number)),
            )
            for number in worst
        ),
        correct=correct.astype(np.uint8).tobytes(),
    )
