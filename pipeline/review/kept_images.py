"""The reviewed images, kept by their SHA-256: sources may be moved or deleted."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import files
from pipeline.errors import DamagedDataError
from pipeline.images.decoding import UnreadableImageError, decode
from pipeline.images.encoding import png

IMAGES = "images"
"""Directory of the images in the directory of reviews."""


def digest(pixels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of an image as decoded: of its height, its width and its pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width)
        Grey, as `pipeline.images.decoding.decode` returns it. The format of the file does not
        matter, and neither does how a later release normalizes it.
    """
    header = "{}x{}\n".format(*pixels.shape).encode()
    return hashlib.sha256(header + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def relative_path(sha256: str) -> str:
    """Return the file of an image, relative to the directory of reviews."""
    return f"{IMAGES}/{sha256[:2]}/{sha256}.png"


def keep(directory: Path, sha256: str, pixels: NDArray[np.uint8]) -> None:
    """Keep an image on disk, unless it is kept already."""
    path = directory / relative_path(sha256)
    if not path.exists():
        with files.atomic_write(path) as temporary:
            temporary.write_bytes(png(pixels))


def is_kept(directory: Path, sha256: str) -> bool:
    """Return whether an image is kept."""
    return (directory / relative_path(sha256)).exists()


def load(directory: Path, sha256: str) -> NDArray[np.uint8]:
    """Return the pixels of a kept image, shape (height, width).

    Raises
    ------
    DamagedDataError
        If it is missing, or its pixels are not those of the SHA-256.
    """
    path = directory / relative_path(sha256)
    try:
        pixels = decode(path.read_bytes())
    except (OSError, UnreadableImageError) as error:
        raise DamagedDataError(f"{path} cannot be read as a reviewed image ({error}).") from None
    if digest(pixels) != sha256:
        raise DamagedDataError(f"{path} is damaged: its pixels do not match its name.")
    return pixels


def forget(directory: Path, sha256: str) -> None:
    """Remove an image that nobody has decided on."""
    (directory / relative_path(sha256)).unlink(missing_ok=True)
