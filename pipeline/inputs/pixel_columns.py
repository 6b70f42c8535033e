"""Tables with a column for each pixel, as Kaggle's: ``label,pixel0,…,pixel783``."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.images.framing import SIDE

PIXELS = SIDE * SIDE

_LABELS = ("label", "class")

_PIXEL = re.compile(r"(?:pixel|px|p)?[ _-]?\d+(?:x\d+)?", re.IGNORECASE)


class PixelColumns(NamedTuple):
    """The columns of a table that are read, by their indices."""

    pixels: tuple[int, ...]
    """Of the 784 pixels, row by row."""
    label: int | None


def find_pixel_columns(names: Sequence[str]) -> PixelColumns | None:
    """Return the columns of pixels and labels; None if there are not 784 columns of pixels.

    Columns of pixels are called ``pixel0``, ``1x1`` or ``0``, in order, or have no names: then the
    label comes first if there is one.
    """
    names = [name.strip().lower() for name in names]
    label = next((names.index(name) for name in _LABELS if name in names), None)
    if label is None and len(names) == PIXELS + 1 and all(name.isdecimal() for name in names):
        label = 0
    pixels = tuple(
        index for index, name in enumerate(names) if index != label and _PIXEL.fullmatch(name)
    )
    return PixelColumns(pixels, label) if len(pixels) == PIXELS else None
