"""Predictions as a Parquet data set: one file for each shard, with its counts as metadata."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import files
from pipeline.errors import DamagedDataError
from pipeline.metrics.counts import DIGITS, PredictionCounts
from pipeline.scoring.answers import Rows
from pipeline.scoring.review import LowConfidence
from registry import ModelVersion

_FINGERPRINT = b"digits.fingerprint"
_COUNTS = b"digits.counts"
_LEAST_CERTAIN = b"digits.least_certain"

_FIELDS = [
    pa.field("path", pa.string(), nullable=False),
    pa.field("prediction", pa.uint8()),
    pa.field("confidence", pa.float32()),
    pa.field("novelty", pa.float32()),
    pa.field("error", pa.string()),
    pa.field("notes", pa.string()),
    pa.field("model_name", pa.string(), nullable=False),
    pa.field("model_version", pa.int64(), nullable=False),
    pa.field("model_sha256", pa.string(), nullable=False),
]

SCHEMA = pa.schema(_FIELDS)
"""Schema of every file."""

_PROBABILITIES = pa.field("probabilities", pa.list_(pa.float32(), DIGITS))

WITH_PROBABILITIES = pa.schema([*_FIELDS[:3], _PROBABILITIES, *_FIELDS[3:]])
"""Schema of every file if the data set has probabilities."""

# A dictionary of values that hardly repeat, such as paths, only takes time and space.
_REPEATED = ["prediction", "error", "notes", "model_name", "model_version", "model_sha256"]

REVIEW_COLUMNS = ("path", "prediction", "confidence")
"""Columns of the list of predictions to review."""


def path(directory: Path, shard: int) -> Path:
    """Return the file of a shard's predictions."""
    return directory / f"part-{shard:06}.parquet"


def shard_of(part: Path) -> int:
    """Return the shard that a file has the predictions of."""
    return int(part.stem.removeprefix("part-"))


def write(
    target: Path,
    version: ModelVersion,
    rows: Rows,
    counts: PredictionCounts,
    least_certain: Iterable[LowConfidence],
    *,
    fingerprint: str,
    with_probabilities: bool,
) -> None:
    """Write the predictions of a shard: one row for each path, in order.

    Parameters
    ----------
    target : Path
    version : ModelVersion
    rows : Rows
    counts : PredictionCounts
    least_certain : iterable of LowConfidence
    fingerprint : str
        That of the shard, before its images were read.
    with_probabilities : bool
        Whether the file gets a column of probabilities.
    """
    paths, novelty = rows.paths, rows.novelty
    missing = np.zeros(len(paths), bool)
    missing[list(rows.reasons)] = True
    columns = {
        "path": paths,
        **_prediction_columns(rows.probabilities, missing),
        "novelty": pa.array(novelty, mask=np.isnan(novelty)),
        "error": _text_column(rows.reasons, len(paths)),
        "notes": _text_column(rows.notes, len(paths)),
        "model_name": pa.repeat(version.name, len(paths)),
        "model_version": pa.repeat(version.number, len(paths)),
        "model_sha256": pa.repeat(version.sha256, len(paths)),
    }
    schema = (WITH_PROBABILITIES if with_probabilities else SCHEMA).with_metadata(
        {
            _FINGERPRINT: fingerprint,
            _COUNTS: json.dumps(counts.as_json()),
            _LEAST_CERTAIN: json.dumps([prediction.as_json() for prediction in least_certain]),
        }
    )
    table = pa.table({name: columns[name] for name in schema.names}, schema=schema)
    with files.atomic_file(target) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            use_dictionary=_REPEATED,
            write_page_checksum=True,
        )


def _prediction_columns(
    probabilities: NDArray[np.float32], missing: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return prediction, confidence and probabilities, null for images that are missing."""
    rows = np.zeros((len(missing), DIGITS), np.float32)
    rows[~missing] = probabilities
    return {
        "prediction": pa.array(rows.argmax(axis=1).astype(np.uint8), mask=missing),
        "confidence": pa.array(rows.max(axis=1), mask=missing),
        "probabilities": pa.FixedSizeListArray.from_arrays(
            pa.array(rows.ravel()), DIGITS, mask=pa.array(missing)
        ),
    }


def _text_column(texts: dict[int, str], count: int) -> Any:
    if not texts:
        return pa.nulls(count, pa.string())
    return pa.array([texts.get(index) for index in range(count)], pa.string())


def verified_fingerprint(part: Path) -> str:
    """Read a shard's predictions to their end, and return the fingerprint of the shard.

    Raises
    ------
    FileNotFoundError
        If there are none.
    DamagedDataError
        If they cannot be read.
    """
    with part.open("rb") as stream:
        try:
            with pq.ParquetFile(stream, page_checksum_verification=True) as file:
                for _ in file.iter_batches(use_threads=False):
                    pass
                metadata = file.schema_arrow.metadata
            _counts(metadata)
            fingerprint: bytes = metadata[_FINGERPRINT]
            return fingerprint.decode()
        except (OSError, pa.ArrowException, LookupError, TypeError, ValueError) as error:
            raise DamagedDataError(f"{part} cannot be read as predictions ({error}).") from None


def read_fingerprint(part: Path) -> str | None:
    """Return the fingerprint of the shard whose predictions a file has; None if it has none."""
    try:
        fingerprint: bytes = pq.read_schema(part).metadata[_FINGERPRINT]
    except (OSError, pa.ArrowException, LookupError, TypeError):
        return None
    return fingerprint.decode()


def read_below(part: Path, confidence: float) -> list[tuple[str, int, float]]:
    """Return path, prediction and confidence of a shard's predictions below a confidence."""
    below = pc.field("confidence") < confidence
    table = pq.read_table(part, columns=list(REVIEW_COLUMNS), filters=below)
    return list(zip(*(table[name].to_pylist() for name in REVIEW_COLUMNS), strict=True))


def read_failed(part: Path) -> list[tuple[str, str]]:
    """Return path and error of a shard's images without a prediction."""
    counts, _ = read_counts(part)
    if not counts.errors:
        return []
    columns = ["path", "error"]
    table = pq.read_table(part, columns=columns, filters=pc.field("error").is_valid())
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


def read_counts(part: Path) -> tuple[PredictionCounts, tuple[LowConfidence, ...]]:
    """Return the counts of a shard, and its least certain predictions."""
    return _counts(pq.read_schema(part).metadata)


def _counts(
    metadata: Mapping[bytes, bytes],
) -> tuple[PredictionCounts, tuple[LowConfidence, ...]]:
    least_certain = json.loads(metadata[_LEAST_CERTAIN])
    return PredictionCounts.from_json(json.loads(metadata[_COUNTS])), tuple(
        map(LowConfidence.from_json, least_certain)
    )
