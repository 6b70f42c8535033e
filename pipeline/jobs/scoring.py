"""Scoring: resolve the version → list the images → score each shard → summarize → record.

Each image file, or row of Parquet, gets one row: a prediction, or the reason why there is none.
The images are listed in shards. The predictions of a shard are one file of the data set, written
atomically, so a run that was killed resumes with the shards that have no file yet. A file keeps the
fingerprint of its shard: if images have changed, only their shards are scored again.
"""

import time
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from pipeline import files
from pipeline.errors import InvalidParameterError, OutputError
from pipeline.images.ink import Polarity
from pipeline.images.reading import Normalize
from pipeline.inputs import finding
from pipeline.inputs.selection import Labels, Selection
from pipeline.inputs.shards import Listing
from pipeline.models import full_reference, open_registry
from pipeline.monitoring.runs import recorded
from pipeline.scoring import predictions
from pipeline.scoring.formats import FORMATS
from pipeline.scoring.listing import SHARDS, list_images, record_fingerprint, require_own
from pipeline.scoring.numbers import NUMBERS, write_numbers
from pipeline.scoring.outcome import DATA_SET, Options, Scoring
from pipeline.scoring.recording import record_batch
from pipeline.scoring.scorer import ScoredShard, load_network, score_shard
from pipeline.scoring.summary import summarize
from pipeline.scoring.tracking import ScoringProgress
from pipeline.settings import Settings, load_settings
from pipeline.stages import map_stage, stage
from registry import ModelVersion


def _recorded_outcome(scoring: Scoring) -> tuple[str, str]:
    return "completed", scoring.message


@recorded("score", _recorded_outcome)
def score(
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    output: str | PathLike[str] = "scores",
    *,
    model: str | int | ModelVersion = "mnist@champion",
    normalize: Normalize = "auto",
    ink: Polarity = "auto",
    split: int | None = None,
    reject: float | None = None,
    probabilities: bool = False,
    min_confidence: float | None = None,
    formats: str | Sequence[str] = (),
    force: bool = False,
    shadow: str | int | ModelVersion | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    labels: Labels = "auto",
    settings: Settings | None = None,
) -> Scoring:
    """Score images: of directories, files, patterns, Parquet files and object stores.

    A run that was killed is resumed when it is run again, and a finished one does nothing. If
    files have changed, they are scored again, with those that are listed in the same shard. It
    starts over if the inputs, the version or the options have changed. The registry gets a row for
    the batch, unless it can only be read.

    Parameters
    ----------
    inputs : str or PathLike, or several of them
        Each is a directory, a file, a pattern (``scans/2026-*/*.png``, also ``**``), or an
        address that pyarrow.fs knows (``s3://bucket/prefix``). Of a directory the image files are
        scored, whatever their suffix, each page as a row of its own; or, if it has no image file,
        its data sets: Parquet, ``.npy``, ``.npz``, IDX, CSV with a column for each pixel, and ZIP
        and TAR archives of images. Predictions are compared with labels if there are any: from a
        directory's ``labels.csv`` with the columns path and label, from directories that are all
        named ``0`` to ``9``, or from the data set itself.
    output : str or PathLike
        A directory. It gets ``predictions/``, a Parquet data set, and ``summary.json``.
    model : str, int or ModelVersion
        Reference of a version. It is resolved once: a promotion during the run changes nothing.
    normalize : {"auto", "always", "never"}
        Which images are normalized: those unlike MNIST's, all, or none.
    ink : {"auto", "dark", "light"}
        Whether the ink is darker or lighter than the paper.
    split : int, optional
        Number of digits that each image is cut into; 0 if that is not known, None for no cut.
    reject : float, optional
        Images whose novelty, a p-value, is smaller get no prediction.
    probabilities : bool
        Whether the data set has the probability of each digit.
    min_confidence : float, optional
        A fraction in [0, 1]. Predictions with less confidence are listed in ``review.csv``, for a
        person to review.
    formats : str or sequence of str
        ``csv``, ``xlsx`` and ``jsonl`` write ``predictions.csv`` and so on beside the data set.
        ``parquet`` is always written.
    force : bool
        Overwrite files of the output that are not of an earlier scoring, or were changed since.
    shadow : str, int or ModelVersion, optional
        Reference of a version, or an alias such as ``challenger``, whose predictions of the same
        images are compared. The output gets ``shadow/``, a Parquet data set of the images that the
        two versions predict differently. The rows of the version that scores stay the same.
    include, exclude : iterable of str
        Patterns of files in directories: if any are to be included, all others are left out. A
        pattern without a slash is for the name alone; ``*`` matches slashes too.
    labels : {"auto", "folders"}
        ``folders``: directories ``0`` to ``9`` are labels even if others are beside them.
    settings : Settings, optional
        Those of the environment by default.

    Raises
    ------
    InvalidParameterError
        If a parameter is outside its domain.
    InputError
        If an input has nothing to score, or cannot be read.
    OutputError
        If the output is not a directory, lies inside a Parquet data set that is scored, or has
        files that would be overwritten.
    DiskFullError
        If there is no space for the results.
    registry.NotFoundError
        If there is no such version.
    registry.BlobError
        If its weights are missing or do not match their digest.
    """
    started = time.time()
    settings = settings or load_settings()
    options = Options(normalize, ink, split, reject, probabilities)
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    output = Path(output)
    selection = Selection(tuple(include), tuple(exclude), labels)
    addresses, version = check(
        inputs,
        output,
        selection,
        model=model,
        min_confidence=min_confidence,
        formats=formats,
        force=force,
        settings=settings,
    )
    other = _other_version(settings, shadow, version)
    # Of two runs with one output, the second waits, and finds everything done.
    with files.naming_full_disk(output), files.locked(output):
        listing = list_images(addresses, output, version, options, selection)
        scored = _score_shards(settings.blobs_url, version, output, listing, options, other)
        resumed = sum(listing.sizes[each.shard] for each in scored if each.is_resumed)
        fingerprint = record_fingerprint(output, [each.fingerprint for each in scored])
        scoring = summarize(
            settings.blobs_url,
            version,
            output,
            listing,
            options,
            min_confidence,
            formats,
            resumed,
            started,
            other,
        )
        record_batch(settings, scoring, addresses, output, fingerprint, options)
        return scoring


