"""Checks of arguments: each function returns its argument in a uniform type, or raises."""

import math
from collections.abc import Collection, Sequence
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn.errors import InvalidDataError, InvalidParameterError


def layer_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes of two or more layers."""
    layers = tuple(sizes) if isinstance(sizes, Sequence) else ()
    if len(layers) < 2 or not all(_is_integer(size) and size >= 1 for size in layers):
        raise InvalidParameterError("sizes", "two or more integers >= 1", sizes)
    return tuple(int(size) for size in layers)


def choice(name: str, value: str, choices: Collection[str]) -> str:
    """Return one of several words."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidParameterError(name, "one of " + ", ".join(sorted(choices)), value)
    return value


def integer(name: str, value: int, *, minimum: int) -> int:
    """Return an integer that is at least `minimum`."""
    if not _is_integer(value) or value < minimum:
        raise InvalidParameterError(name, f"an integer >= {minimum}", value)
    return int(value)


def positive(name: str, value: float) -> float:
    """Return a finite number greater than 0."""
    if not _is_finite(value) or value <= 0:
        raise InvalidParameterError(name, "a number > 0", value)
    return float(value)


def nonnegative(name: str, value: float) -> float:
    """Return a finite number that is at least 0."""
    if not _is_finite(value) or value < 0:
        raise InvalidParameterError(name, "a number >= 0", value)
    return float(value)


def fraction(name: str, value: float) -> float:
    """Return a number in [0, 1]."""
    if not _is_finite(value) or not 0 <= value <= 1:
        raise InvalidParameterError(name, "a number in [0, 1]", value)
    return float(value)


def below(name: str, value: float, limit: float) -> float:
    """Return a finite number in [0, limit)."""
    if not _is_finite(value) or not 0 <= value < limit:
        raise InvalidParameterError(name, f"a number in [0, {limit:g})", value)
    return float(value)


def dataset(
    images: ArrayLike, labels: ArrayLike, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return images as rows and their labels, shape ``(n,)``."""
    x = image_rows(images, sizes[0])
    return x, class_labels(labels, len(x), sizes[-1])


def class_labels(labels: ArrayLike, count: int, classes: int) -> np.ndarray:
    """Return labels, shape ``(count,)``, each in ``[0, classes)``."""
    y = np.asarray(labels)
    if y.shape != (count,):
        raise InvalidDataError("labels", f"shape ({count},), one for each image", str(y.shape))
    if not np.issubdtype(y.dtype, np.integer):
        raise InvalidDataError("labels", "integers", f"dtype {y.dtype}")
    if y.min() < 0 or y.max() >= classes:
        raise InvalidDataError("labels", f"0 to {classes - 1}", f"{y.min()} to {y.max()}")
    return y


def probability_rows(probabilities: ArrayLike) -> np.ndarray:
    """Return probabilities of classes, shape ``(n, k)``."""
    p = np.asarray(probabilities)
    if p.ndim != 2 or p.size == 0:
        raise InvalidDataError("probabilities", "shape (n, k)", str(p.shape))
    require_fractions("probabilities", p)
    return p


def image_rows(images: ArrayLike, inputs: int) -> np.ndarray:
    """Return images as rows, shape ``(n, inputs)``, still in their own type.

    `scaled` converts them batch by batch, because float32 takes four times the memory of uint8.
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
        require_fractions("images", x)
    return x.reshape(len(x), inputs)


def image_shape(images: ArrayLike, *, distorted: bool) -> tuple[int, int]:
    """Return height and width of each image. Rows count as square images if possible."""
    shape = np.shape(images)
    if len(shape) == 3:
        return shape[1], shape[2]
    side = math.isqrt(shape[1])
    if side * side == shape[1]:
        return side, side
    if distorted:
        raise InvalidDataError("images", "shape (n, h, w), for distortion", str(shape))
    return 1, shape[1]


def scaled(x: np.ndarray, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return a batch as float32 in [0, 1]."""
    if x.dtype == np.uint8:
        rows: NDArray[np.float32] = np.multiply(x, np.float32(1 / 255), out=out)
        return rows
    if out is None:
        return x.astype(np.float32, copy=False)
    np.copyto(out, x, casting="same_kind")
    return out


def require_fractions(name: str, values: np.ndarray) -> None:
    """Check that all values are in [0, 1].

    Raises
    ------
    InvalidDataError
    """
    low, high = values.min(), values.max()
    # NaN fails every comparison, so the condition is that of valid values.
    if not (low >= 0 and high <= 1):
        raise InvalidDataError(name, "floats in [0, 1]", f"{low} to {high}")


def _is_integer(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral)


def _is_finite(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
