"""A home in which MNIST is the sample of the tests, and what is in it after a while."""

import os
from pathlib import Path

import mnist_sample

from pipeline.jobs.inbox import IMAGES
from pipeline.settings import Settings


def use_sample(home: Path) -> None:
    """Use a home, the sample, and a gate that what a few images teach can pass."""
    for name in list(os.environ):
        if name.startswith(("DIGITS_", "PREFECT_")):
            del os.environ[name]
    os.environ |= {
        "DIGITS_HOME": str(home),
        "DIGITS_MIRRORS": str(mnist_sample.DIRECTORY),
        "DIGITS_GATE__MIN_ACCURACY": "0.3",
        "DIGITS_GATE__MIN_RECALL": "0",
        "DIGITS_GATE__MAX_CALIBRATION_ERROR": "1",
        "DIGITS_GATE__MAX_CALIBRATION_ERROR_OF_DIGIT": "1",
        "DIGITS_GATE__MAX_CONTRADICTED_LABELS": "1",
        "DIGITS_GATE__MAX_LOST_DIGITS": "1",
        "DIGITS_GATE__MAX_MILLISECONDS_PER_IMAGE": "1000",
        "DIGITS_GATE__MARGIN": "1",
        "DIGITS_GATE__SIGNIFICANCE": "0",
    }


def sizes(settings: Settings, outbox: Path) -> dict[str, int]:
    """Return the bytes that each part of a home and an outbox takes, by the name of the part.

    Weights and images stand by themselves: their size depends on the user.
    """
    images = sum(_size(batch / IMAGES) for batch in outbox.glob("2*"))
    parts = {
        "weights": _size(settings.home / "blobs"),
        "images in the outbox": images,
        "sets of labelled images": _size(settings.labelled),
        "registry.db": _size(settings.home / "registry.db"),
        "records of runs": _size(settings.runs),
        "predictions and summaries in the outbox": _size(outbox) - images,
        "database of the Prefect server": _size(settings.home / "prefect"),
    }
    parts["the rest of the home"] = _size(settings.home) - sum(
        size for what, size in parts.items() if "outbox" not in what
    )
    beside = {"weights", "images in the outbox", "sets of labelled images"}
    parts["beside weights and images"] = sum(
        size for what, size in parts.items() if what not in beside
    )
    return parts


def _size(path: Path) -> int:
    """Return what a file or a directory takes on disk, in bytes."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_blocks * 512 for file in files)
