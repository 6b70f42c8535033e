"""Images handed to processes that are measured, and that must not import the pipeline."""

from pathlib import Path

import numpy as np


def save(directory: Path, name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Write a split's images and labels."""
    np.save(directory / f"{name}-images.npy", images)
    np.save(directory / f"{name}-labels.npy", labels)


def load(directory: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return them as they were: uint8, shapes (n, 28, 28) and (n,)."""
    return np.load(directory / f"{name}-images.npy"), np.load(directory / f"{name}-labels.npy")
