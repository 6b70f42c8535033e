"""Scoring: a directory of image files into a Parquet file of predictions.

Every image file gets one row: a prediction, or the reason why there is none.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nn import NeuralNetwork
from pipeline import files
from pipeline.errors import InputError, OutputError
from pipeline.images import SIDE, SUFFIXES, UnreadableImageError, read_image
from pipeline.labels import read_labels
from pipeline.progress import report
from pipeline.references import full_reference, open_registry
from pipeline.settings import Settings, load_settings
from pipeline.stages import Runner, directly
from registry import ModelVersion

FILE_NAME = "predictions.parquet"

# Images decoded and scored at once: enough to keep BLAS busy, small beside the rest.
_BATCH = 1024

SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("prediction", pa.uint8()),
        pa.field("confidence", pa.float32()),
        pa.field("error", pa.string()),
        pa.field("model_name", pa.string(), nullable=False),
        pa.field("model_version", pa.int64(), nullable=False),
        pa.field("model_sha256", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Digit:
    """The images that were taken for one digit."""

    count: int
    mean_confidence: float


@dataclass(frozen=True, slots=True)
class Scoring:
    """What a scoring came to."""

    version: ModelVersion
    """The one that scored every image."""
    path: Path
    """The Parquet file."""
    files: int
    """How many there were, each with a row."""
    digits: dict[int, Digit]
    """By digit, 0 to 9."""
    errors: dict[str, int]
    """How many files could not be scored, by reason."""
    labelled: int
    """How many of the scored images ``labels.csv`` has a label for."""
    correct: int
    """How many of those were predicted right."""
    seconds: float
    """Wall time from the listing to the finished file."""

    @property
    def accuracy(self) -> float | None:
        """A fraction in [0, 1]; None where no label is known."""
        return self.correct / self.labelled if self.labelled else None


def score(
    directory: Path,
    output: Path,
    *,
    model: str = "mnist@champion",
    settings: Settings | None = None,
    run: Runner = directly,
) -> Scoring:
    """Score the PNG and JPEG files in a directory and below it.

    Parameters
    ----------
    directory : Path
        Of images, 28×28. Labels in its ``labels.csv``, columns path and label, are compared.
    output : Path
        A directory; it gets ``predictions.parquet``, which replaces that of an earlier run.
    model : str
        A reference. It is resolved once: a promotion meanwhile changes nothing.
    settings : Settings, optional
        Of the environment where not given.
    run : Runner
        Calls the stages.

    Raises
    ------
    InputError
        Where there is no image file, or no directory.
    OutputError
        Where the output is no directory.
    registry.NotFoundError
        Where there is no such version.
    registry.BlobError
        Where its weights are not the ones registered.
    """
    settings = settings or load_settings()
    version = run(resolve, settings, model)
    return run(score_directory, settings, version, directory, output)


def resolve(settings: Settings, model: str) -> ModelVersion:
    """Return the version that a reference means now."""
    with open_registry(settings) as registry:
        return registry.get(full_reference(model))


def score_directory(
    settings: Settings, version: ModelVersion, directory: Path, output: Path
) -> Scoring:
    """Score a directory with one version."""
    started = time.perf_counter()
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: expected a directory, got a file.")
    paths = _image_files(directory)
    labels = read_labels(directory)
    with open_registry(settings) as registry:
        network = NeuralNetwork.from_bytes(registry.load(version.reference))

    confidences: dict[int, list[float]] = {digit: [] for digit in range(10)}
    errors: Counter[str] = Counter()
    labelled = correct = 0
    target = output / FILE_NAME
    activity = f"Score with {version.reference}"
    report(activity, 0, len(paths))
    with files.replacing(target) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        for start in range(0, len(paths), _BATCH):
            names = paths[start : start + _BATCH]
            rows = list(_score_batch(network, directory, names))
            writer.write_table(_table(rows, version))
            for row in rows:
                if row.prediction is None:
                    errors[row.error or ""] += 1
                    continue
                confidences[row.prediction].append(row.confidence or 0.0)
                label = labels.get(row.path)
                labelled += label is not None
                correct += label == row.prediction
            report(activity, start + len(names), len(paths))
    return Scoring(
        version=version,
        path=target,
        files=len(paths),
        digits={
            digit: Digit(len(found), float(np.mean(found)) if found else 0.0)
            for digit, found in confidences.items()
        },
        errors=dict(errors),
        labelled=labelled,
        correct=correct,
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    prediction: int | None
    confidence: float | None
    error: str | None


def _score_batch(network: NeuralNetwork, directory: Path, names: list[str]) -> Iterator[_Row]:
    images = np.empty((len(names), SIDE, SIDE), np.uint8)
    reasons: dict[str, str] = {}
    readable = 0
    for name in names:
        try:
            images[readable] = read_image(directory / name)
            readable += 1
        except UnreadableImageError as error:
            reasons[name] = str(error)
    probabilities = iter(network.predict_proba(images[:readable])) if readable else iter(())
    for name in names:
        # Parquet's text is UTF-8; a name need not be.
        path = os.fsencode(name).decode("utf-8", "backslashreplace")
        if name in reasons:
            yield _Row(path, None, None, reasons[name])
        else:
            row = next(probabilities)
            yield _Row(path, int(row.argmax()), float(row.max()), None)


def _table(rows: list[_Row], version: ModelVersion) -> pa.Table:
    return pa.table(
        [
            [row.path for row in rows],
            [row.prediction for row in rows],
            [row.confidence for row in rows],
            [row.error for row in rows],
            [version.name] * len(rows),
            [version.number] * len(rows),
            [version.sha256] * len(rows),
        ],
        schema=SCHEMA,
    )


def _image_files(directory: Path) -> list[str]:
    """Return the paths of the image files below a directory, relative to it, sorted."""
    if not directory.is_dir():
        got = "a file" if directory.exists() else "nothing there"
        raise InputError(f"{directory}: expected a directory of images, got {got}.")
    found = [
        os.path.relpath(entry, directory)
        for parent, _, names in os.walk(directory)
        for entry in (Path(parent, name) for name in names)
        if entry.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise InputError(
            f"{directory}: expected image files ({', '.join(sorted(SUFFIXES))}), got none."
        )
    return sorted(found)
