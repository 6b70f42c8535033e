"""Strokes as bright and as wide as MNIST's."""

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

INK_SIDE = 20

# Longest edge, in pixels, of what is thickened or thinned.
_FINE = 80

# Of MNIST's strokes in 20×20: 5 and 95 % are narrower, and what is narrower or wider becomes.
NARROW, WIDE = 1.75, 4.2
_LOCAL, _FAINTEST = 0.85, 0.25
_NARROW_GOAL, _WIDE_GOAL = 2.15, 3.8


def width(bright: Grey) -> float:
    """Return the mean width of strokes, in pixels: twice the area for the length of the outline.

    A slanted outline is longer in steps than as it is: by 4/pi, over all directions.
    """
    mask = bright >= 128
    steps = np.count_nonzero(mask[:, 1:] != mask[:, :-1]) + np.count_nonzero(mask[1:] != mask[:-1])
    edges = (
        np.count_nonzero(mask[0]) + np.count_nonzero(mask[-1])
        + np.count_nonzero(mask[:, 0]) + np.count_nonzero(mask[:, -1])
    )
    area = cv2.sumElems(bright)[0] / 255
    return float(2 * area / max(1.0, (steps + edges) * np.pi / 4))


def brightened(ink: Grey, mask: Grey) -> Grey:
    """Return the ink of a digit, its faint strokes as bright as its strong ones, in its own box.

    Parameters
    ----------
    ink : ndarray of uint8, shape (height, width)
    mask : ndarray of uint8, shape (height, width)
        1 at the digit's pixels.
    """
    own = cv2.multiply(ink, cv2.dilate(mask, np.ones((3, 3), np.uint8)))
    level = max(1, int(np.percentile(own[mask > 0], 75)))
    # A stroke's edge is halfway between the paper and the ink nearby.
    reach = max(3, max(own.shape) // 8) | 1
    local = cv2.blur(cv2.dilate(own, np.ones((reach, reach), np.uint8)), (reach, reach))
    local = np.clip(local.astype(np.float32) * _LOCAL, _FAINTEST * level, level)
    bright = np.clip(own * (255 / local), 0, 255).astype(np.uint8)
    return bright[box(bright)]


def scaled(cropped: Grey) -> tuple[Grey, str | None]:
    """Return ink scaled into 20×20, its strokes made as wide as MNIST's, and what was done."""
    scale = INK_SIDE / max(cropped.shape)
    note = None
    wide = width(cropped) * scale
    if scale > 0.4 or wide < NARROW or wide > WIDE:
        if max(cropped.shape) < _FINE:
            fine = _FINE / max(cropped.shape)
            size = [max(1, round(n * fine)) for n in reversed(cropped.shape)]
            around = 2
            padded = cv2.copyMakeBorder(cropped, around, around, around, around, cv2.BORDER_CONSTANT)
            way = cv2.INTER_CUBIC
            size = [max(1, round((n + 2 * around) * fine)) for n in reversed(cropped.shape)]
            cropped = cv2.resize(padded, size, interpolation=way)
            # The slope of an edge that was enlarged is as long as a pixel was.
            cropped = _steeper(cropped, min(4.0, max(1.0, fine / 2)))
            cropped = cropped[box(cropped)]
            scale = INK_SIDE / max(cropped.shape)
            wide = width(cropped) * scale
        if wide < NARROW:
            by = round((_NARROW_GOAL - wide) / scale)
            if by >= 1:
                cropped = cv2.copyMakeBorder(cropped, by, by, by, by, cv2.BORDER_CONSTANT)
                cropped = cv2.dilate(cropped, _disc(by + 1))
                cropped = cropped[box(cropped)]
                note = "thickened"
        elif wide > WIDE:
            by = round((wide - _WIDE_GOAL) / scale)
            if by >= 1:
                thinner = cv2.erode(cropped, _disc(by + 1), borderType=cv2.BORDER_CONSTANT, borderValue=0)
                if thinner.any():
                    cropped = thinner[box(thinner)]
                    note = "thinned"
    scale = INK_SIDE / max(cropped.shape)
    size = [max(1, round(n * scale)) for n in reversed(cropped.shape)]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(cropped, size, interpolation=way)
    inked = small[small > 40]
    if inked.size:
        level = float(np.percentile(inked, 80))
        if level < 250:
            small = cv2.convertScaleAbs(small, alpha=255 / max(level, 60))
    return small, note


def _steeper(image: Grey, slope: float) -> Grey:
    if slope <= 1:
        return image
    return cv2.convertScaleAbs(np.clip((image.astype(np.float32) - 128) * slope + 128, 0, 255))


def _disc(size: int) -> Grey:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def box(image: Grey, level: int = 100) -> tuple[slice, slice]:
    """Return the rows and columns that hold what is as bright as a level; all if nothing is."""
    mask = image >= level
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0, image.shape[0]), slice(0, image.shape[1])
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
