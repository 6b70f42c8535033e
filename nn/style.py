"""Random variations of handwriting, so that a network reads other people's hands.

MNIST was written in the United States in about 1990. Elsewhere a 1 has an upstroke and perhaps a
foot, a 7 has a bar, a 0 may have a slash, a 4 is closed and a 6 is angular. No deformation makes
these of MNIST's digits. They are drawn on them, with strokes as wide as the digit's own.
"""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

from collections.abc import Callable, Mapping
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
        # A digit gets at most one stroke of each group.
        self._groups = (
            _Group(
                {
                    0: (style.slash, _slash),
                    1: (style.upstroke, _upstroke),
                    4: (style.closed, _closing),
                    6: (style.angular, _top),
                    7: (style.bar, _bar),
                }
            ),
            _Group({1: (style.foot, _foot)}),
        )

    def __call__(self, images: Array, labels: np.ndarray, rng: np.random.Generator) -> None:
        """Vary each image independently, in place.

        Parameters
        ----------
        images : ndarray of float32, shape (m, h * w)
            In [0, 1], ink bright on dark.
        labels : ndarray of int, shape (m,)
            The digits: they decide what can be drawn.
        """
        # As many numbers for every image, whatever its digit.
        draws = rng.random((len(images), _DRAWS), np.float32)
        if self._style.thickness:
            self._change_thickness(images, draws[:, 0])
        for column, group in enumerate(self._groups, start=1):
            chosen = group.choose(labels, draws[:, column])
            ink = images[chosen].reshape(-1, *self._shape)
            inked = (ink > _INK).any(axis=(1, 2))
            chosen = chosen[inked]
            if len(chosen):
                lines = group.lines(_measured(ink[inked]), labels[chosen], draws[chosen, 3:])
                self._draw(images, chosen, lines)

    def _change_thickness(self, images: Array, draws: Array) -> None:
        """Move pixels towards the brightest, or the darkest, of their neighbours."""
        height, width = self._shape
        change = (2 * draws - 1) * np.float32(self._style.thickness)
        for is_chosen, extreme in ((change > 0, np.maximum), (change < 0, np.minimum)):
            chosen = np.flatnonzero(is_chosen)
            padded = np.zeros((len(chosen), height + 2, width + 2), np.float32)
            inner = padded[:, 1:-1, 1:-1]
            inner[...] = images[chosen].reshape(-1, height, width)
            changed = extreme(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1])
            extreme(changed, padded[:, 1:-1, :-2], out=changed)
            extreme(changed, padded[:, 1:-1, 2:], out=changed)
            extreme(changed, inner, out=changed)
            changed -= inner
            changed *= np.abs(change[chosen])[:, np.newaxis, np.newaxis]
            changed += inner
            images[chosen] = changed.reshape(-1, images.shape[1])

    def _draw(self, images: Array, chosen: NDArray[np.intp], lines: _Lines) -> None:
        """Draw a straight stroke on each of the chosen images."""
        start, end, half_width = lines
        top, left = start.T[..., np.newaxis]
        down, right = (end - start).T[..., np.newaxis]
        y, x = self._y - top, self._x - left
        along = (y * down + x * right) / np.maximum(down**2 + right**2, np.float32(1e-6))
        np.clip(along, 0, 1, out=along)
        y -= along * down
        x -= along * right
        y *= y
        x *= x
        y += x
        ink = np.subtract(half_width[:, np.newaxis] + np.float32(0.5), np.sqrt(y, out=y), out=y)
        np.clip(ink, 0, 1, out=ink)
        images[chosen] = np.maximum(images[chosen], ink, out=ink)


class _Group:
    """Strokes of which a digit gets one at most.

    Parameters
    ----------
    strokes : mapping of int to tuple
        For each digit that has one: its probability, and what computes it.
    """

    def __init__(
        self, strokes: Mapping[int, tuple[float, Callable[[_Measured, Array], _Lines]]]
    ) -> None:
        self._strokes = {digit: stroke for digit, (_, stroke) in strokes.items()}
        # The last is that of all other labels.
        self._probabilities = np.zeros(11, np.float32)
        for digit, (probability, _) in strokes.items():
            self._probabilities[digit] = probability

    def choose(self, labels: np.ndarray, draws: Array) -> NDArray[np.intp]:
        """Return the rows that get a stroke, ordered by their digits."""
        chosen = np.flatnonzero(draws < self._probabilities[np.minimum(labels, 10)])
        return chosen[np.argsort(labels[chosen], kind="stable")]

    def lines(self, digits: _Measured, labels: np.ndarray, draws: Array) -> _Lines:
        """Return the strokes of digits that are ordered by their labels."""
        starts = np.searchsorted(labels, (*self._strokes, 10))
        lines = [
            stroke(digits.rows(slice(start, stop)), draws[start:stop])
            for stroke, start, stop in zip(self._strokes.values(), starts, starts[1:], strict=False)
            if stop > start
        ]
        return _Lines(*map(np.concatenate, zip(*lines, strict=True)))


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
    box: Array
    """First and last row, first and last column, shape ``(4, m)``."""
    half_width: Array
    """Of its strokes."""

    def rows(self, rows: slice) -> _Measured:
        """Return the measures of some of the digits."""
        return _Measured(
            self.inside[rows], self.centres[rows], self.box[:, rows], self.half_width[rows]
        )

    def centre_at(self, row: Array) -> Array:
        """Return the mean column of the ink of one row of each digit."""
        last = self.centres.shape[1] - 1
        rows = np.clip(np.rint(row), 0, last).astype(np.intp)
        centres: Array = self.centres[np.arange(len(rows)), rows]
        return centres

    @property
    def height(self) -> Array:
        """Of its box."""
        height: Array = self.box[1] - self.box[0] + 1
        return height


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
    box = np.stack([*_extent(inside, across=2), *_extent(inside, across=1)])
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
    share = _between(0.2, 0.85, draws[:, 0])
    # A long stroke that is nearly horizontal makes a 7.
    flattest = 20 + 65 * np.maximum(share - np.float32(0.4), 0)
    angle = np.deg2rad(flattest + (65 - flattest) * draws[:, 1])
    length = share * digit.height
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
