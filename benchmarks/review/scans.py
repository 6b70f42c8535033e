"""Batches of scans in a handwriting that drifts away from MNIST's, and what is wrong in them."""

from pathlib import Path

import numpy as np
from drifting_images import drifted
from numpy.typing import NDArray

from pipeline.images.encoding import png
from pipeline.review.rows import Rows
from pipeline.review.scored_batch import ScoredBatch
from pipeline.scoring import specimens

REVIEWED = 0.05
"""The share of a batch that is reviewed."""


def write_scans(
    directory: Path, images: NDArray[np.uint8], share: float, rng: np.random.Generator
) -> None:
    """Write digits as scans, each under its number: ``00012.png``.

    Parameters
    ----------
    directory : Path
    images : ndarray of uint8, shape (n, 28, 28)
    share : float
        How far the handwriting has drifted, in [0, 1].
    rng : numpy.random.Generator
    """
    directory.mkdir(parents=True)
    for number, image in enumerate(images):
        sheet = specimens.margin(drifted(image, share, rng), rng)
        (directory / f"{number:05}.png").write_bytes(png(sheet))


def found(batch: ScoredBatch, labels: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Return what a review of a share of a batch finds.

    Returns
    -------
    wrong : int
        Wrong predictions of the batch.
    found : int
        Those of them among the images that come first in the queue.
    reviewed : int
        Number of these images.
    """
    truth = np.array([labels[int(batch.path_of(row)[:5])] for row in range(len(batch))])
    is_wrong = batch.prediction != truth
    reviewed = round(REVIEWED * len(batch))
    first = list(Rows([batch]).to_review(sample=False))[:reviewed]
    return int(is_wrong.sum()), int(is_wrong[first].sum()), reviewed
