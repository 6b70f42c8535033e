"""Records of labelled images: what was collected, where it is stored, and the images themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Conflict:
    """An image that has several labels; it is not used."""

    labels: tuple[int, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelledReference:
    """The file of some labelled images. Stages pass references, never arrays."""

    path: Path
    sha256: str
    """SHA-256 of the images and their labels; the names of their files do not matter."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What `collect` found."""

    reference: LabelledReference | None
    """The stored images; None if none can be used."""
    training: int
    """Number of images to train on."""
    held_out: int
    """Number of images that no version is trained on."""
    duplicates: int
    """Number of files whose image another file has as well."""
    of_mnist: int
    """Number of images that are in MNIST; they are left out."""
    errors: Mapping[str, int]
    """Number of files that cannot be used, by reason."""
    conflicts: tuple[Conflict, ...]
    """Images with several labels; they are left out."""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the collection whose fields were stored as JSON."""
        reference = values["reference"]
        if reference is not None:
            reference = LabelledReference(Path(reference["path"]), reference["sha256"])
        conflicts = tuple(
            Conflict(tuple(conflict["labels"]), tuple(conflict["paths"]))
            for conflict in values["conflicts"]
        )
        return cls(**{**values, "reference": reference, "conflicts": conflicts})


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images with their labels and paths."""

    images: NDArray[np.uint8]
    """Shape (n, 28, 28): 0 is paper, 255 is ink."""
    labels: NDArray[np.uint8]
    """Shape (n,): 0 to 9."""
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelledSplit:
    """Labelled images in two parts, each in the order of the images' SHA-256."""

    training: LabelledImages
    held_out: LabelledImages
