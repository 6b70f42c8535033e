"""The options and the outcome of a scoring."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.images.ink import Polarity
from pipeline.images.reading import Normalize
from pipeline.metrics.counts import PredictionCounts
from pipeline.metrics.drift import Drift
from pipeline.scoring.review import LowConfidence
from registry import ModelVersion

DATA_SET = "predictions"
"""Directory of the Parquet data set in the output."""

SUMMARY = "summary.json"
"""File of the output with the counts over all predictions."""


@dataclass(frozen=True, slots=True)
class Options:
    """How images are scored: with the version, this decides on every row."""

    normalize: Normalize = "auto"
    """Which images are normalized: those unlike MNIST's, all, or none."""
    ink: Polarity = "auto"
    """Whether the ink is darker or lighter than the paper."""
    split: int | None = None
    """Number of digits that each image is cut into; 0 if that is not known, None for no cut."""
    reject: float | None = None
    """Images whose novelty, a p-value, is smaller get no prediction."""
    probabilities: bool = False
    """Whether the data set has the probability of each digit."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """The outcome of a scoring."""

    version: ModelVersion
    """The version that scored every image."""
    path: Path
    """The Parquet data set."""
    counts: PredictionCounts
    """The counts over its rows."""
    drift: tuple[Drift, ...]
    """Drift from the images that the gate measured the version on; empty if it has no profile."""
    least_certain: tuple[LowConfidence, ...]
    """The least certain predictions, in ascending confidence; at most 24."""
    failed: tuple[tuple[str, str], ...]
    """Path and reason of the first images without a prediction; at most 10."""
    review: int
    """Number of images in the list to review."""
    review_path: Path | None
    """The list to review: ``review.csv``, or another name if that was edited."""
    resumed: int
    """Number of images that an earlier run had scored already."""
    seconds: float
    """Wall time of this run."""
