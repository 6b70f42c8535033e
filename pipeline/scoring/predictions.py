"""Predictions as a Parquet data set: a file for each shard, which tells what it comes to."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import files
from pipeline.metrics.counts import DIGITS, PredictionCounts
from pipeline.scoring.answers import Rows
from pipeline.scoring.review import LowConfidence
from registry import ModelVersion

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
"""Of every file."""

_PROBABILITIES = pa.field("probabilities", pa.list_(pa.float32(), DIGITS))

WITH_PROBABILITIES = pa.schema([*_FIELDS[:3], _PROBABILITIES, *_FIELDS[3:]])
"""Of every file, where probabilities were asked for."""


REVIEWED = ("path", "prediction", "confidence")
"""Columns of what a person should look at."""


def path(directory: Path, shard: int) -> Path:
    """Return the file of a shard."""
    return directory / f"part-{shard:06}.parquet"


def write(
    target: Path,
    version: ModelVersion,
    rows: Rows,
    counts: PredictionCounts,
    least_certain: Iterable[LowConfidence],
    *,
    with_probabilities: bool,
) -> None:
    """Write a shard: a row for every path, in order."""
    paths, reasons = rows.paths, rows.reasons
    probabilities, novelty = rows.probabilities, rows.novelty
    missing = np.zeros(len(paths), bool)
    missing[list(reasons)] = True
    scored = ~missing
    prediction = np.zeros(len(paths), np.uint8)
    prediction[scored] = probabilities.argmax(axis=1)
    confidence = np.zeros(len(paths), np.float32)
    confidence[scored] = probabilities.max(axis=1)
    columns = {
        "path": paths,
        "prediction": pa.array(prediction, mask=missing),
        "confidence": pa.array(confidence, mask=missing),
        "novelty": pa.array(novelty, mask=np.isnan(novelty)),
        "error": _sparse(reasons, len(paths)),
        "notes": _sparse(rows.notes, len(paths)),
        "model_name": pa.repeat(version.name, len(paths)),
        "model_version": pa.repeat(version.number, len(paths)),
        "model_sha256": pa.repeat(version.sha256, len(paths)),
    }
    schema = SCHEMA
    if with_probabilities:
        schema = WITH_PROBABILITIES
        every = np.zeros((len(paths), DIGITS), np.float32)
        every[scored] = probabilities
        values = pa.array(every.ravel())
        columns["probabilities"] = pa.FixedSizeListArray.from_arrays(
            values, DIGITS, mask=pa.array(missing)
        )
    schema = schema.with_metadata(
        {
            _COUNTS: json.dumps(counts.as_json()),
            _LEAST_CERTAIN: json.dumps([image.as_json() for image in least_certain]),
        }
    )
    table = pa.table({name: columns[name] for name in schema.names}, schema=schema)
    with files.replacing(target) as temporary:
        pq.write_table(table, temporary)


def _sparse(texts: dict[int, str], count: int) -> Any:
    if not texts:
        return pa.nulls(count, pa.string())
    return pa.array([texts.get(place) for place in range(count)], pa.string())


def less_certain(part: Path, confidence: float) -> list[tuple[str, int, float]]:
    """Return path, prediction and confidence of a shard's images of less confidence."""
    table = pq.read_table(part, columns=list(REVIEWED), filters=pc.field("confidence") < confidence)
    return list(zip(*(table[name].to_pylist() for name in REVIEWED), strict=True))


def read_sums(part: Path) -> tuple[PredictionCounts, tuple[LowConfidence, ...]]:
    """Return what a shard comes to, and its least certain images."""
    metadata = pq.read_schema(part).metadata
    least_certain = json.loads(metadata[_LEAST_CERTAIN])
    return PredictionCounts.from_json(json.loads(metadata[_COUNTS])), tuple(
        map(LowConfidence.from_json, least_certain)
    )
