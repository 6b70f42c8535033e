"""Records of labelled images: what was collected, where it is stored, and the images themselves."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

MIN_USED = 10
"""Fewer labelled images are taken for a mistake in the labels."""


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

    @property
    def used(self) -> int:
        """Number of images that are trained on or held out."""
        return self.training + self.held_out

    @property
    def left_out(self) -> Mapping[str, int]:
        """Number of files and images that are not used, by reason."""
        reasons = {"in MNIST": self.of_mnist, "several labels": len(self.conflicts), **self.errors}
        return {reason: count for reason, count in reasons.items() if count}

    def require_use(self, source: str) -> None:
        """Check that the labels were of use: a retraining without them would look like success.

        Raises
        ------
        InputError
            If fewer than 10 images, or fewer than half of those with a label, can be used.
        """
        given = self.used + sum(self.left_out.values())
        if self.used >= MIN_USED and 2 * self.used >= given:
            return
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
        raise InputError(
            f"{source}: expected at least {MIN_USED} labelled images, and at least half of those "
            f"given, to be of use; got {self.used:,} of {given:,}"
            + (f" (left out: {reasons})" if reasons else "")
            + ". Correct the labels or the files, or retrain without them."
        )

    def as_json(self) -> dict[str, Any]:
        """Return the fields as values that JSON can represent, without any path of the images.

        A directory of labelled images may be copied or moved.
        """
        reference = {"sha256": self.reference.sha256} if self.reference else None
        return {**asdict(self), "reference": reference}

    @classmethod
    def from_json(cls, values: dict[str, Any], path_of: Callable[[str], Path]) -> Self:
        """Return the collection that `as_json` returned these values for.

        Parameters
        ----------
        values : dict
        path_of : callable
            Returns the file of the images with a SHA-256.
        """
        reference = values["reference"]
        if reference is not None:
            sha256 = reference["sha256"]
            reference = LabelledReference(path_of(sha256), sha256)
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
