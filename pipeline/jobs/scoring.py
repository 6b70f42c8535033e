"""Scoring: resolve the version → list the images → score each shard → summarize.

Each image file, or row of Parquet, gets one row: a prediction, or the reason why there is none.
The images are listed in shards. The predictions of a shard are one file of the data set, written
atomically, so a run that was killed resumes with the shards that have no file yet.
"""

import time
from collections.abc import Iterable
from pathlib import Path

from pipeline import files
from pipeline.errors import InvalidParameterError, OutputError
from pipeline.images.reading import INK, NORMALIZE
from pipeline.inputs import finding
from pipeline.models import full_reference, open_registry
from pipeline.progress import report
from pipeline.scoring.listing import list_images, unscored_shards
from pipeline.scoring.numbers import NUMBERS, write_numbers
from pipeline.scoring.outcome import Options, Scoring
from pipeline.scoring.scorer import load_network, score_shard
from pipeline.scoring.summary import summarize
from pipeline.settings import Settings, load_settings
from pipeline.stages import map_stage, stage
from registry import ModelVersion


def score(
    inputs: str | Path | Iterable[str | Path],
    output: Path,
    *,
    model: str = "mnist@champion",
    options: Options | None = None,
    min_confidence: float | None = None,
    settings: Settings | None = None,
) -> Scoring:
    """Score images: of directories, files, patterns, Parquet files and object stores.

    A run that was killed is resumed when it is run again, and a finished one does nothing. It
    starts over if the files, the version or the options have changed.

    Parameters
    ----------
    inputs : str or Path, or several of them
        Each is a directory, a file, a pattern (``scans/2026-*/*.png``, also ``**``), or an
        address that pyarrow.fs knows (``s3://bucket/prefix``). Of a directory the image files are
        scored, or the Parquet files if it has no image file. Predictions are compared with labels
        if there are any: from a directory's ``labels.csv`` with the columns path and label, from
        directories that are all named ``0`` to ``9``, or from a column ``label`` in Parquet.
    output : Path
        A directory. It gets ``predictions/``, a Parquet data set, and ``summary.json``.
    model : str
        Reference of a version. It is resolved once: a promotion during the run changes nothing.
    options : Options, optional
    min_confidence : float, optional
        A fraction in [0, 1]. Predictions with less confidence are listed in ``review.csv``, for a
        person to review.
    settings : Settings, optional
        Those of the environment by default.

    Raises
    ------
    InvalidParameterError
        If a parameter is outside its domain.
    InputError
        If an input has nothing to score, or cannot be read.
    OutputError
        If the output is not a directory, or lies inside a Parquet data set that is scored.
    registry.NotFoundError
        If there is no such version.
    registry.BlobError
        If its weights are missing or do not match their digest.
    """
    started = time.time()
    addresses = finding.input_list(inputs)
    settings = settings or load_settings()
    options = options or Options()
    _validate(options, min_confidence)
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: expected a directory, got a file.")
    version = resolve(settings, model)
    # Everything that can be refused is refused before anything is written.
    finding.check_inputs(addresses, output)
    load_network(settings.blobs_url, version.sha256)
    # Of two runs with one output, the second waits, and finds everything done.
    with files.locked(output):
        listing = list_images(addresses, output, version, options)
        pending = unscored_shards(output, listing)
        resumed = listing.files - sum(listing.sizes[shard] for shard in pending)
        activity = f"Score with {version.reference}"
        done = resumed
        report(activity, done, listing.files)
        calls = [(settings.blobs_url, version, output, shard, options) for shard in pending]
        for count in map_stage(score_shard, calls):
            done += count
            report(activity, done, listing.files)
        (output / NUMBERS).unlink(missing_ok=True)
        if options.split is not None:
            write_numbers(output, len(listing.sizes))
        return summarize(version, output, listing, min_confidence, resumed, started)


def _validate(options: Options, min_confidence: float | None) -> None:
    if options.normalize not in NORMALIZE:
        raise InvalidParameterError(
            "normalize", f"one of {', '.join(NORMALIZE)}", options.normalize
        )
    if options.ink not in INK:
        raise InvalidParameterError("ink", f"one of {', '.join(INK)}", options.ink)
    if options.split is not None and options.split < 0:
        raise InvalidParameterError("split", "a number of digits, or 0", options.split)
    if options.reject is not None and not 0 < options.reject < 1:
        raise InvalidParameterError("reject", "a fraction in (0, 1)", options.reject)
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise InvalidParameterError("min_confidence", "a fraction in [0, 1]", min_confidence)


@stage
def resolve(settings: Settings, model: str) -> ModelVersion:
    """Return the version that a reference means now."""
    with open_registry(settings, create=False) as registry:
        return registry.get(full_reference(model))
