"""Lines that are no strokes: borders of cells, combs, rules, squared paper, underlines.

Such a line reaches beyond the digit at both of its ends, and goes on to the edge of the image or
lies around the digit. What crosses it is thicker than the line, and stays.
"""

from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np

from pipeline.images import bars
from pipeline.images.bars import Bar
from pipeline.images.components import Mask, connected
from pipeline.images.levels import uint8

# An image with fewer pixels along its shorter edge has strokes as thin as lines.
_SMALLEST = 20

# Of a line's length: how far it goes on beyond the digit.
_BEYOND = 0.05

# Of the image's side: how near a line ends to the edge, or to the one that it meets.
_NEAR = 0.05

# Of the digit's length: how far into it a line may lie that frames it.
_INTO = 0.1

# Of the thickness of most lines: what is thicker is a stroke.
_THICKER = 1.5

# Of the image's side, and of the largest part: what is long enough to be the digit.
_LONG, _LONG_BESIDE = 0.12, 0.4

# Of the image's height: a digit that lies apart from the edges is higher.
_HIGH = 0.25

Extent = tuple[int, int]
"""First and last row, or column."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What was found."""

    mask: Mask
    """1 at pixels of lines that no stroke crosses."""
    count: int
    is_open: bool = False
    """Whether there is what may be the digit's own foot, or a line that it stands on."""


def find(ink: Mask, *, without_foot: bool = False) -> Lines:
    """Find the lines in a mask of ink.

    Parameters
    ----------
    ink : ndarray of uint8, shape (height, width)
        1 at ink, 0 elsewhere.
    without_foot : bool
        Whether what a digit stands on, and what ends before the edges, is a line. Mostly it is
        the foot of a 2.
    """
    nothing = Lines(np.zeros_like(ink), 0)
    if min(ink.shape) < _SMALLEST:
        return nothing
    across, down = bars.find(ink), bars.find(_turned(ink))
    down = [bar for bar in down if not _is_stroke(bar, across, down, ink.shape[::-1])]
    count = len(across) + len(down)
    if not count:
        return nothing
    rest = ink & ~_removed(ink, across, down)
    digit = _extent_of_digit(rest)
    if digit is None:
        # A stroke that is a bar, as most 1s are; or a cell, and nothing in it. If it ends before
        # the edges, it may be an angular 0.
        is_cell = count > 2
        is_open = not any(bar.ends for bar in chain(across, down))
        return Lines(ink, count, is_open=is_open) if is_cell else nothing
    rows, columns = digit
    is_cut_out = _edges_reached(rows, columns, ink.shape) > 1
    if sum(bar.ends == 2 for bar in chain(across, down)) > 2:
        # No digit has so many strokes from edge to edge.
        is_cut_out = False
    frame_across = [
        bar for bar in across if _is_beside(bar, rows) and _is_met(bar, down, ink.shape)
    ]
    across = [
        bar
        for bar in across
        if _is_beyond(bar, columns, is_cut_out=is_cut_out)
        and (bar.ends == 2 or bar in frame_across or _is_below(bar, rows))
    ]
    down = [
        bar
        for bar in down
        if _is_beyond(bar, rows, is_cut_out=is_cut_out)
        and (bar.ends == 2 or _is_beside(bar, columns))
    ]
    feet = [
        bar for bar in across if bar.ends < 2 and bar not in frame_across and bar.is_touched(rest)
    ]
    if not without_foot:
        across = [bar for bar in across if bar not in feet]
    return Lines(_removed(ink, across, down), len(across) + len(down), is_open=bool(feet))


def _turned(mask: Mask) -> Mask:
    return uint8(cv2.transpose(mask))


def _removed(ink: Mask, across: list[Bar], down: list[Bar]) -> Mask:
    """Return 1 at the pixels of bars that no stroke crosses."""
    found = bars.removed(ink, across)
    # Of the vertical ones the horizontal ones are no strokes.
    return found | _turned(bars.removed(_turned(ink & ~found), down))


def _edges_reached(rows: Extent, columns: Extent, shape: tuple[int, ...]) -> int:
    height, width = shape
    reached = (rows[0] <= 1, columns[0] <= 1, rows[1] >= height - 2, columns[1] >= width - 2)
    return sum(reached)


def _is_beyond(bar: Bar, along: Extent, *, is_cut_out: bool) -> bool:
    """Tell whether a bar goes on beyond the digit, which lies so along it.

    If the digit is cut out by its own box, nothing goes on beyond it, and a bar from edge to edge
    may be a stroke.
    """
    beyond = _BEYOND * (bar.last - bar.first)
    is_longer = along[0] - bar.first >= beyond and bar.last - along[1] >= beyond
    return is_longer or (bar.ends == 2 and not is_cut_out)


def _is_beside(bar: Bar, across: Extent) -> bool:
    into = _INTO * (across[1] - across[0])
    return bar.row < across[0] + into or bar.row > across[1] - into


def _is_met(bar: Bar, others: list[Bar], shape: tuple[int, ...]) -> bool:
    """Tell whether a bar goes on to an edge, or to a bar across it, at both of its ends."""
    reach = _NEAR * shape[1]

    def is_met(end: int) -> bool:
        return any(abs(other.row - end) <= reach + other.thickness for other in others)

    return all(
        min(end, shape[1] - 1 - end) <= reach or is_met(end) for end in (bar.first, bar.last)
    )


def _is_stroke(bar: Bar, across: list[Bar], down: list[Bar], shape: tuple[int, ...]) -> bool:
    """Tell whether a vertical bar is a stroke, as most 1s are: it ends by itself, or is thicker."""
    if bar.ends == 2:
        return False
    if not _is_met(bar, across, shape):
        return True
    others = [other.thickness for other in chain(across, down) if other is not bar]
    return not others or (bar.ends == 0 and bar.thickness > _THICKER * float(np.median(others)))


def _is_below(bar: Bar, rows: Extent) -> bool:
    return bar.row > rows[1] - (_INTO * (rows[1] - rows[0]) if bar.ends == 0 else 0)


def _extent_of_digit(rest: Mask) -> tuple[Extent, Extent] | None:
    """Return rows and columns of all but small parts, and of none at the edges if there are others.

    What is at the edges beside a digit is the walls of a comb, or neighbours.
    """
    _, _, stats, _ = connected(rest)
    left, top, across, down = stats[1:, : cv2.CC_STAT_AREA].T
    right, bottom = left + across, top + down
    extent = np.maximum(across, down)
    if not len(extent):
        return None
    is_large = extent >= max(_LONG * min(rest.shape), _LONG_BESIDE * extent.max())
    height, width = rest.shape
    is_inside = (left > 1) & (top > 1) & (right < width - 1) & (bottom < height - 1)
    if (down[is_large & is_inside] > _HIGH * height).any():
        is_large &= is_inside
    if not is_large.any():
        return None
    return (
        (int(top[is_large].min()), int(bottom[is_large].max()) - 1),
        (int(left[is_large].min()), int(right[is_large].max()) - 1),
    )
