"""Labelled images that are nobody else's."""

from pathlib import Path

import numpy as np

from pipeline.images.encoding import png


def write_labelled(directory: Path, rng: np.random.Generator, count: int) -> None:
    """Write files of all digits, in directories called after them."""
    for number in range(count):
        image = np.zeros((28, 28), np.uint8)
        image[4:24, 8:20] = rng.integers(0, 2, (20, 12)) * 255
        path = directory / str(number % 10) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
