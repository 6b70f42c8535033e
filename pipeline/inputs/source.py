"""What scoring knows of an input, whatever its kind."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.images.reading import Reader

UNKNOWN = -1
"""Instead of a label that nobody knows."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some images as the network sees them, with the places where there is none."""

    paths: Sequence[str]
    """By which the user recognises each, scored or not."""
    images: NDArray[np.uint8]
    """Of those that can be scored, in order; shape (n, 28, 28)."""
    reasons: dict[int, str]
    """Why the others cannot, by their places in `paths`."""
    labels: NDArray[np.int8]
    """Of every one, -1 where it is not known; shape (len(paths),)."""
    notes: dict[int, str] = field(default_factory=dict)
    """What was removed from some or done to them, by their places in `paths`."""


class Source(Protocol):
    """Where images are read from: a frozen dataclass of strings and truth values.

    JSON can hold it, and a worker on another machine needs nothing else to read from it.
    """

    @property
    def labels(self) -> str | None:
        """The SHA-256 of the table of labels beside the images, if there is one."""

    def batches(self, keys: Sequence[Any], size: int, reader: Reader) -> Iterator[Batch]:
        """Read what some of its pieces hold, in order, so many images at once."""


class Piece(NamedTuple):
    """The least that is read by one task alone."""

    source: Source
    key: Any
    """By which the source finds it again; JSON can hold it."""
    images: int
    """How many there are in it."""
    stamp: bytes
    """Another one whenever what it holds is another."""
