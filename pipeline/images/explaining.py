"""A picture of the steps from an image file to what the network sees."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images.decoding import UnreadableImageError, decode
from pipeline.images.framing import SIDE
from pipeline.images.ink import Polarity
from pipeline.images.normalization import are_normalized
from pipeline.images.reading import BLANK, read_bytes
from pipeline.images.readings import Reading, Steps, first_reading, other_readings

# Pixels along each edge of a panel.
_PANEL_SIDE = 280
_MARGIN = 20

# What was ink and is not the digit's is this much darker than the digit.
_REMOVED = 3


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """What became of an image in a step."""

    title: str
    image: NDArray[np.uint8]
    """Shape ``(height, width)``."""


def explanation(path: Path, polarity: Polarity = "auto") -> NDArray[np.uint8]:
    """Return a picture of each step from a file to what the network sees, side by side.

    Raises
    ------
    UnreadableImageError
    """
    steps = explained_steps(decode(read_bytes(path)), polarity)
    return np.hstack([_panel(step.image, step.title) for step in steps])


def explained_steps(grey: NDArray[np.uint8], polarity: Polarity = "auto") -> list[ExplainedStep]:
    """Return each step from an image to what the network sees.

    If another reading of the image is close, each that the network is asked about is among them:
    the surer answer is taken.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
    polarity : {"auto", "dark", "light"}
        Whether the ink is darker or lighter than the paper.

    Raises
    ------
    UnreadableImageError
        If there is nothing to be seen.
    """
    reading = first_reading(grey, polarity)
    others = other_readings(grey, polarity, reading) if reading.is_close else []
    readings = [way for way in (reading, *others) if way.image is not None]
    if not readings:
        raise UnreadableImageError(BLANK)
    explained = [ExplainedStep(f"read, {grey.shape[1]} x {grey.shape[0]}", grey)]
    if readings[0].steps is not None:
        explained += _normalization(readings[0], readings[0].steps)
    explained += [
        ExplainedStep(_title(way), way.image) for way in readings if way.image is not None
    ]
    if grey.shape == (SIDE, SIDE) and are_normalized(grey[np.newaxis])[0]:
        explained.append(ExplainedStep("like MNIST: auto leaves it as is", grey))
    return explained


def _normalization(reading: Reading, steps: Steps) -> list[ExplainedStep]:
    bright = cv2.normalize(steps.ink, np.zeros_like(steps.ink), 0, 255, cv2.NORM_MINMAX)
    ink = bright.astype(np.uint8)
    kept = np.where(steps.digit > 0, ink, ink // _REMOVED)
    removed = ", ".join(note for note in reading.notes if note.endswith("removed"))
    height, width = steps.cropped.shape
    return [
        ExplainedStep(f"ink: {_polarity(reading)}", ink),
        ExplainedStep(removed or "nothing removed", kept),
        ExplainedStep(f"cropped, {width} x {height}", steps.cropped),
    ]


def _title(reading: Reading) -> str:
    done = [note for note in reading.notes if not note.endswith("removed")]
    return ", ".join([f"seen: {_polarity(reading)}", *done])


def _polarity(reading: Reading) -> str:
    return "dark on light" if reading.is_dark_on_light else "light on dark"


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
    cv2.putText(panel, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 0, 1, cv2.LINE_AA)
    return panel
