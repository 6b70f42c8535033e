"""Image sources and their work items: what scoring knows of an input, whatever its type."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Normalize = Literal["auto", "always", "never"]
"""Which images are normalized: those unlike MNIST's, all, or none."""

UNKNOWN = -1
"""The label of an image whose label is unknown."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Images as the network sees them, and the reasons why others cannot be read."""

    paths: Sequence[str]
    """The path that users know each image by, including those that cannot be read."""
    images: NDArray[np.uint8]
    """The images that can be read, in order; shape (n, 28, 28)."""
    reasons: dict[int, str]
    """Why the others cannot be read, by their indices in `paths`."""
    labels: NDArray[np.int8]
    """The label of each path, -1 if it is unknown; shape (len(paths),)."""


class ImageSource(Protocol):
    """Reads images: a frozen dataclass of strings and booleans.

    It can be stored as JSON, and a worker on another machine needs nothing else to read from it.
    """

    @property
    def label_table_sha256(self) -> str | None:
        """The SHA-256 of the label table beside the images, if there is one."""

    def batches(self, keys: Sequence[Any], size: int, normalize: Normalize) -> Iterator[Batch]:
        """Read the images of work items in order, `size` images at a time."""


class WorkItem(NamedTuple):
    """The smallest unit that one task reads."""

    source: ImageSource
    key: Any
    """What the source finds the images by; it can be stored as JSON."""
    images: int
    """Number of images."""
    change_stamp: bytes
    """Changes if the content changes."""
