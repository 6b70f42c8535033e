"""Images of any size and polarity, made what MNIST's are: 28×28, ink bright on dark.

MNIST was made so (LeCun et al. 1998, "Gradient-based learning applied to document recognition";
EMNIST, arXiv:1702.05373): the ink cropped, scaled into 20×20 keeping its proportions, and placed
by its centre of mass into 28×28. Scans need more before: the paper is told from the ink under
uneven light, and which of the two is the brighter is found out.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 28
"""Pixels along each edge of a normalised image."""

_INK_SIDE = 20

# Where the centre of mass is in MNIST's images, in pixels counted from 0.
_CENTRE = 14.0

# Images that are looked at together: what is computed of them stays in the processor's cache.
_BLOCK = 512

# Longest edge of what is worked on.
_LONGEST = 256

# A digit that is shorter there, on a larger sheet, is looked at again for itself.
_SHORT = 64

# Pixels along the longest edge of the image that the paper's brightness is fitted on, how often,
# and how far from it paper may be in any case.
_COARSE = 32
_FITS = 5
_NOISE = 4.0

# Of 255: what is nearer to the paper than this is not ink.
_FAINTEST = 12.0

# Of the largest patch of ink: smaller ones are dust.
_SPECK = 0.02

Grey = NDArray[np.uint8]
Box = tuple[slice, slice]


class BlankError(Exception):
    """There is no ink to be seen."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What becomes of an image, step by step."""

    grey: Grey
    """As it was read, made smaller where it is large."""
    ink: Grey
    """How much darker (or brighter) than the paper a pixel is."""
    cropped: Grey
    """The ink's own box."""
    normalized: Grey
    """Shape ``(28, 28)``."""
    is_dark_on_light: bool


def are_normalized(images: Grey) -> NDArray[np.bool_]:
    """Tell which images are like MNIST's already.

    Every image of MNIST has a background of zeros, ink that is 19 or 20 pixels long at its
    longest, and its centre of mass within half a pixel of the middle.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 28, 28)

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    found = np.empty(len(images), np.bool_)
    for start in range(0, len(images), _BLOCK):
        block = slice(start, start + _BLOCK)
        found[block] = _are_normalized(images[block])
    return found


def normalize(grey: Grey) -> Steps:
    """Make an image like those of MNIST.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)

    Raises
    ------
    BlankError
        Where there is nothing on the paper.
    """
    sheet = grey
    grey = _smaller(sheet)
    scale = max(sheet.shape) / max(grey.shape)
    ink, is_dark = _ink(grey, scale)
    mask = _ink_mask(ink)
    box = _box(mask)
    if grey.shape != sheet.shape and max(_shape(box)) < _SHORT:
        return normalize(sheet[_around(box, scale)])
    level = float(np.percentile(ink[mask], 75))
    # Of the paper around the digit nothing is left, and its strokes are as bright as MNIST's.
    near = cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    bright = np.clip(ink * (255 / level), 0, 255) * near
    cropped = np.rint(bright[box]).astype(np.uint8)
    return Steps(grey, _shown(ink), cropped, _placed(cropped), is_dark)


def _are_normalized(images: Grey) -> NDArray[np.bool_]:
    # Side by side along the last axis, all images are added up at once.
    pixels = cv2.transpose(images.reshape(-1, SIDE * SIDE)).reshape(SIDE, SIDE, -1)
    ink = np.greater(pixels, 0).view(np.uint8)
    area = np.add.reduce(np.add.reduce(ink, axis=0, dtype=np.uint8), axis=0, dtype=np.uint16)
    found: NDArray[np.bool_] = area <= SIDE * SIDE // 2
    longest = np.zeros(len(images), np.intp)
    for axis in (1, 0):
        # By row, then by column; of an image without ink it is as long as can be.
        mass = np.add.reduce(pixels, axis=axis, dtype=np.uint16)
        held = mass > 0
        np.maximum(longest, SIDE - held[::-1].argmax(axis=0) - held.argmax(axis=0), out=longest)
        mass = mass.astype(np.float32)
        place = np.arange(SIDE, dtype=np.float32) @ mass / np.maximum(mass.sum(axis=0), 1)
        found &= np.abs(place - _CENTRE) < 0.6
    found &= (longest >= _INK_SIDE - 2) & (longest <= _INK_SIDE)
    return found


def _smaller(grey: Grey) -> Grey:
    scale = _LONGEST / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(length * scale)) for length in grey.shape)
    return _resized(grey, height, width)


def _ink(grey: Grey, scale: float) -> tuple[NDArray[np.float32], bool]:
    """Return how much each pixel differs from the paper, in the ink's direction."""
    difference = _paper(grey) - grey
    # Noise is finer than strokes, of which a digit has some 20 across its width. Where an image
    # was made smaller, that has taken most of it away.
    sigma = max(grey.shape) / 150 / scale**2
    if sigma > 0.5:
        difference = cv2.GaussianBlur(difference, (0, 0), sigma).astype(np.float32, copy=False)
    # Ink is the lesser part and the farther from the paper: the longer tail is its own.
    is_dark = float(np.mean(difference**3)) > 0
    ink = difference if is_dark else -difference
    return np.maximum(ink, 0), is_dark


