"""Ink placed by its centre of mass into 28×28."""

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

SIDE = 28

# Where the centre of mass is in MNIST's images, in pixels counted from 0.
CENTRE = 14.0


def placed(scaled: Grey) -> Grey:
    """Return ink of at most 20×20 placed by its centre of mass."""
    height, width = scaled.shape
    found = np.zeros((SIDE, SIDE), np.uint8)
    y, x = _centre_of_mass(scaled)
    top = int(np.clip(round(CENTRE - y), 0, SIDE - height))
    left = int(np.clip(round(CENTRE - x), 0, SIDE - width))
    found[top : top + height, left : left + width] = scaled
    return found


def _centre_of_mass(image: Grey) -> tuple[float, float]:
    rows, columns = (image.sum(axis=axis, dtype=np.float64) for axis in (1, 0))
    total = rows.sum() or 1.0
    return (
        float(rows @ np.arange(len(rows)) / total),
        float(columns @ np.arange(len(columns)) / total),
    )
