"""The parts of the ink: which of them are the digit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images.components import Mask, connected

SEVERAL = "several digits"
"""What is noted if parts lie beside each other that are digits themselves."""

# Of the digit's largest part: what is less, by area or by length, is dust.
_SPECK_AREA = 0.03
_SPECK_LENGTH = 0.08

# Of the digit's length: what is farther away than this is not part of it. Small parts are close.
_FAR = 0.35
_SMALL = 0.15
_FAR_OF_SMALL = 0.05
_FAR_AT_EDGE = 0.12

# Of the digit's length: how long a part is that is a digit itself, and how far away. Of a part's
# width: how much of it lies above or below the digit if it is a part of it. Of a part's height: how
# wide an underline is.
_LARGE, _FAR_OF_LARGE = 0.5, 0.35
_ABOVE = 0.6
_FLAT = 4

# An image with fewer pixels along its edges has no dust: each pixel counts.
_TINY = 20

# More parts than this are a texture, and all but the largest are dust.
_MOST = 40

# Dust on an otherwise empty sheet, and dots: pixels of the file, and of the sheet's longer side. Of
# its box: how much a dot fills.
_DUST, _DOT = 9, 16
_FILLED = 0.6
_DUST_SHARE = 0.12
_SHEET = 40


@dataclass(frozen=True, slots=True)
class Parts:
    """What is kept of the ink."""

    mask: Mask
    """1 at the digit's pixels."""
    removed: tuple[str, ...]
    """Kinds of parts that were left out."""
    is_dust: bool
    """Whether even the largest part is too small to be a digit."""


class _Boxes:
    """The boxes of connected parts, numbered as OpenCV numbers them."""

    def __init__(self, stats: cv2.typing.MatLike, shape: tuple[int, int]) -> None:
        height, width = shape
        stats = stats.astype(np.int64)
        self.left, self.top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        self.right = self.left + stats[:, cv2.CC_STAT_WIDTH]
        self.bottom = self.top + stats[:, cv2.CC_STAT_HEIGHT]
        self.areas = stats[:, cv2.CC_STAT_AREA]
        self.extent = np.maximum(self.right - self.left, self.bottom - self.top)
        self.edges = np.stack(
            [self.left <= 0, self.top <= 0, self.right >= width, self.bottom >= height]
        )
        self.touches: NDArray[np.bool_] = np.any(self.edges, axis=0)


def select(possible: Mask, certain: Mask, scale: float) -> Parts | None:
    """Tell the digit from dust, neighbours and what is drawn below it.

    Parameters
    ----------
    possible, certain : ndarray of uint8, shape (height, width)
        Masks: 1 at pixels that may be ink, and 1 at pixels that are ink. A connected part of the
        first counts if it contains a pixel of the second (hysteresis, as Canny 1986). This keeps
        the faint ends of strokes, and drops noise.
    scale : float
        Pixels of the file for each pixel of the masks.

    Returns
    -------
    Parts or None
        None if there is no ink.
    """
    count, labels, stats, centres = connected(possible)
    keep = np.bincount(labels[certain > 0], minlength=count) > 0
    keep[0] = False  # the paper
    if not keep.any():
        return None
    boxes = _Boxes(stats, possible.shape)
    main = _main_part(boxes, keep, centres, possible.shape)
    removed: set[str] = set()
    if max(possible.shape) >= _TINY:
        removed = _leave_out(boxes, keep, main)
    return Parts(
        keep[labels].view(np.uint8),
        tuple(sorted(removed)),
        _is_dust(boxes, main, possible.shape, scale),
    )


def _main_part(
    boxes: _Boxes, keep: NDArray[np.bool_], centres: cv2.typing.MatLike, shape: tuple[int, int]
) -> int:
    """Return the number of the largest part, near to the middle rather than at an edge."""
    height, width = shape
    away = np.hypot(
        (centres[:, 0] - (width - 1) / 2) / width, (centres[:, 1] - (height - 1) / 2) / height
    )
    weight = boxes.extent * np.sqrt(boxes.areas) * (1 - away) * np.where(boxes.touches, 0.5, 1)
    return int(np.where(keep, weight, 0).argmax())