def _paper(grey: Grey) -> NDArray[np.float32]:
    """Return the brightness of the paper, as a surface of the second degree.

    Fitted to a coarse picture, over and again, each time without what is far from it: ink.
    """
    scale = min(1.0, _COARSE / max(grey.shape))
    width, height = (max(3, round(length * scale)) for length in reversed(grey.shape))
    values = _resized(grey, height, width).astype(np.float64).ravel()
    terms = _terms(height, width)
    fitted = np.full(values.size, np.median(values))
    for _ in range(_FITS):
        distance = np.abs(values - fitted)
        limit = max(_NOISE, 2.5 * 1.4826 * float(np.median(distance)))
        paper = terms[distance < limit]
        coefficients = np.linalg.lstsq(
            paper.T @ paper, paper.T @ values[distance < limit], rcond=None
        )[0]
        fitted = terms @ coefficients
    surface = _terms(*grey.shape) @ coefficients
    return surface.reshape(grey.shape).astype(np.float32)


def _terms(height: int, width: int) -> NDArray[np.float64]:
    """Return 1, x, y, x², xy and y² of each pixel, shape ``(height * width, 6)``."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    return terms.reshape(-1, 6)


def _ink_mask(ink: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where there is ink, specks left out."""
    # Whatever the size of the sheet: half of it and more is paper, which tells the noise.
    faint = max(_FAINTEST, 6 * 1.4826 * float(np.median(ink)))
    seen = ink[ink > faint]
    if not seen.size:
        raise BlankError
    strong = float(np.percentile(seen, 90))
    mask = (ink > max(faint, strong / 2)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    areas[0] = 0  # the paper
    return np.asarray((areas >= _SPECK * areas.max())[labels] & (labels > 0))


def _box(mask: NDArray[np.bool_]) -> Box:
    """Return the rows and columns that hold what is marked; something is."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _shape(box: Box) -> tuple[int, int]:
    rows, columns = box
    return rows.stop - rows.start, columns.stop - columns.start


def _around(box: Box, scale: float) -> Box:
    """Return a box with half its length around it, for an image so many times as large."""
    margin = max(_shape(box)) / 2

    def wider(edge: slice) -> slice:
        return slice(max(0, int((edge.start - margin) * scale)), int((edge.stop + margin) * scale))

    rows, columns = box
    return wider(rows), wider(columns)


def _placed(cropped: Grey) -> Grey:
    """Return ink scaled into 20×20 and placed by its centre of mass."""
    scale = _INK_SIDE / max(cropped.shape)
    height, width = (max(1, round(length * scale)) for length in cropped.shape)
    scaled = _resized(cropped, height, width)
    placed = np.zeros((SIDE, SIDE), np.uint8)
    y, x = _centre_of_mass(scaled)
    top = int(np.clip(round(_CENTRE - y), 0, SIDE - height))
    left = int(np.clip(round(_CENTRE - x), 0, SIDE - width))
    placed[top : top + height, left : left + width] = scaled
    return placed


def _centre_of_mass(image: Grey) -> tuple[float, float]:
    """Return row and column."""
    rows, columns = (image.sum(axis=axis, dtype=np.float64) for axis in (1, 0))
    total = rows.sum()
    return (
        float(rows @ np.arange(len(rows)) / total),
        float(columns @ np.arange(len(columns)) / total),
    )


def _resized(image: Grey, height: int, width: int) -> Grey:
    # The mean of what becomes one pixel; linear where an image becomes larger.
    way = cv2.INTER_AREA if height < image.shape[0] or width < image.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=way).astype(np.uint8, copy=False)


def _shown(ink: NDArray[np.float32]) -> Grey:
    top = float(ink.max()) or 1.0
    shown: Grey = np.rint(ink * (255 / top)).astype(np.uint8)
    return shown
