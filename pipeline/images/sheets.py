"""Whatever holds an image as grey pixels: a path, the bytes of a file, an array, a Pillow image."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.images.decoding import UnreadableImageError, grey_of_colours
from pipeline.images.reading import Sheet, read_bytes, sheet

if TYPE_CHECKING:
    import PIL.Image

    ImageLike = str | os.PathLike[str] | bytes | NDArray[Any] | PIL.Image.Image
    """One image."""
    Images = ImageLike | list[Any] | tuple[Any, ...]
    """One image, or several in a list, a tuple or an array."""

_FILES = (str, os.PathLike, bytes, bytearray, memoryview)

# An array whose last axis has so many places is one image: grey, with alpha, RGB, with alpha.
_CHANNELS = (1, 2, 3, 4)

# Pixels of an image of MNIST, which is often a row of a table.
_ROW = 784

_EXPECTED = "a path, the bytes of an image file, an array or a Pillow image"


def is_one_image(images: Images) -> bool:
    """Return whether this is one image, and not several.

    An array of three axes is one image if its last axis is that of the colours.
    """
    if isinstance(images, _FILES) or _is_pillow(images):
        return True
    if isinstance(images, list | tuple):
        return False
    if not hasattr(images, "__array__"):
        raise InputError(f"Expected {_EXPECTED}, or a list of these; got {type(images).__name__}.")
    shape = np.asarray(images).shape
    if len(shape) == 2 and shape[1] == _ROW:
        raise InputError(
            f"An array of shape {shape} may be {shape[0]} images or one. "
            "Pass array.reshape(-1, 28, 28) for images of MNIST's size, [array] for one image."
        )
    return len(shape) == 2 or (len(shape) == 3 and shape[-1] in _CHANNELS)


def sheet_of(image: ImageLike) -> Sheet:
    """Return one image as grey pixels, or the reason why there are none.

    Raises
    ------
    InputError
        If this is no image, or an array whose pixels have no known meaning.
    """
    if isinstance(image, str | os.PathLike):
        try:
            return sheet(read_bytes(os.fspath(image)))
        except UnreadableImageError as error:
            return error.reason
    if isinstance(image, bytes | bytearray | memoryview):
        return sheet(bytes(image))
    if _is_pillow(image):
        return _grey(_pixels_of_pillow(image))
    if not hasattr(image, "__array__"):
        raise InputError(f"Expected {_EXPECTED}, got {type(image).__name__}.")
    return _grey(np.asarray(image))


def _grey(pixels: NDArray[Any]) -> Sheet:
    shape = pixels.shape
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] in _CHANNELS)) or 0 in shape:
        raise InputError(
            "Expected an image as an array of shape (height, width), or (height, width, 1 to 4) "
            f"for grey or RGB, with or without alpha; got {shape}."
        )
    return grey_of_colours(_eight_bits(pixels))


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels as uint8; type and largest value say which scale they have."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind not in "biuf":
        raise InputError(f"Expected pixels as integers or floats, got {pixels.dtype}.")
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype.kind in "bf" and low >= 0 and high <= 1:
        white = 1
    elif low >= 0 and high <= 255:
        white = 255
    elif pixels.dtype == np.uint16:
        white = 65535
    else:
        raise InputError(
            f"Expected pixels in [0, 255], or floats in [0, 1], got {low:g} to {high:g} "
            f"({pixels.dtype})."
        )
    eight_bits: NDArray[np.uint8] = np.rint(pixels * (255 / white)).astype(np.uint8)
    return eight_bits


def _is_pillow(image: object) -> TypeGuard[PIL.Image.Image]:
    # Who has such an image has imported Pillow; nobody else needs it.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _pixels_of_pillow(image: PIL.Image.Image) -> NDArray[Any]:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode in {"1", "P", "PA"}:
        upright = upright.convert("L" if upright.mode == "1" else "RGBA")
    elif upright.mode in {"CMYK", "YCbCr", "LAB", "HSV", "RGBX"}:
        upright = upright.convert("RGB")
    return np.asarray(upright)