def _score_shards(
    blobs_url: str,
    version: ModelVersion,
    output: Path,
    listing: Listing,
    options: Options,
    shadow: ModelVersion | None,
) -> list[ScoredShard]:
    """Score the shards that are not scored yet; return all of them in order."""
    activity = f"Score with {version.reference}"
    progress = ScoringProgress(activity, output / SHARDS, listing.files)
    progress.report()
    shards = range(len(listing.sizes))
    before = {n for n in shards if predictions.path(output / DATA_SET, n).exists()}
    # What is to be scored comes first: the time of the first call decides on worker processes.
    order = sorted(shards, key=before.__contains__)
    calls = [(blobs_url, version, output, shard, options, shadow) for shard in order]
    scored = []
    with progress.watching():
        for found in map_stage(score_shard, calls):
            # What a worker scored before it was lost is found done, but it is of this run.
            each = found._replace(is_resumed=found.is_resumed and found.shard in before)
            scored.append(each)
            progress.add(listing.sizes[each.shard], is_resumed=each.is_resumed)
    (output / NUMBERS).unlink(missing_ok=True)
    if options.split is not None:
        write_numbers(output, len(listing.sizes))
    return sorted(scored)


def check(
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    output: Path,
    selection: Selection,
    *,
    model: str | int | ModelVersion,
    min_confidence: float | None,
    formats: Sequence[str],
    force: bool,
    settings: Settings,
    shadow: str | int | ModelVersion | None = None,
) -> tuple[tuple[str, ...], ModelVersion]:
    """Check everything that can be refused, before anything is written; arguments as for `score`.

    Returns
    -------
    tuple of str
        The inputs.
    ModelVersion
    """
    addresses = finding.input_list(inputs)
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise InvalidParameterError("min_confidence", "a fraction in [0, 1]", min_confidence)
    if unknown := set(formats) - set(FORMATS):
        raise InvalidParameterError("formats", f"any of {', '.join(FORMATS)}", min(unknown))
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: expected a directory, got a file.")
    version = resolve(settings, model)
    if shadow is not None:
        resolve_shadow(settings, shadow)
    finding.check_inputs(addresses, output, selection)
    require_own(output, force=force)
    load_network(settings.blobs_url, version.sha256)
    return addresses, version


def _other_version(
    settings: Settings, shadow: str | int | ModelVersion | None, version: ModelVersion
) -> ModelVersion | None:
    """Return the shadow; None if there is none, or if it would have nothing else to say."""
    other = None if shadow is None else resolve_shadow(settings, shadow)
    return None if other is None or other.sha256 == version.sha256 else other


def resolve_shadow(settings: Settings, shadow: str | int | ModelVersion) -> ModelVersion:
    """Return the version that a reference, or an alias of the default model, means now."""
    if isinstance(shadow, str) and not {"@", "/"} & set(shadow) and not shadow.isdecimal():
        shadow = f"@{shadow}"
    return resolve(settings, shadow)


@stage
def resolve(settings: Settings, model: str | int | ModelVersion) -> ModelVersion:
    """Return the version that a reference means now."""
    with open_registry(settings, create=False) as registry:
        return registry.get(full_reference(model))
