"""Scoring: images, wherever they are, into a Parquet data set of predictions.

Every image file, or row of Parquet, gets one row: a prediction, or the reason why there is none.
They are cut into shards, each of which becomes a file of the data set, written as a whole; so a
run that was killed goes on with the shards that are not there yet.
"""

import csv
import json
import logging
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from nn import NeuralNetwork
from pipeline import files, predictions, shards
from pipeline.drift import PROFILE, Drift, drift, from_text, profile_of
from pipeline.errors import OutputError, SettingsError
from pipeline.images import AUTO, NORMALIZE
from pipeline.inputs import finding
from pipeline.progress import report
from pipeline.references import full_reference, open_registry
from pipeline.settings import Settings, load_settings
from pipeline.shards import Listing
from pipeline.stages import Runner, Spread, directly, in_turn
from pipeline.tally import DIGITS, Tally
from pipeline.uncertain import Uncertain, least_certain, least_certain_of
from registry import ModelVersion, open_blobs

_log = logging.getLogger(__name__)

DATA_SET = "predictions"
"""Of the output: the directory of the data set."""

SUMMARY = "summary.json"
"""Of the output: what the predictions come to."""

REVIEW = "review.csv"
"""Of the output: what a person should look at, where that was asked for."""

_RUN = "run.json"
_SHARDS = ".shards"

# Images in a shard: some seconds of work for scans, and a file of a hundred kilobytes. A row group
# of Parquet is never cut.
_SHARD = 5_000

# Of what a shard says of itself: another whenever that changes.
_FORMAT = 2

