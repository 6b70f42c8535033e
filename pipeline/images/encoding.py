"""Images as PNG files."""

import cv2
import numpy as np
from numpy.typing import NDArray


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a grey PNG file of pixels, shape ``(height, width)``."""
    _, encoded = cv2.imencode(".png", pixels)
    return encoded.tobytes()
