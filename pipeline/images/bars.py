"""Bars: long, thin, straight parts of the ink that run across an image.

Most are printed lines; some are strokes of a digit. All are horizontal here: whoever looks for
vertical ones turns the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images.components import Mask, connected
from pipeline.images.levels import quantile, uint8

# Of the image's side: how long a bar is at least, how thick at most, and how near to the edge it
# ends if it ends there.
_LONG = 0.55
_THICK = 0.085
_NEAR = 0.04

# Of the side: the lengths that bars are searched with. The shorter, the more they may lean; but
# longer than a stroke is thick. What strokes join to other bars shows with the longer one.
_SEARCHED = (0.18, 0.4)

# How much a bar leans at most: so many rows for each column.
_LEAN = 0.08

# Of a bar's columns: in how many it can be seen by itself, if a stroke lies along it.
_ALONE = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """A bar, and where it is."""

    mask: Mask
    """1 at its pixels, in its box."""
    box: tuple[slice, slice]
    """Rows and columns."""
    first: int
    last: int
    """The columns of its ends."""
    ends: int
    """How many of them are at the edge of the image."""
    thickness: int
    """In pixels."""
    row: float
    """Of its middle."""

    def around(self, other: Mask, reach: int) -> tuple[Mask, Mask]:
        """Return the part of another mask around the bar, and the bar in a mask of that shape."""
        rows, columns = self.box
        top = max(0, rows.start - reach)
        zone = other[top : rows.stop + reach, columns]
        own = np.zeros_like(zone)
        own[rows.start - top : rows.stop - top] = self.mask
        return zone, own

    def is_touched(self, rest: Mask) -> bool:
        """Tell whether the rest of the ink reaches the bar."""
        reach = self.thickness + 3
        zone, own = self.around(rest, reach)
        return bool((zone & uint8(cv2.dilate(own, np.ones((2 * reach + 1, 1), np.uint8)))).any())


def find(mask: Mask) -> list[Bar]:
    """Return the bars of a mask, 1 at ink and 0 elsewhere, shape ``(height, width)``."""
    return _search(mask, _SEARCHED)


def _search(mask: Mask, lengths: Sequence[float]) -> list[Bar]:
    width = mask.shape[1]
    searched = max(5, round(lengths[0] * width))
    # A bar that leans goes down by a pixel now and then.
    thicker = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    opened = cv2.morphologyEx(thicker, cv2.MORPH_OPEN, np.ones((1, searched), np.uint8))
    long = uint8(opened) & mask
    if not long.any():
        return []
    joined = cv2.dilate(long, np.ones((3, 1 + 2 * max(1, searched // 4)), np.uint8))
    count, labels, stats, _ = connected(uint8(joined))
    found = []
    for number in range(1, count):
        left, top, across, down, _ = stats[number].tolist()
        if across < _LONG * width:
            continue
        box = slice(top, top + down), slice(left, left + across)
        part = (labels[box] == number).view(np.uint8) & long[box]
        bar = _bar(part, box, mask.shape)
        if bar is not None:
            found.append(bar)
        elif lengths[1:]:
            alone = np.zeros_like(mask)
            alone[box] = part
            found += _search(alone, lengths[1:])
    return found


def removed(mask: Mask, bars: Sequence[Bar]) -> Mask:
    """Return 1 at the pixels of bars that no stroke crosses."""
    found = np.zeros_like(mask)
    for bar in bars:
        thick = bar.thickness
        zone, own = bar.around(mask, thick + 2)
        # What runs down further than the bar is thick belongs to a stroke.
        length = thick + 3 + thick // 3
        stroke = cv2.morphologyEx(
            zone,
            cv2.MORPH_OPEN,
            np.ones((length, 1), np.uint8),
            borderType=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
        # Its blurred edge goes with it.
        own = uint8(cv2.dilate(own, np.ones((3 + 2 * (thick // 3), 3), np.uint8)))
        into, _ = bar.around(found, thick + 2)
        into |= own & ~uint8(stroke) & zone
    return found


def _bar(part: Mask, box: tuple[slice, slice], shape: tuple[int, ...]) -> Bar | None:
    """Return a part of the ink as a bar, if it is one."""
    height, width = shape
    columns = np.flatnonzero(part.any(axis=0))
    if len(columns) < _LONG * width:
        return None
    thickness = int(quantile(part.sum(axis=0)[columns], 0.2))
    if thickness > max(2, _THICK * height):
        return None
    straight = _straight(part, columns, thickness)
    if straight is None:
        return None
    mask, row = straight
    first, last = (box[1].start + int(columns[end]) for end in (0, -1))
    near = max(1, round(_NEAR * width))
    ends = (first <= near) + (last >= width - 1 - near)
    return Bar(mask, box, first, last, ends, thickness, box[0].start + row)


def _straight(part: Mask, columns: NDArray[np.intp], thickness: int) -> tuple[Mask, float] | None:
    """Return the pixels near a straight line, and its middle row; None if there is none."""
    upper = part[:, columns].argmax(axis=0)
    lower = part.shape[0] - 1 - part[::-1, columns].argmax(axis=0)
    # If a stroke lies along it, it is still seen where it is thinnest.
    thin = lower - upper <= thickness
    if np.count_nonzero(thin) < _ALONE * len(columns):
        return None
    x, y = columns[thin].astype(np.float64), (upper + lower)[thin] / 2
    x_mean, y_mean = float(x.mean()), float(y.mean())
    x -= x_mean
    slope = float(x @ (y - y_mean)) / max(1.0, float(x @ x))
    away = np.abs(y - y_mean - slope * x)
    if abs(slope) > _LEAN or quantile(away, 0.9) > 1 + 0.3 * thickness:
        return None
    line = y_mean + slope * (np.arange(part.shape[1]) - x_mean)
    rows = np.arange(part.shape[0])[:, np.newaxis]
    return part & (np.abs(rows - line) <= thickness / 2 + 1.5), y_mean
