"""Decisions as labelled images to train on."""

from collections.abc import Mapping
from pathlib import Path

from pipeline import files
from pipeline.review import kept_images
from pipeline.review.decision_file import DecisionFile
from pipeline.review.decisions import NO_DIGIT, Decision
from pipeline.scoring.review_files import write_table

FILE_NAME = "labels.csv"
"""File in the directory of reviews with the digit of each reviewed image."""


def write_labels(directory: Path) -> tuple[Path, int]:
    """Write what the decisions say now as a label table; return it and its number of labels.

    It lies beside the kept images, so the directory is a source of labelled images like any other.
    Images that are no digit are not in it.

    Parameters
    ----------
    directory : Path
        The directory of reviews.
    """
    with files.locked(directory):
        files.remove_leftovers(directory)
        labels = digits(DecisionFile(directory).refresh().verdicts())
        rows = [(kept_images.relative_path(sha256), label) for sha256, label in labels.items()]
        target = directory / FILE_NAME
        write_table(target, ("path", "label"), sorted(rows))
    return target, len(rows)


def digits(verdicts: Mapping[str, Decision]) -> dict[str, str]:
    """Return the digit of each image that is one, by SHA-256."""
    return {
        sha256: verdict.decision
        for sha256, verdict in verdicts.items()
        if verdict.decision != NO_DIGIT
    }
