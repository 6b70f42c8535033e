"""The options and the outcome of a scoring."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InvalidParameterError
from pipeline.images.ink import Polarity
from pipeline.images.reading import INK, NORMALIZE, Normalize
from pipeline.metrics.counts import PredictionCounts
from pipeline.metrics.drift import Drift
from pipeline.scoring.review import LowConfidence
from pipeline.summaries import Summarized, counted
from registry import ModelVersion

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

    from pipeline.scoring.shadow import ShadowScoring

DATA_SET = "predictions"
"""Directory of the Parquet data set in the output."""

SUMMARY = "summary.json"
"""File of the output with the counts over all predictions."""


@dataclass(frozen=True, slots=True)
class Options:
    """How images are scored: with the version, this decides on every row.

    Raises
    ------
    InvalidParameterError
        If a value is outside its domain.
    """

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

    def __post_init__(self) -> None:
        if self.normalize not in NORMALIZE:
            raise InvalidParameterError(
                "normalize", f"one of {', '.join(NORMALIZE)}", self.normalize
            )
        if self.ink not in INK:
            raise InvalidParameterError("ink", f"one of {', '.join(INK)}", self.ink)
        if self.split is not None and self.split < 0:
            raise InvalidParameterError("split", "a number of digits, or 0", self.split)
        if self.reject is not None and not 0 < self.reject < 1:
            raise InvalidParameterError("reject", "a fraction in (0, 1)", self.reject)


@dataclass(frozen=True, slots=True, repr=False)
class Scoring(Summarized):
    """The outcome of a scoring; iterating over it yields its rows as dicts."""

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
    left_out: Mapping[str, int]
    """Number of files and directories in the inputs that were not taken for images, by kind."""
    label_sources: tuple[str, ...]
    """What was taken for labels: ``labels.csv``, ``directories 0 to 9``; empty if nothing was."""
    resumed: int
    """Number of images that an earlier run had scored already."""
    seconds: float
    """Wall time of this run."""
    tables: tuple[Path, ...] = ()
    """The predictions in other formats than Parquet."""
    shadow: "ShadowScoring | None" = None
    """What another version said about the same images; None if none was asked."""

    @property
    def message(self) -> str:
        """The outcome in a line."""
        return f"{counted(self.counts.files, 'image')} scored with {self.version.reference}"

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name."""
        counts = self.counts
        values: dict[str, object] = {
            "version": self.version.reference,
            "images": f"{counts.files:,}",
            "not scored": f"{counts.errors.total():,}",
        }
        if counts.accuracy is not None:
            values["accuracy"] = f"{counts.accuracy:.4f} of {counts.labelled:,}"
        if self.review:
            values["to review"] = f"{self.review:,}"
        return {**values, "predictions": self.path}

    def to_arrow(self) -> "pa.Table":
        """Return the rows of the data set, in the order of the images."""
        import pyarrow.parquet as pq

        return pq.read_table(self.path)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the rows of the data set as a table of pandas, which must be installed."""
        return self.to_arrow().to_pandas()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        import pyarrow.parquet as pq

        for part in sorted(self.path.glob("part-*.parquet")):
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches():
                    yield from batch.to_pylist()
