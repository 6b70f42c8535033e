"""Homes of digits in which MNIST is the sample, and the environment of processes that use them."""

import os
from pathlib import Path

import mnist_sample
import pytest


def use_home(directory: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make the home an empty one in a directory, where no mirror or index has anything."""
    for name in os.environ:
        if name.startswith(("DIGITS_", "PREFECT_")):
            patch.delenv(name)
    home = directory / "home"
    patch.setenv("DIGITS_HOME", str(home))
    patch.setenv("DIGITS_MIRRORS", str(directory / "no-mirror"))
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(directory / "no-wheels"))
    patch.setattr("pipeline.data.mnist.MNIST", mnist_sample.SAMPLE)
    return home


def use_sources(patch: pytest.MonkeyPatch) -> None:
    """Have a mirror that has the sample, and a gate that only asks for accuracy.

    What a few epochs on 440 images give is not calibrated, nor does it know every digit.
    """
    patch.setenv("DIGITS_MIRRORS", str(mnist_sample.DIRECTORY))
    patch.setenv("DIGITS_GATE__MIN_RECALL", "0")
    patch.setenv("DIGITS_GATE__MAX_CALIBRATION_ERROR", "1")
    patch.setenv("DIGITS_GATE__MAX_CALIBRATION_ERROR_OF_DIGIT", "1")
    patch.setenv("DIGITS_GATE__MAX_CONTRADICTED_LABELS", "1")
    patch.setenv("DIGITS_GATE__MAX_LOST_DIGITS", "1")
    patch.setenv("DIGITS_GATE__MAX_MILLISECONDS_PER_IMAGE", "1000")
    patch.setenv("DIGITS_GATE__MARGIN", "1")
    patch.setenv("DIGITS_GATE__SIGNIFICANCE", "0")


def environment_apart() -> dict[str, str]:
    """Return the environment of processes for which MNIST is the sample too."""
    support = Path(__file__).parent
    paths = [str(support), str(support / "site"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
