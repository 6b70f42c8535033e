"""Lines that were printed or ruled: borders of cells, combs, squared paper, underlines.

A line is long, thin and straight, and reaches beyond the digit at both of its ends. What is
thicker across it than the line itself is a stroke that crosses, and stays.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]

# Of the image's side: how long a line is at least, how thick at most, and how near to the edge it
# ends.
_LONG = 0.55
_THICK = 0.085
_NEAR = 0.04

# A bar of this share of the side is what lines are searched with: the shorter, the more they may
# lean; longer than a stroke is thick.
_BAR = 0.18

# How far beyond the digit a line goes on, of its length.
_BEYOND = 0.05

# How much a line leans at most: it falls so much for each pixel across.
_LEAN = 0.08

_SMALLEST = 20


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A line, or a stroke that looks like one, in an image turned so that it is horizontal."""

    part: Mask
    """1 at its pixels, in its box."""
    box: tuple[slice, slice]
    first: int
    last: int
    ends: int
    """How many of its ends are at the edge of the image."""
    thickness: int
    middle: float


@dataclass(frozen=True, slots=True)
class Lines:
    """What was found."""

    removed: Mask
    """1 at pixels of a line that no stroke crosses."""
    count: int
    is_open: bool = False
    """Whether there is what may be the digit's own foot, or a line below it."""


def find(mask: Mask, *, without_underline: bool = False) -> Lines:
    """Find lines in a mask of ink.

    Parameters
    ----------
    mask : ndarray of uint8, shape (height, width)
        1 at ink, 0 elsewhere.
    without_underline : bool
        Whether a line below the digit is one if the digit stands on it and it ends before the
        edges: most often it is the foot of a 2.
    """
    nothing = Lines(np.zeros_like(mask), 0)
    if min(mask.shape) < _SMALLEST:
        return nothing
    across = _candidates(mask)
    down = _candidates(np.ascontiguousarray(cv2.transpose(mask)))
    if not across and not down:
        return nothing
    rest = mask & ~_removed(mask, across, down) & 1
    box = _box_of_large(rest)
    if box is None:
        # Only lines: a stroke that is one, as most 1s are, or an empty cell.
        count = len(across) + len(down)
        return Lines(mask, count) if count > 2 else nothing
    top, bottom, left, right = box
    height, width = mask.shape
    at_edges = sum((top <= 1, left <= 1, bottom >= height - 2, right >= width - 2))
    if sum(line.ends == 2 for line in (*across, *down)) > 2:
        # No digit has so many strokes from edge to edge.
        at_edges = 0
    rest_rows, rest_columns = (top, bottom), (left, right)
    outside = sum(_is_outside(line, rest_rows) for line in across)
    outside += sum(_is_outside(line, rest_columns) for line in down)
    across = [
        line
        for line in across
        if _is_line(line, rest_columns, at_edges)
        and (line.ends == 2 or _is_framing(line, rest_rows, outside, is_below=True))
    ]
    down = [
        line
        for line in down
        if _is_line(line, rest_rows, at_edges)
        and (line.ends == 2 or _is_framing(line, rest_columns, outside, is_below=False))
    ]
    standing = [line for line in across if line.ends < 2 and outside < 3 and _is_stood_on(rest, line)]
    if standing and not without_underline:
        across = [line for line in across if line not in standing]
    if not across and not down:
        return Lines(nothing.removed, 0, bool(standing))
    return Lines(_removed(mask, across, down), len(across) + len(down), bool(standing))


def _is_stood_on(rest: Mask, line: _Candidate) -> bool:
    """Tell whether strokes end on a line."""
    reach = line.thickness + 3
    rows, columns = line.box
    zone = rest[max(0, rows.start - reach) : rows.stop + reach, columns]
    near = np.zeros_like(zone)
    inner = rows.start - max(0, rows.start - reach)
    near[inner : inner + line.part.shape[0]] = line.part
    return bool((zone & cv2.dilate(near, np.ones((2 * reach + 1, 1), np.uint8))).any())


def _is_line(line: _Candidate, along: tuple[int, int], at_edges: int) -> bool:
    """Tell a line from a stroke by where the rest of the ink is along it."""
    beyond = _BEYOND * (line.last - line.first)
    if along[0] - line.first >= beyond and line.last - along[1] >= beyond:
        return True
    return line.ends == 2 and at_edges < 2


def _is_outside(line: _Candidate, across: tuple[int, int]) -> bool:
    tolerance = 0.1 * (across[1] - across[0])
    return line.middle < across[0] + tolerance or line.middle > across[1] - tolerance


def _is_framing(
    line: _Candidate, across: tuple[int, int], outside: int, *, is_below: bool
) -> bool:
    """Tell whether a line that ends before the edge is part of a frame, or is drawn below."""
    if not _is_outside(line, across):
        return False
    if line.ends == 1:
        return outside > 1 or (is_below and line.middle > across[1])
    return outside > 2 or (is_below and line.middle > across[1] - 0.1 * (across[1] - across[0]))