def _leave_out(boxes: _Boxes, keep: NDArray[np.bool_], main: int) -> set[str]:
    """Take what is not the digit out of `keep`; return what kinds there were."""
    removed = set()
    dust = keep & (
        (boxes.areas < _SPECK_AREA * boxes.areas[main])
        | (boxes.extent < _SPECK_LENGTH * boxes.extent[main])
    )
    others = np.flatnonzero(keep & ~dust)
    others = others[boxes.areas[others].argsort()[::-1]]
    dust[others[_MOST:]] = True
    dust[main] = False
    if dust.any():
        keep &= ~dust
        removed.add("specks removed")
    at_edges = int(boxes.edges[:, keep].any(axis=1).sum())
    if boxes.touches[main] and at_edges >= 3:
        # The image was cut out by the digit's own box: all that is there is its own.
        return removed
    waiting = [number for number in others[:_MOST].tolist() if number != main]
    digit = _Digit(boxes, main)
    # A digit of several parts grows from its largest, part by part.
    while waiting:
        reasons = {number: digit.reason_against(number) for number in waiting}
        joined = [number for number in waiting if reasons[number] is None]
        if not joined:
            if SEVERAL in reasons.values():
                # They stay, for all to see.
                return removed | {SEVERAL}
            keep[waiting] = False
            return removed | {reason for reason in reasons.values() if reason}
        for number in joined:
            digit.add(number)
        waiting = [number for number in waiting if number not in joined]
    return removed


class _Digit:
    """The box of a digit that grows part by part."""

    def __init__(self, boxes: _Boxes, main: int) -> None:
        self._boxes = boxes
        self._is_inside = not boxes.touches[main]
        self._left, self._top = int(boxes.left[main]), int(boxes.top[main])
        self._right, self._bottom = int(boxes.right[main]), int(boxes.bottom[main])

    def add(self, number: int) -> None:
        boxes = self._boxes
        self._left = min(self._left, int(boxes.left[number]))
        self._top = min(self._top, int(boxes.top[number]))
        self._right = max(self._right, int(boxes.right[number]))
        self._bottom = max(self._bottom, int(boxes.bottom[number]))

    def reason_against(self, number: int) -> str | None:
        """Return what a part is if it is not the digit's."""
        boxes = self._boxes
        x0, y0 = int(boxes.left[number]), int(boxes.top[number])
        x1, y1 = int(boxes.right[number]), int(boxes.bottom[number])
        extent = int(boxes.extent[number])
        width, height = self._right - self._left, self._bottom - self._top
        length = max(width, height)
        gap = max(0, x0 - self._right, self._left - x1, y0 - self._bottom, self._top - y1)
        if boxes.touches[number] and self._is_inside:
            overlap = min(x1, self._right) - max(x0, self._left)
            if overlap < _ABOVE * (x1 - x0) or gap > _FAR_AT_EDGE * length:
                return "neighbours removed"
        if gap > _FAR_OF_LARGE * length and extent > _LARGE * length and not boxes.touches[number]:
            return SEVERAL
        if gap > _FAR * length:
            return "neighbours removed" if extent > _LARGE * length else "specks removed"
        if extent < _SMALL * length and gap > _FAR_OF_SMALL * length:
            return "specks removed"
        is_below = y0 >= self._bottom - _SPECK_LENGTH * height
        is_flat = x1 - x0 > _FLAT * (y1 - y0) and height > 3 * (y1 - y0)
        if is_below and is_flat and x1 - x0 > 0.8 * width:
            return "underline removed"
        return None


def _is_dust(boxes: _Boxes, main: int, shape: tuple[int, ...], scale: float) -> bool:
    """Tell whether a part is too small for a digit, beside the sheet and by itself."""
    extent = int(boxes.extent[main])
    across = int(boxes.right[main] - boxes.left[main])
    down = int(boxes.bottom[main] - boxes.top[main])
    is_dot = boxes.areas[main] > _FILLED * across * down and extent < 2 * min(across, down)
    smallest = _DOT if is_dot else _DUST
    side = max(shape)
    return side * scale > _SHEET and extent * scale < smallest and extent < _DUST_SHARE * side
