"""What the network accepts: each function returns its argument made uniform, or raises."""

import math
from collections.abc import Collection, Sequence
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn.errors import InvalidDataError, InvalidParameterError


def layer_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes of two or more layers."""
    layers = tuple(sizes) if isinstance(sizes, Sequence) else ()
    if len(layers) < 2 or not all(_is_whole(size) and size >= 1 for size in layers):
        raise InvalidParameterError("sizes", "two or more whole numbers from 1", sizes)
    return tuple(int(size) for size in layers)


def choice(name: str, value: str, choices: Collection[str]) -> str:
    """Return one of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidParameterError(name, "one of " + ", ".join(sorted(choices)), value)
    return value


def whole(name: str, value: int, *, least: int) -> int:
    """Return a whole number from `least`."""
    if not _is_whole(value) or value < least:
        raise InvalidParameterError(name, f"a whole number from {least}", value)
    return int(value)


def positive(name: str, value: float) -> float:
    """Return a finite number above 0."""
    if not _is_finite(value) or value <= 0:
        raise InvalidParameterError(name, "a number above 0", value)
    return float(value)


def not_negative(name: str, value: float) -> float:
    """Return a finite number from 0."""
    if not _is_finite(value) or value < 0:
        raise InvalidParameterError(name, "a number from 0", value)
    return float(value)


def dataset(
    images: ArrayLike, labels: ArrayLike, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return images as rows and their labels, shape ``(n,)``."""
    x = image_rows(images, sizes[0])
    y = np.asarray(labels)
    if y.shape != (len(x),):
        raise InvalidDataError("labels", f"shape ({len(x)},), one for each image", str(y.shape))
    if not np.issubdtype(y.dtype, np.integer):
        raise InvalidDataError("labels", "whole numbers", f"dtype {y.dtype}")
    if y.min() < 0 or y.max() >= sizes[-1]:
        raise InvalidDataError("labels", f"0 to {sizes[-1] - 1}", f"{y.min()} to {y.max()}")
    return x, y


def image_rows(images: ArrayLike, inputs: int) -> np.ndarray:
    """Return images as rows, shape ``(n, inputs)``, still in their own type.

    They are converted batch by batch, by `scaled`: float32 takes four times the memory of uint8.
    """
    x = np.asarray(images)
    if x.ndim not in {2, 3} or math.prod(x.shape[1:]) != inputs:
        expected = f"shape (n, {inputs})"
        side = math.isqrt(inputs)
        if side * side == inputs:
            expected += f" or (n, {side}, {side})"
        raise InvalidDataError("images", expected, str(x.shape))
    if len(x) == 0:
        raise InvalidDataError("images", "at least one", "none")
    if x.dtype != np.uint8:
        if not np.issubdtype(x.dtype, np.floating):
            raise InvalidDataError("images", "uint8 or floats in [0, 1]", f"dtype {x.dtype}")
        low, high = x.min(), x.max()
        # NaN fails every comparison, so it must be the wanted ones that are asked.
        if not (low >= 0 and high <= 1):
            raise InvalidDataError("images", "floats in [0, 1]", f"{low} to {high}")
    return x.reshape(len(x), inputs)


def scaled(x: np.ndarray) -> NDArray[np.float32]:
    """Return a batch as float32 in [0, 1]."""
    if x.dtype == np.uint8:
        return x * np.float32(1 / 255)
    return x.astype(np.float32, copy=False)


def _is_whole(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral)


def _is_finite(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