# Images decoded and scored at once: enough to keep BLAS busy, small beside the rest.
_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Options:
    """How images are scored; with the version, what decides on every row."""

    normalize: str = AUTO
    """``auto``, ``always`` or ``never``: which images are made like MNIST's."""
    probabilities: bool = False
    """Whether the data set has the probability of each digit."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """What a scoring came to."""

    version: ModelVersion
    """The one that scored every image."""
    path: Path
    """The Parquet data set."""
    tally: Tally
    """What its rows come to."""
    drift: tuple[Drift, ...]
    """How they compare with what the version was measured on; nothing where that is not known."""
    uncertain: tuple[Uncertain, ...]
    """The least certain images, the very least first; at most 24."""
    review: int
    """Images less certain than was asked for, listed in ``review.csv``."""
    resumed: int
    """Files that an earlier run had scored already."""
    seconds: float
    """Wall time of this run."""


def score(
    inputs: str | Path | Iterable[str | Path],
    output: Path,
    *,
    model: str = "mnist@champion",
    options: Options | None = None,
    min_confidence: float | None = None,
    settings: Settings | None = None,
    run: Runner = directly,
    spread: Spread = in_turn,
) -> Scoring:
    """Score images: of directories, files, patterns, Parquet files and object stores.

    Run again, it goes on where it was killed, and does nothing where it was done. Where the
    files, the version or the options have changed since, it starts anew.

    Parameters
    ----------
    inputs : str or Path, or several of them
        Each is a directory, of which the image files count, or the Parquet files where there is no
        image file; one such file; a pattern of them (``scans/2026-*/*.png``, also ``**``); or an
        address that pyarrow.fs knows (``s3://bucket/prefix``). Labels are compared: of a
        directory's ``labels.csv``, columns path and label, of directories called ``0`` to ``9``
        below a directory or in a pattern, and of a column ``label`` in Parquet.
    output : Path
        A directory; it gets ``predictions/``, a Parquet data set, and ``summary.json``.
    model : str
        A reference. It is resolved once: a promotion meanwhile changes nothing.
    options : Options, optional
    min_confidence : float, optional
        A fraction in [0, 1]. Predictions that are less certain are listed in ``review.csv``, for
        a person to look at.
    settings : Settings, optional
        Of the environment where not given.
    run : Runner
        Calls the stages.
    spread : Spread
        Calls the one that there is for every shard.

    Raises
    ------
    InputError
        Where an input has nothing to score, or cannot be read.
    OutputError
        Where the output is no directory, or inside of a Parquet data set that is scored.
    registry.NotFoundError
        Where there is no such version.
    registry.BlobError
        Where its weights are not the ones registered.
    """
    started = time.time()
    given = finding.several(inputs)
    settings = settings or load_settings()
    options = options or Options()
    if options.normalize not in NORMALIZE:
        expected = ", ".join(NORMALIZE)
        raise SettingsError(f"normalize: expected {expected}, got {options.normalize!r}.")
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        expected = "a fraction in [0, 1]"
        raise SettingsError(f"min_confidence: expected {expected}, got {min_confidence!r}.")
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: expected a directory, got a file.")
    version = run(resolve, settings, model)
    # All that can be refused is, before anything is written.
    finding.require(given, output)
    _network(settings.blobs_url, version.sha256)
    # Two runs into one directory: the second waits, and finds everything done.
    with files.locked(output):
        listing = run(plan, given, output, version, options)
        pending = [
            shard
            for shard in range(len(listing.sizes))
            if not predictions.path(output / DATA_SET, shard).exists()
        ]
        activity = f"Score with {version.reference}"
        done = resumed = listing.files - sum(listing.sizes[shard] for shard in pending)
        report(activity, done, listing.files)
        calls = [(settings, version, output, shard, options) for shard in pending]
        for count in spread(score_shard, calls):
            done += count
            report(activity, done, listing.files)
        return run(summarise, version, output, listing, min_confidence, resumed, started)


def resolve(settings: Settings, model: str) -> ModelVersion:
    """Return the version that a reference means now."""
    with open_registry(settings) as registry:
        return registry.get(full_reference(model))


def plan(inputs: Sequence[str], output: Path, version: ModelVersion, options: Options) -> Listing:
    """List the images in shards; leave what an earlier run of the same has done, and no other."""
    files.sweep(output)
    fresh = output / f"{_SHARDS}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    listing = shards.write(finding.pieces(inputs), fresh, _SHARD)
    now: dict[str, Any] = {
        "inputs": finding.addresses(inputs),
        "model": version.reference,
        "sha256": version.sha256,
        **asdict(options),
        "format": _FORMAT,
        "shard_size": _SHARD,
        **listing.as_json(),
    }
    earlier = _read_json(output / _RUN)
    if earlier != now:
        if earlier is not None:
            changed = sorted(name for name in now if earlier.get(name) != now[name])
            _log.warning("Starting anew in %s: changed since: %s.", output, ", ".join(changed))
        # First the word that something is there, then what it is about.
        (output / _RUN).unlink(missing_ok=True)
        for part in (output / DATA_SET).glob("part-*.parquet"):
            part.unlink()
        (output / SUMMARY).unlink(missing_ok=True)
        shutil.rmtree(output / _SHARDS, ignore_errors=True)
        fresh.rename(output / _SHARDS)
        with files.replacing(output / _RUN) as temporary:
            temporary.write_text(json.dumps(now, indent=2) + "\n")
    shutil.rmtree(fresh, ignore_errors=True)
    (output / DATA_SET).mkdir(exist_ok=True)
    files.sweep(output / DATA_SET)
    return listing


def score_shard(
    settings: Settings,
    version: ModelVersion,
    output: Path,
    shard: int,
    options: Options,
) -> int:
    """Score the images of a shard; return how many."""
    network = _network(settings.blobs_url, version.sha256)
    tally = Tally()
    paths: list[str] = []
    reasons: dict[int, str] = {}
    found: list[NDArray[np.float32]] = [np.empty((0, DIGITS), np.float32)]
    uncertain: list[Uncertain] = []
    # Each core has a shard of its own, and no need of the threads of BLAS, which also would make
    # the last digits depend on how many there are.
    with threadpool_limits(1):
        for source, keys in shards.read(output / _SHARDS, shard):
            for batch in source.batches(keys, _BATCH, options.normalize):
                reasons |= {len(paths) + place: reason for place, reason in batch.reasons.items()}
                paths += batch.paths
                if not len(batch.images):
                    continue
                probabilities = network.predict_proba(batch.images)
                found.append(probabilities)
                labels = np.delete(batch.labels, list(batch.reasons))
                tally.add(batch.images, probabilities, labels)
                scored = [path for n, path in enumerate(batch.paths) if n not in batch.reasons]
                uncertain += least_certain_of(scored, batch.images, probabilities)
    tally.files = len(paths)
    tally.errors.update(reasons.values())
    predictions.write(
        predictions.path(output / DATA_SET, shard),
        version,
        paths,
        reasons,
        np.concatenate(found),
        tally,
        least_certain(uncertain),
        with_probabilities=options.probabilities,
    )
    return len(paths)


def summarise(
    version: ModelVersion,
    output: Path,
    listing: Listing,
    min_confidence: float | None,
    resumed: int,
    started: float,
) -> Scoring:
    """Add up what the shards come to, and list what a person should look at.

    Parameters
    ----------
    resumed : int
        Images that an earlier run had scored already.
    started : float
        When this run began, in seconds since 1970.
    """
    tally = Tally()
    parts = [predictions.path(output / DATA_SET, shard) for shard in range(len(listing.sizes))]
    uncertain: tuple[Uncertain, ...] = ()
    for part in parts:
        of_shard, least = predictions.read_sums(part)
        tally += of_shard
        uncertain = least_certain((*uncertain, *least))
    review = 0
    if min_confidence is None:
        (output / REVIEW).unlink(missing_ok=True)
    else:
        review = _list_for_review(parts, output / REVIEW, min_confidence)
    found = tuple(_drift(version, tally))
    seconds = max(time.time() - started, 1e-3)
    scoring = Scoring(version, output / DATA_SET, tally, found, uncertain, review, resumed, seconds)
    with files.replacing(output / SUMMARY) as temporary:
        temporary.write_text(json.dumps(_summary(scoring), indent=2) + "\n")
    return scoring


def _summary(scoring: Scoring) -> dict[str, Any]:
    tally = scoring.tally
    return {
        "model": scoring.version.reference,
        "sha256": scoring.version.sha256,
        "accuracy": tally.accuracy,
        **tally.as_json(),
        "drift": {
            one.what: {"index": one.index, "limit": one.limit, "is_far": one.is_far}
            for one in scoring.drift
        },
        "review": scoring.review,
        "seconds": scoring.seconds,
        "per_second": (tally.files - scoring.resumed) / scoring.seconds,
    }


def _drift(version: ModelVersion, tally: Tally) -> list[Drift]:
    """Compare what was scored with what the version was measured on, and warn where it is far."""
    profile = from_text(version.tags.get(PROFILE, ""))
    found = [] if profile is None else drift(profile_of(tally), profile)
    for one in found:
        if one.is_far:
            _log.warning(
                "The %s of these images are far from those that %s was measured on: population "
                "stability index %.2f, where %.2f is much.",
                one.what,
                version.reference,
                one.index,
                one.limit,
            )
    return found


def _list_for_review(parts: Sequence[Path], target: Path, min_confidence: float) -> int:
    """Write the predictions that are less certain to a table; return how many."""
    count = 0
    with (
        files.replacing(target) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(predictions.REVIEWED)
        for part in parts:
            rows = predictions.less_certain(part, min_confidence)
            table.writerows(rows)
            count += len(rows)
    return count


# A process scores shard after shard with one version.
@lru_cache(maxsize=1)
def _network(blobs_url: str, sha256: str) -> NeuralNetwork:
    # From the store itself: a worker on another machine need not reach the database.
    return NeuralNetwork.from_bytes(open_blobs(blobs_url).get(sha256))


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None
