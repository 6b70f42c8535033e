"""A picture of the steps from an image file to what the network sees."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images.decoding import UnreadableImageError, decode
from pipeline.images.normalization import SIDE, BlankError, are_normalized, normalize
from pipeline.images.reading import BLANK, read_bytes

# Pixels along each edge of a panel.
_PANEL_SIDE = 280
_MARGIN = 20


def explanation(path: Path) -> NDArray[np.uint8]:
    """Return a picture of each step from a file to what the network sees.

    Raises
    ------
    UnreadableImageError
    """
    grey = decode(read_bytes(path))
    try:
        steps = normalize(grey)
    except BlankError:
        raise UnreadableImageError(BLANK) from None
    polarity = "dark on light" if steps.is_dark_on_light else "light on dark"
    pictures = [
        _panel(steps.grey, f"read, {grey.shape[1]} x {grey.shape[0]}"),
        _panel(steps.ink, f"ink: {polarity}"),
        _panel(steps.cropped, f"cropped, {steps.cropped.shape[1]} x {steps.cropped.shape[0]}"),
        _panel(steps.normalized, "by centre of mass in 28 x 28"),
    ]
    if grey.shape == (SIDE, SIDE) and are_normalized(grey[np.newaxis])[0]:
        pictures.append(_panel(grey, "like MNIST: auto leaves it as is"))
    return np.hstack(pictures)


def _panel(image: NDArray[np.uint8], title: str) -> NDArray[np.uint8]:
    """Return an image on a white square, below its title."""
    scale = _PANEL_SIDE / max(image.shape)
    height, width = (max(1, round(length * scale)) for length in image.shape)
    way = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    panel = np.full((_PANEL_SIDE + 3 * _MARGIN, _PANEL_SIDE + 2 * _MARGIN), 255, np.uint8)
    top, left = 2 * _MARGIN, _MARGIN
    panel[top : top + height, left : left + width] = cv2.resize(
        image, (width, height), interpolation=way
    )
    cv2.rectangle(panel, (left - 1, top - 1), (left + width, top + height), 160)
    place = (left, _MARGIN + 5)
    cv2.putText(panel, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1, cv2.LINE_AA)
    return panel
