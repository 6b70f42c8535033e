"""The parts of the ink: which of them are the digit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]

_SPECK = 0.03


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts are kept."""

    mask: Mask
    """1 at the digit's pixels."""
    specks: int
    neighbours: int
    underlines: int
    is_dust: bool
    """Nothing there is larger than dust."""


def select(low: Mask, high: Mask, original_scale: float) -> Parts | None:
    """Tell the digit from dust and neighbours.

    Parameters
    ----------
    low, high : ndarray of uint8, shape (height, width)
        1 if there may be ink, if there is ink for sure.
    original_scale : float
        Pixels of the file for a pixel of the masks.
    """
    count, labels, stats, centres = cv2.connectedComponentsWithStats(low, connectivity=8)
    if count < 2:
        return None
    sure = np.bincount(labels[high > 0], minlength=count)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    keep = sure > 0
    keep[0] = False
    if not keep.any():
        return None
    height, width = low.shape
    side = max(low.shape)
    x0, y0 = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    x1, y1 = x0 + stats[:, cv2.CC_STAT_WIDTH], y0 + stats[:, cv2.CC_STAT_HEIGHT]
    touches = (
        (x0 <= 0).astype(int) + (y0 <= 0) + (x1 >= width) + (y1 >= height)
    )
    extent = np.maximum(x1 - x0, y1 - y0)
    # The digit's own largest part: large, and near to the middle rather than at an edge.
    away = np.hypot(
        (centres[:, 0] - (width - 1) / 2) / width, (centres[:, 1] - (height - 1) / 2) / height
    )
    weight = np.where(keep, extent * np.sqrt(areas) * (1 - away), 0)
    weight = np.where(touches > 0, weight * 0.5, weight)
    main = int(weight.argmax())
    specks = neighbours = underlines = 0
    main_extent = extent[main]
    for number in np.flatnonzero(keep).tolist():
        if number == main:
            continue
        gap_x = max(0, x0[number] - x1[main], x0[main] - x1[number])
        gap_y = max(0, y0[number] - y1[main], y0[main] - y1[number])
        gap = max(gap_x, gap_y)
        if areas[number] < _SPECK * areas[main] or extent[number] < 0.08 * main_extent:
            keep[number] = False
            specks += 1
        elif touches[number] and touches[main] < 2:
            overlap = min(x1[number], x1[main]) - max(x0[number], x0[main])
            inside = overlap >= 0.6 * (x1[number] - x0[number])
            if not inside or gap > 0.12 * main_extent:
                keep[number] = False
                neighbours += 1
        elif gap > 0.35 * main_extent or (extent[number] < 0.15 * main_extent and gap > 0.05 * main_extent):
            keep[number] = False
            specks += 1
        elif _is_underline(number, main, x0, x1, y0, y1):
            keep[number] = False
            underlines += 1
    dust = (
        extent[main] * original_scale < 9 and side * original_scale > 40 and extent[main] < 0.12 * side
    )
    return Parts(keep[labels].view(np.uint8), specks, neighbours, underlines, bool(dust))


def _is_underline(number, main, x0, x1, y0, y1) -> bool:
    w, h = x1[number] - x0[number], y1[number] - y0[number]
    below = y0[number] >= y1[main] - 0.08 * (y1[main] - y0[main])
    return bool(below and w > 4 * h and w > 0.8 * (x1[main] - x0[main]) and (y1[main] - y0[main]) > 3 * h)
