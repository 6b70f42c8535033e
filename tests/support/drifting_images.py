"""A user's labelled images: digits in a handwriting that drifts away from MNIST's."""

import shutil
from pathlib import Path

import cv2
import numpy as np

from pipeline.images.encoding import png
from pipeline.images.readings import first_reading

SIDE = 28

# Degrees that digits lean by when they have drifted all the way, and how far single ones stray.
_LEAN, _STRAY = 40, 6


def drifted(image: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A digit as it is written when this share of the way is gone: it leans, the pen is broad.

    Parameters
    ----------
    image : ndarray of uint8, shape (28, 28)
        0 is paper, 255 is ink.
    share : float
        In [0, 1].
    """
    angle = share * _LEAN + rng.normal(0, _STRAY)
    centre = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    turned = cv2.warpAffine(
        image, cv2.getRotationMatrix2D(centre, angle, 1), (SIDE, SIDE), flags=cv2.INTER_LINEAR
    )
    broad = cv2.dilate(turned, np.ones((2, 2), np.uint8))
    written = np.rint((1 - share) * turned + share * broad).astype(np.uint8)
    # As MNIST's are: else every retraining would do it, for every image.
    return first_reading(written).image


class LabelledImages:
    """Directories ``0`` to ``9`` that images come into, each night some more."""

    def __init__(
        self, directory: Path, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> None:
        self._directory = directory
        self._digits = zip(images, labels.tolist(), strict=True)
        self._rng = rng
        for digit in range(10):
            (directory / str(digit)).mkdir(parents=True)

    def add(self, night: int, count: int, share: float) -> None:
        """Write the next digits, as they are written that night."""
        for number in range(count):
            image, label = next(self._digits)
            name = f"{night:02}-{number:05}.png"
            pixels = drifted(image, share, self._rng)
            (self._directory / str(label) / name).write_bytes(png(pixels))

    def mislabel(self, night: int, digit: int, other: int) -> None:
        """Take a night's images of a digit for another one."""
        for file in self._of(night, digit):
            file.rename(self._directory / str(other) / f"{file.stem}-was-{digit}.png")

    def mend(self, night: int, digit: int, other: int) -> None:
        """Take back what `mislabel` did."""
        for file in (self._directory / str(other)).glob(f"{night:02}-*-was-{digit}.png"):
            file.rename(self._directory / str(digit) / file.name)

    def contradict(self, night: int, digit: int, other: int) -> None:
        """Label one image of a night as another digit too."""
        file = self._of(night, digit)[0]
        shutil.copy(file, self._directory / str(other) / file.name)

    def _of(self, night: int, digit: int) -> list[Path]:
        return sorted((self._directory / str(digit)).glob(f"{night:02}-?????.png"))
