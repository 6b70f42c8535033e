"""Strokes as bright and as wide as MNIST's.

A thin stroke fades to grey if it is made smaller with the rest of a large image, and a faint one
has no more brightness than its edge: the network has learnt neither. So faint strokes are
brightened and thin ones thickened before the digit is scaled into 20×20, as MNIST's were.
"""

import cv2
import numpy as np

from pipeline.images import levels
from pipeline.images.levels import Grey, uint8

INK_SIDE = 20
"""Pixels along the longest edge of a digit as the network sees it."""

# Longest edge, in pixels, of what is thickened or thinned.
_FINE = 80

# Smaller than this, in pixels of 20×20 for each pixel, an image shows no steps when it is scaled.
_COARSE = 0.4

# Widths of strokes in 20×20. Of MNIST's 5 % are below 1.65 and 5 % above 3.75.
_NARROW, _NARROW_GOAL = 1.75, 2.15
_WIDE, _WIDE_GOAL = 4.2, 3.8

# Of the brightest ink nearby: what becomes white. Of the digit's: what ink nearby has at least.
_LOCAL, _FAINTEST = 0.85, 0.25

# How steep an edge may become that was enlarged.
_STEEPEST = 4.0

# Ink that counts, and how bright its brightest fifth is at least in MNIST.
_INK = 40
_BRIGHT = 250
_DARKEST = 60


def brightened(ink: Grey, mask: Grey) -> Grey:
    """Return a digit in its own box, its faint strokes as bright as its strong ones.

    Parameters
    ----------
    ink : ndarray of uint8, shape (height, width)
    mask : ndarray of uint8, shape (height, width)
        1 at the digit's pixels; at least one.
    """
    own = cv2.multiply(ink, cv2.dilate(mask, np.ones((3, 3), np.uint8)))
    level = max(1, levels.percentile(levels.histogram(uint8(own), mask), 0.75))
    # A stroke's edge is halfway between the paper and the ink nearby.
    reach = max(3, max(own.shape) // 8) | 1
    local = cv2.blur(cv2.dilate(own, np.ones((reach, reach), np.uint8)), (reach, reach))
    local = np.clip(local.astype(np.float32) * _LOCAL, _FAINTEST * level, level)
    bright: Grey = np.clip(own * (255 / local), 0, 255).astype(np.uint8)
    return bright[box(bright)]


def scaled(cropped: Grey) -> tuple[Grey, str | None]:
    """Return a digit scaled into 20×20, and what was done to its strokes.

    Parameters
    ----------
    cropped : ndarray of uint8, shape (height, width)
        The digit in its own box.
    """
    cropped, note = _as_wide(cropped)
    scale = INK_SIDE / max(cropped.shape)
    small = _resized(cropped, scale, cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    counts = levels.histogram(small)
    counts[: _INK + 1] = 0
    if counts.any():
        level = levels.percentile(counts, 0.8)
        if level < _BRIGHT:
            small = uint8(cv2.convertScaleAbs(small, alpha=255 / max(level, _DARKEST)))
    return small, note


def width(bright: Grey) -> float:
    """Return the mean width of strokes, in pixels: twice the area for the length of the outline.

    An outline in steps is longer than it is: by 4/pi, on average over all directions.
    """
    mask = cv2.copyMakeBorder(bright, 1, 1, 1, 1, cv2.BORDER_CONSTANT) >= 128
    steps = np.count_nonzero(mask[:, 1:] != mask[:, :-1]) + np.count_nonzero(mask[1:] != mask[:-1])
    area = cv2.sumElems(bright)[0] / 255
    return float(2 * area / max(1.0, steps * np.pi / 4))


def box(image: Grey, level: int = 100) -> tuple[slice, slice]:
    """Return the rows and columns that hold what is as bright as a level; all if nothing is."""
    mask = image >= level
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0, image.shape[0]), slice(0, image.shape[1])
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _as_wide(cropped: Grey) -> tuple[Grey, str | None]:
    """Return a digit with strokes as wide as MNIST's, if they were wider or narrower."""
    scale = INK_SIDE / max(cropped.shape)
    wide = width(cropped) * scale
    if scale <= _COARSE and _NARROW <= wide <= _WIDE:
        return cropped, None
    if max(cropped.shape) < _FINE:
        cropped = _enlarged(cropped)
        scale = INK_SIDE / max(cropped.shape)
        wide = width(cropped) * scale
    if wide < _NARROW:
        by = round((_NARROW_GOAL - wide) / scale)
        if by >= 1:
            padded = cv2.copyMakeBorder(cropped, by, by, by, by, cv2.BORDER_CONSTANT)
            thicker = uint8(cv2.dilate(padded, _disc(by + 1)))
            return thicker[box(thicker)], "strokes thickened"
    elif wide > _WIDE:
        by = round((wide - _WIDE_GOAL) / scale)
        # Beyond the box there is no ink.
        padded = cv2.copyMakeBorder(cropped, by, by, by, by, cv2.BORDER_CONSTANT)
        thinner = uint8(cv2.erode(padded, _disc(by + 1)))
        if by >= 1 and thinner.any():
            return thinner[box(thinner)], "strokes thinned"
    return cropped, None


def _enlarged(cropped: Grey) -> Grey:
    """Return a small digit smoothly enlarged, its edges no longer than a pixel was."""
    around = 2
    factor = _FINE / max(cropped.shape)
    padded = cv2.copyMakeBorder(cropped, around, around, around, around, cv2.BORDER_CONSTANT)
    large = _resized(uint8(padded), factor, cv2.INTER_CUBIC)
    slope = min(_STEEPEST, max(1.0, factor / 2))
    steep: Grey = np.clip((large.astype(np.float32) - 128) * slope + 128, 0, 255).astype(np.uint8)
    return steep[box(steep)]


def _resized(image: Grey, factor: float, interpolation: int) -> Grey:
    height, width = (max(1, round(length * factor)) for length in image.shape)
    return uint8(cv2.resize(image, (width, height), interpolation=interpolation))


def _disc(size: int) -> Grey:
    return uint8(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
