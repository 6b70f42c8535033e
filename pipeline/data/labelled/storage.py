"""Storing labelled images as Parquet, in files named after the SHA-256 of their contents."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import files
from pipeline.data import parquet
from pipeline.data.labelled.records import LabelledImages, LabelledReference, LabelledSplit
from pipeline.errors import DamagedDataError
from pipeline.images.framing import SIDE

# Images whose SHA-256 starts with a byte below this are held out (one in five).
_HELD_OUT_BELOW = 51


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """An image as it is stored."""

    sha256: str
    """SHA-256 of the pixels."""
    pixels: bytes
    """784 bytes, row by row."""
    label: int
    path: str

    @property
    def is_held_out(self) -> bool:
        """Whether no version is trained on the image."""
        return _is_held_out(self.sha256)


def path_of(directory: Path, sha256: str) -> Path:
    """Return the file of the labelled images with this SHA-256."""
    return directory / f"{sha256}.parquet"


def write(directory: Path, rows: Sequence[LabelledRow]) -> LabelledReference:
    """Write labelled images, in the order of their SHA-256, to a file in a directory."""
    sha256 = _sha256_of((row.sha256, row.label) for row in rows)
    reference = LabelledReference(path_of(directory, sha256), sha256)
    pixels = np.frombuffer(b"".join(row.pixels for row in rows), np.uint8)
    table = pa.table(
        {
            "image": parquet.image_column(pixels.reshape(-1, SIDE, SIDE)),
            "label": pa.array([row.label for row in rows], pa.uint8()),
            "path": [row.path for row in rows],
        }
    )
    with files.atomic_write(reference.path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return reference


def read(path: Path, sha256: str) -> LabelledSplit:
    """Read labelled images, and verify their SHA-256.

    Raises
    ------
    DamagedDataError
        If the file is missing or damaged, or has other images.
    """
    try:
        change_stamp = files.change_stamp(path)
    except OSError as error:
        raise DamagedDataError(f"{path} cannot be read as labelled images ({error}).") from None
    return _read(path, sha256, change_stamp)


# As in `parquet.read`: verified once unless the file changes.
@lru_cache(maxsize=1)
def _read(path: Path, sha256: str, _change_stamp: tuple[int, ...]) -> LabelledSplit:
    examples, (paths,) = parquet.columns(path, "labelled images", "path")
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in examples.images]
    got = _sha256_of(zip(digests, examples.labels.tolist(), strict=True))
    if got != sha256:
        raise DamagedDataError(
            f"{path} is damaged: expected labelled images with the SHA-256 {sha256}, got {got}. "
            "Remove it; a retraining on the same images writes it again."
        )
    is_held_out = np.array([_is_held_out(digest) for digest in digests], bool)
    return LabelledSplit(
        training=_selected(examples, paths, np.flatnonzero(~is_held_out)),
        held_out=_selected(examples, paths, np.flatnonzero(is_held_out)),
    )


def _selected(
    examples: parquet.Examples, paths: Sequence[str], indices: np.ndarray
) -> LabelledImages:
    images, labels = examples.images[indices], examples.labels[indices]
    images.flags.writeable = False
    labels.flags.writeable = False
    return LabelledImages(images, labels, tuple(paths[index] for index in indices))


def _is_held_out(sha256: str) -> bool:
    return int(sha256[:2], 16) < _HELD_OUT_BELOW


def _sha256_of(rows: Iterable[tuple[str, int]]) -> str:
    """Return the SHA-256 of images and labels, given each image's own SHA-256 and its label."""
    digest = hashlib.sha256()
    for image_sha256, label in rows:
        digest.update(f"{image_sha256} {label}\n".encode())
    return digest.hexdigest()
