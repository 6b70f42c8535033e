"""Mergeable counts over predictions."""

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.images.framing import SIDE

DIGITS = 10

BINS = 20
"""Number of bins of confidence, each 0.05 wide."""

INK_BINS = 12
"""Number of bins of ink, each 0.02 wide, from 0.02 to 0.26; the outer bins take the rest."""


def _zeros(*shape: int) -> NDArray[np.int64]:
    return np.zeros(shape, np.int64)


@dataclass
class PredictionCounts:
    """Counts over the images of one shard or of several."""

    files: int = 0
    """Images, including those without a prediction."""
    digits: NDArray[np.int64] = field(default_factory=lambda: _zeros(DIGITS))
    """Images predicted as each digit."""
    confidence: NDArray[np.float64] = field(default_factory=lambda: np.zeros(DIGITS))
    """Sum of the confidence of these predictions, by digit."""
    variance: float = 0.0
    """Sum of ``c * (1 - c)`` over the confidences c. If they are calibrated, this is the variance
    of the number of right predictions."""
    histogram: NDArray[np.int64] = field(default_factory=lambda: _zeros(BINS))
    """Predictions by confidence."""
    labelled_histogram: NDArray[np.int64] = field(default_factory=lambda: _zeros(BINS))
    """Predictions of images with a label, by confidence."""
    correct_histogram: NDArray[np.int64] = field(default_factory=lambda: _zeros(BINS))
    """Those of them that are right, by confidence."""
    labelled_confidence: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))
    """Sum of the confidence of predictions of images with a label, by confidence."""
    ink: NDArray[np.int64] = field(default_factory=lambda: _zeros(INK_BINS))
    """Images by their mean pixel; 0 is paper and 1 is ink."""
    confusion: NDArray[np.int64] = field(default_factory=lambda: _zeros(DIGITS, DIGITS))
    """Images with a label: rows by label, columns by prediction."""
    novel: int = 0
    """Images that do not look like one digit."""
    errors: Counter[str] = field(default_factory=Counter)
    """Images without a prediction, by reason."""

    def add(
        self,
        images: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
        labels: NDArray[np.int8],
    ) -> None:
        """Count images and their predictions.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, 28, 28)
        probabilities : ndarray, shape (n, 10)
        labels : ndarray of int, shape (n,)
            Negative if unknown.
        """
        predictions, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        self.digits += np.bincount(predictions, minlength=DIGITS)
        self.confidence += np.bincount(predictions, weights=confidence, minlength=DIGITS)
        self.variance += float((confidence * (1 - confidence)).sum(dtype=np.float64))
        self._add_by_confidence(predictions, confidence, labels)
        ink = images.reshape(len(images), -1).sum(axis=1, dtype=np.uint32) / (255 * SIDE * SIDE)
        bins = np.clip((ink * 50).astype(np.intp) - 1, 0, INK_BINS - 1)
        self.ink += np.bincount(bins, minlength=INK_BINS)
        known = labels >= 0
        pairs = labels[known].astype(np.intp) * DIGITS + predictions[known]
        self.confusion += np.bincount(pairs, minlength=DIGITS**2).reshape(DIGITS, DIGITS)

    def _add_by_confidence(
        self,
        predictions: NDArray[np.intp],
        confidence: NDArray[np.float32],
        labels: NDArray[np.int8],
    ) -> None:
        bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
        self.histogram += np.bincount(bins, minlength=BINS)
        known, right = labels >= 0, labels == predictions
        self.labelled_histogram += np.bincount(bins[known], minlength=BINS)
        self.correct_histogram += np.bincount(bins[right], minlength=BINS)
        self.labelled_confidence += np.bincount(bins[known], confidence[known], minlength=BINS)

    def __iadd__(self, other: Self) -> Self:
        self.files += other.files
        self.digits += other.digits
        self.confidence += other.confidence
        self.variance += other.variance
        self.histogram += other.histogram
        self.labelled_histogram += other.labelled_histogram
        self.correct_histogram += other.correct_histogram
        self.labelled_confidence += other.labelled_confidence
        self.ink += other.ink
        self.confusion += other.confusion
        self.novel += other.novel
        self.errors += other.errors
        return self

    @property
    def predicted(self) -> int:
        """Number of images with a prediction."""
        return int(self.digits.sum())

    @property
    def labelled(self) -> int:
        """Number of images with a prediction and a label."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """Number of those whose prediction is right."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float | None:
        """Accuracy, a fraction in [0, 1]; None if no image has a label."""
        return self.correct / self.labelled if self.labelled else None

    def as_json(self) -> dict[str, Any]:
        """Return the counts as values that JSON can represent."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the counts that `as_json` returned these values for."""
        return cls(
            files=values["files"],
            digits=np.array(values["digits"], np.int64),
            confidence=np.array(values["confidence"], np.float64),
            variance=values["variance"],
            histogram=np.array(values["histogram"], np.int64),
            labelled_histogram=np.array(values["labelled_histogram"], np.int64),
            correct_histogram=np.array(values["correct_histogram"], np.int64),
            labelled_confidence=np.array(values["labelled_confidence"], np.float64),
            ink=np.array(values["ink"], np.int64),
            confusion=np.array(values["confusion"], np.int64),
            novel=values["novel"],
            errors=Counter(values["errors"]),
        )
