"""A shadow: another version that looks at the same images, and decides on nothing.

The rows of the version that scores are the same with a shadow and without. The images on which the
two disagree are a Parquet data set of their own, with a file for each shard.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nn import NeuralNetwork
from pipeline import files
from pipeline.metrics.confidence import softened
from pipeline.metrics.significance import mcnemar
from pipeline.scoring.answers import Answers
from pipeline.scoring.predictions import path as part_path
from registry import ModelVersion

SHADOW = "shadow"
"""Directory of the data set of disagreements in the output."""

_FIGURES = b"digits.shadow"

_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("prediction", pa.uint8(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("shadow_prediction", pa.uint8(), nullable=False),
        pa.field("shadow_confidence", pa.float32(), nullable=False),
        pa.field("label", pa.uint8()),
    ]
)


@dataclass(slots=True)
class Comparison:
    """How the predictions of two versions compare, in counts that add up."""

    compared: int = 0
    """Images that both versions predicted."""
    disagreements: int = 0
    """Images that they predicted differently."""
    only_scorer_right: int = 0
    """Labelled images that only the version that scored predicted right."""
    only_shadow_right: int = 0
    """Labelled images that only the shadow predicted right."""

    def __iadd__(self, other: "Comparison") -> "Comparison":
        self.compared += other.compared
        self.disagreements += other.disagreements
        self.only_scorer_right += other.only_scorer_right
        self.only_shadow_right += other.only_shadow_right
        return self

    @property
    def p_value(self) -> float:
        """McNemar's exact test, one-sided: small if the shadow is worse by more than chance."""
        return mcnemar(self.only_scorer_right, self.only_shadow_right)


@dataclass(frozen=True, slots=True)
class ShadowScoring:
    """What a shadow said about the images of a scoring."""

    version: ModelVersion
    comparison: Comparison
    path: Path
    """The Parquet data set of the images that the two versions predicted differently."""


@dataclass
class Disagreements:
    """The disagreements of a shard."""

    network: NeuralNetwork
    """The shadow's."""
    sha256: str
    """SHA-256 of its weights."""
    comparison: Comparison = field(default_factory=Comparison)
    rows: list[dict[str, object]] = field(default_factory=list)

    def add(
        self,
        paths: Iterable[str],
        answers: Answers,
        labels: NDArray[np.int8],
    ) -> None:
        """Compare the predictions of some images with those of the shadow.

        Parameters
        ----------
        paths : iterable of str
            Those of the images that have a prediction.
        answers : Answers
            Those of the version that scores.
        labels : ndarray of int8, shape (n,)
            Negative if unknown.
        """
        images, probabilities = answers.images, answers.probabilities
        others = softened(self.network.predict_proba(images), answers.is_normalized)
        first, second = probabilities.argmax(axis=1), others.argmax(axis=1)
        differs = first != second
        self.comparison += Comparison(
            len(images),
            int(np.count_nonzero(differs)),
            int(np.count_nonzero(differs & (first == labels))),
            int(np.count_nonzero(differs & (second == labels))),
        )
        names = list(paths)
        for index in np.flatnonzero(differs).tolist():
            row = {
                "path": names[index],
                "prediction": int(first[index]),
                "confidence": float(probabilities[index].max()),
                "shadow_prediction": int(second[index]),
                "shadow_confidence": float(others[index].max()),
                "label": int(labels[index]) if labels[index] >= 0 else None,
            }
            self.rows.append(row)

    def write(self, output: Path, shard: int) -> None:
        """Write the disagreements of a shard."""
        figures = json.dumps({"sha256": self.sha256, **asdict(self.comparison)})
        table = pa.Table.from_pylist(self.rows, _SCHEMA.with_metadata({_FIGURES: figures}))
        target = part_path(output / SHADOW, shard)
        target.parent.mkdir(exist_ok=True)
        with files.atomic_file(target) as file:
            pq.write_table(table, file)


def has_shadow(output: Path, shard: int, sha256: str) -> bool:
    """Tell whether a shard was compared with a shadow of these weights."""
    return _read(output, shard, sha256) is not None


def shadow_scoring(output: Path, shards: int, version: ModelVersion) -> ShadowScoring:
    """Return what a shadow said about all shards."""
    comparison = Comparison()
    for shard in range(shards):
        comparison += _read(output, shard, version.sha256) or Comparison()
    return ShadowScoring(version, comparison, output / SHADOW)


def _read(output: Path, shard: int, sha256: str) -> Comparison | None:
    try:
        metadata = pq.read_schema(part_path(output / SHADOW, shard)).metadata
        figures = json.loads(metadata[_FIGURES])
    except (OSError, pa.ArrowException, LookupError, TypeError, ValueError):
        return None
    return Comparison(**figures) if figures.pop("sha256") == sha256 else None
