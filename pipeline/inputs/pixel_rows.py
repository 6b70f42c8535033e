"""Rows of pixels as numbers: checked, and made batches."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.images.framing import SIDE
from pipeline.images.reading import Reader, pixels_as_seen
from pipeline.inputs.labels import UNKNOWN
from pipeline.inputs.source import Batch, Row, batch_of, seen_as_batch
from pipeline.progress import counted

NOT_PIXELS = "pixels outside 0 to 255"


def pixels_of(values: NDArray[Any]) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Return images as bytes, and why some are none, by index.

    Parameters
    ----------
    values : ndarray of numbers or booleans, shape (n, height, width)
        Ink is the largest number or true. Floats of an image that has none above 1 are fractions.
    """
    if values.dtype == np.uint8:
        return values.view(np.uint8), {}
    flat = values.reshape(len(values), -1).astype(np.float32)
    # NaN is neither.
    is_pixels = ((flat >= 0) & (flat <= 255)).all(axis=1)
    if values.dtype.kind in "bf":
        fractions = is_pixels & (flat <= 1).all(axis=1)
        flat[fractions] *= 255
    flat[~is_pixels] = 0
    reasons = dict.fromkeys(np.flatnonzero(~is_pixels).tolist(), NOT_PIXELS)
    return np.rint(flat).astype(np.uint8).reshape(values.shape), reasons


def digit_labels(values: NDArray[Any]) -> NDArray[np.int8]:
    """Return labels; a value that is not a digit becomes unknown."""
    # UNKNOWN is not in the range of unsigned values, so the labels are made in their own type.
    is_digit = np.isin(values, range(10))
    labels = np.full(values.shape, UNKNOWN, np.int8)
    labels[is_digit] = values[is_digit]
    return labels


def pixel_batch(
    paths: list[str],
    pixels: NDArray[np.uint8],
    reasons: Mapping[int, str],
    labels: NDArray[np.int8],
    reader: Reader,
) -> Batch:
    """Return images in one array as a batch.

    Parameters
    ----------
    paths : list of str
    pixels : ndarray of uint8, shape (n, height, width)
    reasons : mapping of int to str
        Why there is no image in some places.
    labels : ndarray of int8, shape (n,)
    reader : Reader
    """
    if pixels.shape[1:] == (SIDE, SIDE) and reader.split is None:
        return seen_as_batch(paths, pixels_as_seen(pixels, reasons, reader), labels, len(paths))
    sheets = (reasons.get(index, image) for index, image in enumerate(counted(pixels)))
    return batch_of(map(Row, paths, labels.tolist(), sheets), len(paths), reader)
