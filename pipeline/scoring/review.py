"""Low-confidence predictions: the images that a person should review first."""

import base64
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_PREDICTIONS = 24


@dataclass(frozen=True, slots=True)
class LowConfidence:
    """A low-confidence prediction."""

    path: str
    prediction: int
    confidence: float
    """A fraction in [0, 1]."""
    image: bytes = field(repr=False)
    """The image as the network saw it: 784 bytes, row by row; 0 is paper, 255 is ink."""

    def as_json(self) -> list[Any]:
        """Return values that JSON can represent."""
        pixels = base64.b64encode(self.image).decode()
        return [self.path, self.prediction, self.confidence, pixels]

    @classmethod
    def from_json(cls, values: Sequence[Any]) -> "LowConfidence":
        """Return the prediction that `as_json` returned these values for."""
        path, prediction, confidence, pixels = values
        return cls(path, prediction, confidence, base64.b64decode(pixels))


def least_certain(predictions: Iterable[LowConfidence]) -> tuple[LowConfidence, ...]:
    """Return the least certain of some predictions, in ascending confidence; at most 24."""
    return tuple(
        heapq.nsmallest(
            _MAX_PREDICTIONS, predictions, key=lambda each: (each.confidence, each.path)
        )
    )


def least_certain_of(
    paths: Sequence[str], images: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> tuple[LowConfidence, ...]:
    """Return the least certain predictions of some images.

    Parameters
    ----------
    paths : sequence of str
    images : ndarray of uint8, shape (n, 28, 28)
    probabilities : ndarray, shape (n, 10)
    """
    confidence = probabilities.max(axis=1)
    last = min(_MAX_PREDICTIONS, len(confidence)) - 1
    # There may be more than these of equal confidence; `least_certain` decides by path.
    limit = np.partition(confidence, last)[last]
    return least_certain(
        LowConfidence(
            paths[index],
            int(probabilities[index].argmax()),
            float(confidence[index]),
            images[index].tobytes(),
        )
        for index in np.flatnonzero(confidence <= limit).tolist()
    )
