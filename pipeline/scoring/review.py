"""Low-confidence predictions: the images that a person should review first."""

import base64
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST = 24


@dataclass(frozen=True, slots=True)
class LowConfidence:
    """A low-confidence prediction."""

    path: str
    prediction: int
    confidence: float
    """A fraction in [0, 1]."""
    image: bytes = field(repr=False)
    """As the network saw it: 784 bytes, row by row, 0 paper, 255 ink."""

    def as_json(self) -> list[Any]:
        """Return what JSON can hold."""
        pixels = base64.b64encode(self.image).decode()
        return [self.path, self.prediction, self.confidence, pixels]

    @classmethod
    def from_json(cls, values: Sequence[Any]) -> "LowConfidence":
        """Return the image that gave these values."""
        path, prediction, confidence, pixels = values
        return cls(path, prediction, confidence, base64.b64decode(pixels))


def least_certain(images: Iterable[LowConfidence]) -> tuple[LowConfidence, ...]:
    """Return the least certain of some images, the very least first; at most 24."""
    return tuple(heapq.nsmallest(_MOST, images, key=lambda one: (one.confidence, one.path)))


def least_certain_of(
    paths: Sequence[str], images: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> tuple[LowConfidence, ...]:
    """Return the least certain of images that were scored.

    Parameters
    ----------
    paths : sequence of str
    images : ndarray of uint8, shape (n, 28, 28)
    probabilities : ndarray, shape (n, 10)
    """
    confidence = probabilities.max(axis=1)
    last = min(_MOST, len(confidence)) - 1
    # Of equal confidence more than these may be there: their paths decide.
    limit = np.partition(confidence, last)[last]
    return least_certain(
        LowConfidence(
            paths[place],
            int(probabilities[place].argmax()),
            float(confidence[place]),
            images[place].tobytes(),
        )
        for place in np.flatnonzero(confidence <= limit).tolist()
    )