def _candidates(mask: Mask) -> list[_Candidate]:
    height, width = mask.shape
    bar = max(5, round(_BAR * width))
    # A line that leans goes down by a pixel now and then.
    thicker = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    long = cv2.morphologyEx(thicker, cv2.MORPH_OPEN, np.ones((1, bar), np.uint8)) & mask
    if not long.any():
        return []
    joined = cv2.dilate(long, np.ones((3, 1 + 2 * max(1, bar // 4)), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    found = []
    near = max(1, round(_NEAR * width))
    for number in range(1, count):
        left, top, w, h, _ = stats[number].tolist()
        if w < _LONG * width:
            continue
        box = slice(top, top + h), slice(left, left + w)
        part = (labels[box] == number).view(np.uint8) & long[box]
        columns = part.any(axis=0)
        if int(columns.sum()) < _LONG * width:
            continue
        across = part.sum(axis=0)
        thickness = int(np.percentile(across[across > 0], 20))
        if thickness > max(2, _THICK * height):
            continue
        first = left + int(columns.argmax())
        last = left + len(columns) - 1 - int(columns[::-1].argmax())
        ends = (first <= near) + (last >= width - 1 - near)
        line = _straight(part, thickness)
        if line is None:
            continue
        part, middle = line
        found.append(_Candidate(part, box, first, last, ends, thickness, top + middle))
    return found


def _straight(part: Mask, thickness: int) -> tuple[Mask, float] | None:
    """Return the pixels near a straight line, and its middle row; None for what is not one."""
    columns = np.flatnonzero(part.any(axis=0))
    upper = part[:, columns].argmax(axis=0)
    lower = part.shape[0] - 1 - part[::-1, columns].argmax(axis=0)
    # If a stroke lies along it the line is still where it is thinnest.
    thin = lower - upper <= thickness
    if np.count_nonzero(thin) < 0.15 * len(columns):
        return None
    x, y = columns[thin].astype(np.float64), (upper + lower)[thin] / 2
    middle = float(x.mean())
    x -= middle
    slope = float(x @ (y - y.mean()) / max(1.0, float(x @ x)))
    away = np.abs(y - y.mean() - slope * x)
    if abs(slope) > _LEAN or float(np.percentile(away, 90)) > 1 + 0.3 * thickness:
        return None
    line = y.mean() + slope * (np.arange(part.shape[1]) - middle)
    rows = np.arange(part.shape[0])[:, np.newaxis]
    band = np.abs(rows - line) <= thickness / 2 + 1.5
    return part & band, float(y.mean())


def _removed(mask: Mask, across: list[_Candidate], down: list[_Candidate]) -> Mask:
    removed = np.zeros_like(mask)
    for line in across:
        _mark(mask, removed, line)
    turned = np.ascontiguousarray(cv2.transpose(mask & ~removed & 1))
    removed_turned = np.zeros_like(turned)
    for line in down:
        _mark(turned, removed_turned, line)
    removed |= cv2.transpose(removed_turned)
    return removed


def _mark(mask: Mask, removed: Mask, line: _Candidate) -> None:
    """Mark a line's pixels that no stroke crosses."""
    height = mask.shape[0]
    rows, columns = line.box
    thick = line.thickness
    around = thick + 2
    wide = slice(max(0, rows.start - around), min(height, rows.stop + around))
    zone = mask[wide, columns]
    # What runs down further than the line is thick belongs to a stroke.
    length = thick + 3 + thick // 3
    stroke = cv2.morphologyEx(
        zone,
        cv2.MORPH_OPEN,
        np.ones((length, 1), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    drawn = np.zeros_like(zone)
    inner = rows.start - wide.start
    drawn[inner : inner + line.part.shape[0]] = line.part
    # Its blurred edge goes with it.
    drawn = cv2.dilate(drawn, np.ones((3 + 2 * (thick // 3), 3), np.uint8))
    removed[wide, columns] |= drawn & (1 - stroke) & zone


def _box_of_large(mask: Mask) -> tuple[int, int, int, int] | None:
    """Return first and last row, first and last column of all but small parts."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    stats = stats[1:]
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    large = stats[extent >= max(0.12 * min(mask.shape), 0.4 * extent.max())]
    if not len(large):
        return None
    height, width = mask.shape
    ends_at = (
        (large[:, cv2.CC_STAT_LEFT] <= 1)
        | (large[:, cv2.CC_STAT_TOP] <= 1)
        | (large[:, cv2.CC_STAT_LEFT] + large[:, cv2.CC_STAT_WIDTH] >= width - 1)
        | (large[:, cv2.CC_STAT_TOP] + large[:, cv2.CC_STAT_HEIGHT] >= height - 1)
    )
    inner = large[~ends_at]
    if len(inner) and inner[:, cv2.CC_STAT_HEIGHT].max() > 0.25 * height:
        # What is at the edge is walls of a comb, or neighbours.
        large = inner
    left, top = large[:, cv2.CC_STAT_LEFT], large[:, cv2.CC_STAT_TOP]
    right, bottom = left + large[:, cv2.CC_STAT_WIDTH], top + large[:, cv2.CC_STAT_HEIGHT]
    return int(top.min()), int(bottom.max()) - 1, int(left.min()), int(right.max()) - 1
