"""Random variations of handwriting, so that a network reads other people's hands.

MNIST was written in the United States in about 1990. Elsewhere a 1 has an upstroke and perhaps a
foot, a 7 has a bar, a 0 may have a slash, a 4 is closed and a 6 is angular. No deformation makes
these of MNIST's digits. They are drawn on them, with strokes as wide as the digit's own.
"""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn import validation
from nn.activations import Array

# Brighter pixels are inside a stroke.
_INK = 0.5

# Half of the width of a stroke, pixels.
_THINNEST, _THICKEST = 0.6, 2.0

# Random numbers per image.
_DRAWS = 6


@dataclass(frozen=True, slots=True)
class Style:
    """Probabilities of the variations of each digit; the labels are the digits.

    Raises
    ------
    InvalidParameterError
        If a value is outside [0, 1].
    """

    upstroke: float = 0.4
    """Of a 1: a stroke from its top, down to the left."""
    foot: float = 0.1
    """Of a 1: a horizontal stroke at its bottom."""
    bar: float = 0.3
    """Of a 7: a stroke through the middle of its stem."""
    slash: float = 0.03
    """Of a 0: a stroke through it, from the lower left to the upper right."""
    closed: float = 0.02
    """Of a 4: a stroke from the top of its left arm to the top of its stem."""
    angular: float = 0.1
    """Of a 6: a horizontal stroke from its top to the right, as a square 6 has."""
    thickness: float = 0.3
    """Limit of the change of every digit's strokes: 1 makes them thicker or thinner by a pixel on
    each side. It is drawn uniformly between -limit and +limit."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = validation.fraction(f"style.{field.name}", getattr(self, field.name))
            # The class is frozen for users. Any type of number becomes a float.
            object.__setattr__(self, field.name, value)


class Styler:
    """Varies the style of images of one shape."""

    def __init__(self, style: Style, shape: tuple[int, int]) -> None:
        self._style = style
        self._shape = shape
        y, x = np.indices(shape, np.float32)
        self._y, self._x = y.ravel(), x.ravel()

    def __call__(self, images: Array, labels: np.ndarray, rng: np.random.Generator) -> None:
        """Vary each image independently, in place.

        Parameters
        ----------
        images : ndarray of float32, shape (m, h * w)
            In [0, 1], ink bright on dark.
        labels : ndarray of int, shape (m,)
            The digits: they decide what can be drawn.
        """
        style = self._style
        # As many numbers for every image, whatever its digit.
        draws = rng.random((len(images), _DRAWS), np.float32)
        if style.thickness:
            self._change_thickness(images, draws[:, 0])
        for digit, column, probability, stroke in (
            (1, 1, style.upstroke, _upstroke),
            (1, 2, style.foot, _foot),
            (7, 1, style.bar, _bar),
            (0, 1, style.slash, _slash),
            (4, 1, style.closed, _closing),
            (6, 1, style.angular, _top),
        ):
            chosen = np.flatnonzero((labels == digit) & (draws[:, column] < probability))
            if len(chosen):
                ink = images[chosen].reshape(-1, *self._shape)
                inked = (ink > _INK).any(axis=(1, 2))
                chosen, ink = chosen[inked], ink[inked]
                self._draw(images, chosen, stroke(_measured(ink), draws[chosen, 3:]))

    def _change_thickness(self, images: Array, draws: Array) -> None:
        """Move pixels towards the brightest, or the darkest, of their neighbours."""
        change = (2 * draws - 1) * np.float32(self._style.thickness)
        for is_chosen, extreme in ((change > 0, np.maximum), (change < 0, np.minimum)):
            chosen = np.flatnonzero(is_chosen)
            padded = np.pad(images[chosen].reshape(-1, *self._shape), ((0, 0), (1, 1), (1, 1)))
            changed = padded[:, 1:-1, 1:-1].copy()
            for neighbours in (
                padded[:, :-2, 1:-1],
                padded[:, 2:, 1:-1],
                padded[:, 1:-1, :-2],
                padded[:, 1:-1, 2:],
            ):
                extreme(changed, neighbours, out=changed)
            changed -= padded[:, 1:-1, 1:-1]
            changed *= np.abs(change[chosen])[:, np.newaxis, np.newaxis]
            images[chosen] += changed.reshape(-1, images.shape[1])
        np.clip(images, 0, 1, out=images)

    def _draw(self, images: Array, chosen: NDArray[np.intp], lines: _Lines) -> None:
        """Draw a straight stroke on each of the chosen images."""
        start, end, half_width = lines
        top, left = start.T[..., np.newaxis]
        down, right = (end - start).T[..., np.newaxis]
        y, x = self._y - top, self._x - left
        along = (y * down + x * right) / np.maximum(down**2 + right**2, np.float32(1e-6))
        np.clip(along, 0, 1, out=along)
        distance = np.hypot(y - along * down, x - along * right)
        ink = np.clip(half_width[:, np.newaxis] + np.float32(0.5) - distance, 0, 1)
        images[chosen] = np.maximum(images[chosen], ink)


class _Lines(NamedTuple):
    """A straight stroke for each image, in pixels."""

    start: Array
    """Row and column, shape ``(m, 2)``."""
    end: Array
    """Shape ``(m, 2)``."""
    half_width: Array
    """Shape ``(m,)``."""


class _Measured(NamedTuple):
    """What is known of the digits on which strokes are drawn, for each; rows and columns."""

    inside: NDArray[np.bool_]
    """Which pixels are ink, shape ``(m, h, w)``."""
    centres: Array
    """Mean column of the ink of each row, shape ``(m, h)``."""
    box: tuple[Array, Array, Array, Array]
    """First and last row, first and last column."""
    half_width: Array
    """Of its strokes."""

    def centre_at(self, row: Array) -> Array:
        """Return the mean column of the ink of one row of each digit."""
        last = self.centres.shape[1] - 1
        rows = np.clip(np.rint(row), 0, last).astype(np.intp)
        centres: Array = self.centres[np.arange(len(rows)), rows]
        return centres

    @property
    def height(self) -> Array:
        """Of its box."""
        return self.box[1] - self.box[0] + 1


def _measured(ink: Array) -> _Measured:
    """Measure digits, shape ``(m, h, w)``, each of which has ink."""
    inside = ink > _INK
    of_rows = ink.sum(axis=2)
    columns = np.arange(ink.shape[2], dtype=np.float32)
    centres = (ink @ columns) / np.maximum(of_rows, np.float32(1e-6))
    # The width is twice the area for the length of the outline. An outline in steps is longer than
    # it is: by 4/pi, on average over all directions.
    steps = sum(np.abs(np.diff(ink, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
    half_width = of_rows.sum(axis=1) * np.float32(4 / np.pi) / np.maximum(steps, 1)
    half_width = np.clip(half_width, _THINNEST, _THICKEST)
    box = (*_extent(inside, across=2), *_extent(inside, across=1))
    return _Measured(inside, centres, box, half_width)


def _extent(inside: NDArray[np.bool_], across: int) -> tuple[Array, Array]:
    """Return the first and the last line with ink of each digit."""
    by_line = np.asarray(inside.any(axis=across))
    last = by_line.shape[1] - 1 - by_line[:, ::-1].argmax(axis=1)
    return by_line.argmax(axis=1).astype(np.float32), last.astype(np.float32)


def _between(low: float, high: float, draws: Array) -> Array:
    values: Array = np.float32(low) + np.float32(high - low) * draws
    return values


def _points(rows: Array, columns: Array) -> Array:
    return np.stack([rows, columns], axis=1)


def _upstroke(digit: _Measured, draws: Array) -> _Lines:
    top = digit.box[0] + 1
    column = digit.centre_at(top)
    length = _between(0.2, 0.55, draws[:, 0]) * digit.height
    angle = np.deg2rad(_between(20, 65, draws[:, 1]))
    end = _points(top + length * np.sin(angle), column - length * np.cos(angle))
    return _Lines(_points(top, column), end, digit.half_width)


def _foot(digit: _Measured, draws: Array) -> _Lines:
    bottom = digit.box[1] - 1
    column = digit.centre_at(bottom)
    left, right = (_between(0.1, 0.3, draws[:, side]) * digit.height for side in (0, 1))
    return _Lines(_points(bottom, column - left), _points(bottom, column + right), digit.half_width)


def _bar(digit: _Measured, draws: Array) -> _Lines:
    row = digit.box[0] + _between(0.4, 0.65, draws[:, 0]) * digit.height
    column = digit.centre_at(row)
    reach = _between(0.12, 0.28, draws[:, 1]) * digit.height
    rise = reach * _between(-0.3, 0.5, draws[:, 2])
    return _Lines(
        _points(row + rise, column - reach), _points(row - rise, column + reach), digit.half_width
    )


def _slash(digit: _Measured, draws: Array) -> _Lines:
    first_row, last_row, first_column, last_column = digit.box
    share = _between(0.7, 1.15, draws[:, 0]) / 2
    narrower = share * _between(0.7, 1, draws[:, 1])
    row, column = (first_row + last_row) / 2, (first_column + last_column) / 2
    down, right = share * (last_row - first_row), narrower * (last_column - first_column)
    return _Lines(
        _points(row + down, column - right),
        _points(row - down, column + right),
        digit.half_width,
    )


def _top(digit: _Measured, draws: Array) -> _Lines:
    top = digit.box[0] + 1
    column = digit.centre_at(top)
    right = _between(0.2, 0.5, draws[:, 0]) * digit.height
    down = right * _between(-0.15, 0.15, draws[:, 1])
    return _Lines(_points(top, column), _points(top + down, column + right), digit.half_width)


def _closing(digit: _Measured, draws: Array) -> _Lines:
    middle = ((digit.box[2] + digit.box[3]) / 2)[:, np.newaxis]
    columns = np.arange(digit.inside.shape[2])
    ends: list[Array] = []
    for is_side in (columns < middle, columns >= middle):
        side: NDArray[np.bool_] = digit.inside & is_side[:, np.newaxis, :]
        row = side.any(axis=2).argmax(axis=1)
        ink = side[np.arange(len(row)), row]
        column = (ink @ columns.astype(np.float32)) / np.maximum(ink.sum(axis=1), 1)
        # Within the stroke, not at its very end.
        lower = row + _between(0.5, 2, draws[:, len(ends)])
        ends.append(_points(lower, column.astype(np.float32)))
    return _Lines(ends[0], ends[1], digit.half_width)
