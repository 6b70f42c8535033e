"""Lines that were printed or ruled: borders of cells, combs, squared paper.

A line is long, thin, straight and goes on to the edge of the image, or to another line. What is
thicker than the line across it is a stroke that crosses, and stays.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]

# Of the image's side: how long a line is at least, how thick at most, and how near to the edge it
# ends or lies.
_LONG = 0.6
_THICK = 0.085
_NEAR = 0.04
_OUTER = 0.25

# A bar of this share of the side is what lines are searched with: the shorter, the more they may
# lean; longer than a stroke is thick.
_BAR = 0.2

_SMALLEST = 20


@dataclass(frozen=True, slots=True)
class Lines:
    """What was found."""

    removed: Mask
    """1 at pixels of a line that no stroke crosses."""
    horizontal: int
    vertical: int

    def __bool__(self) -> bool:
        return bool(self.horizontal or self.vertical)


def find(mask: Mask) -> Lines:
    """Find lines in a mask of ink, 0 or 1, shape ``(height, width)``."""
    removed = np.zeros_like(mask)
    if min(mask.shape) < _SMALLEST:
        return Lines(removed, 0, 0)
    across = _remove(mask, removed)
    turned = np.ascontiguousarray(cv2.transpose(mask & ~removed & 1))
    removed_turned = np.zeros_like(turned)
    down = _remove(turned, removed_turned)
    removed |= cv2.transpose(removed_turned)
    if down and not across:
        # Verticals were in the way of what runs along a frame.
        across = _remove(mask & ~removed & 1, removed)
    return Lines(removed, across, down)


def _remove(mask: Mask, removed: Mask) -> int:
    """Mark horizontal lines in `removed`; return how many."""
    height, width = mask.shape
    bar = max(5, round(_BAR * width))
    # A gap of a pixel does not end a line.
    long = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, bar), np.uint8))
    if not long.any():
        return 0
    joined = cv2.dilate(long, np.ones((3, 1 + 2 * max(1, bar // 3)), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    found = 0
    for number in range(1, count):
        left, top, w, h, _ = stats[number].tolist()
        if w < _LONG * width:
            continue
        box = slice(top, top + h), slice(left, left + w)
        part = (labels[box] == number).astype(np.uint8) & long[box]
        if _is_line(part, left, top, mask.shape):
            found += _mark(mask, removed, part, box)
    return found


def _is_line(part: Mask, left: int, top: int, shape: tuple[int, int]) -> bool:
    height, width = shape
    columns = part.any(axis=0)
    covered = int(columns.sum())
    if covered < _LONG * width:
        return False
    first, last = left + int(columns.argmax()), left + len(columns) - 1 - int(columns[::-1].argmax())
    near = max(1, round(_NEAR * width))
    ends = (first <= near) + (last >= width - 1 - near)
    rows = np.flatnonzero(part.any(axis=1))
    middle = top + (rows[0] + rows[-1]) / 2
    outer = min(middle, height - 1 - middle) < _OUTER * height
    return ends == 2 or (ends == 1 and outer)


def _mark(mask: Mask, removed: Mask, part: Mask, box: tuple[slice, slice]) -> int:
    """Mark a line's pixels that no stroke crosses; return 1, or 0 if it is a stroke itself."""
    height = mask.shape[0]
    thickness_of_columns = part.sum(axis=0)
    present = thickness_of_columns[thickness_of_columns > 0]
    thick = int(np.percentile(present, 40))
    if thick > max(2, _THICK * height):
        return 0
    rows = box[0]
    around = thick + 2
    wide = slice(max(0, rows.start - around), min(height, rows.stop + around))
    zone = mask[wide, box[1]]
    # What runs down further than the line is thick belongs to a stroke.
    length = thick + 3 + thick // 3
    stroke = cv2.morphologyEx(
        zone, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8), borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    line = np.zeros_like(zone)
    inner = rows.start - wide.start
    line[inner : inner + part.shape[0]] = part
    # Its blurred edge goes with it.
    line = cv2.dilate(line, np.ones((3 + 2 * (thick // 3), 1), np.uint8))
    removed[wide, box[1]] |= line & (1 - stroke) & zone
    return 1
