"""Which images are like MNIST's already: 28×28, ink bright on dark, where MNIST has it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images.framing import CENTRE, SIDE
from pipeline.images.strokes import INK_SIDE

# Images that are looked at together: what is computed of them stays in the processor's cache.
_BLOCK = 512


def are_normalized(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
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


def _are_normalized(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
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
        found &= np.abs(place - CENTRE) < 0.6
    found &= (longest >= INK_SIDE - 2) & (longest <= INK_SIDE)
    return found
