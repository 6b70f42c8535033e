"""Draws `pictures/kinds.png`: an image of each kind, and what the network sees of it.

The digits are MNIST's; `pipeline.scoring.specimens` draws them as people send them.
"""

import gzip
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from mnist_sample import DIRECTORY
from numpy.typing import NDArray

from pipeline.images.readings import Reading, first_reading
from pipeline.scoring import specimens

_TITLES = {
    "margin": "with a margin",
    "tight_crop": "a tight crop",
    "boxed": "a form cell",
    "two_borders": "two borders",
    "comb": "a comb field",
    "ruled": "ruled paper",
    "squared": "squared paper",
    "underlined": "an underline",
    "thin": "a ballpoint pen",
    "faint": "faint strokes",
    "specks": "dust",
    "neighbours": "parts of neighbours",
    "tiny8": "8 × 8 pixels",
    "photograph": "uneven light",
}
_COLUMNS = 2


def draw(path: Path) -> None:
    """Write the picture to a file."""
    figure = Figure(figsize=(8.4, 9.8), dpi=96)
    panels = figure.subplots(len(_TITLES) // _COLUMNS, 3 * _COLUMNS)
    for row in panels:
        for axes in row:
            axes.set_axis_off()
    for index, (kind, title) in enumerate(_TITLES.items()):
        row, column = divmod(index, _COLUMNS)
        sent = specimens.KINDS[kind](_digits()[20 + index], np.random.default_rng(index))
        reading = first_reading(sent, "auto")
        pictures = zip(panels[row, 3 * column :], _steps(sent, reading), strict=False)
        for axes, (name, picture) in pictures:
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
            axes.set_title(name or title, fontsize=8, loc="left", color="#555555")
    figure.tight_layout(pad=0.6)
    figure.savefig(path)
    # 16 greys are enough, and take a third of the bytes.
    greys = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert greys is not None
    cv2.imwrite(str(path), greys // 16 * 17, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _steps(sent: NDArray[np.uint8], reading: Reading) -> list[tuple[str, NDArray[np.uint8]]]:
    assert reading.image is not None
    if reading.steps is None:
        return [("", sent), ("the network sees", reading.image)]
    ink = cv2.normalize(
        reading.steps.ink, np.empty_like(reading.steps.ink), 0, 255, cv2.NORM_MINMAX
    )
    kept = np.where(reading.steps.digit > 0, ink, ink // 4).astype(np.uint8)
    return [("", sent), ("kept (bright)", kept), ("the network sees", reading.image)]


def _digits() -> NDArray[np.uint8]:
    data = gzip.decompress((DIRECTORY / "train-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28)


if __name__ == "__main__":
    draw(Path(__file__).parent / "pictures" / "kinds.png")
