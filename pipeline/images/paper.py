"""The brightness of the paper, under uneven light."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images.levels import Grey, quantile

# Pixels along the longest edge of the image that the paper's brightness is fitted on, how often,
# and how far from it paper may be in any case.
_COARSE = 32
_FITS = 5
_NOISE = 4.0


def surface(grey: Grey) -> NDArray[np.float32]:
    """Return the brightness of the paper, as a surface of the second degree.

    Fitted to a coarse picture, over and again, each time without what is far from it: ink.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)

    Returns
    -------
    ndarray of float32, shape (height, width)
    """
    scale = min(1.0, _COARSE / max(grey.shape))
    width, height = (max(3, round(length * scale)) for length in reversed(grey.shape))
    coarse = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    values = coarse.astype(np.float64).reshape(-1, 1)
    terms = _terms(height, width)
    fitted = np.full_like(values, quantile(values, 0.5))
    for _ in range(_FITS):
        distance = np.abs(values - fitted)
        limit = max(_NOISE, 2.5 * 1.4826 * quantile(distance, 0.5))
        is_paper = (distance < limit).ravel()
        paper = terms[is_paper]
        # By singular values, since an image of one row or column does not determine all terms.
        _, coefficients = cv2.solve(
            paper.T @ paper, paper.T @ values[is_paper], flags=cv2.DECOMP_SVD
        )
        fitted = terms @ coefficients
    return _evaluated(coefficients.ravel().astype(np.float32), *grey.shape)


@lru_cache(maxsize=64)
def _terms(height: int, width: int) -> NDArray[np.float64]:
    """Return 1, x, y, x², xy and y² of each pixel, shape ``(height * width, 6)``."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    return terms.reshape(-1, 6)


def _evaluated(coefficients: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return the surface at each pixel: a sum of a row, a column and their product."""
    one, x, y, xx, xy, yy = coefficients
    across, down = (np.linspace(-1, 1, n, dtype=np.float32) for n in (width, height))
    column = (one + down * (y + down * yy))[:, np.newaxis]
    row = across * (x + across * xx)
    found: NDArray[np.float32] = column + row
    found += (xy * down)[:, np.newaxis] * across
    return found
