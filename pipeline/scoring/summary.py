"""The summary of a scoring: counts over all shards, drift, and predictions to review."""

import csv
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.metrics.counts import PredictionCounts
from pipeline.metrics.drift import PROFILE, Drift, drift, from_text, profile_of
from pipeline.scoring import predictions
from pipeline.scoring.outcome import DATA_SET, REVIEW, SUMMARY, Scoring
from pipeline.scoring.review import LowConfidence, least_certain
from pipeline.scoring.shards import Listing
from pipeline.stages import stage
from registry import ModelVersion

_log = logging.getLogger(__name__)


@stage
def summarize(
    version: ModelVersion,
    output: Path,
    listing: Listing,
    min_confidence: float | None,
    resumed: int,
    started: float,
) -> Scoring:
    """Add up the counts of the shards, and list the predictions that a person should review.

    Parameters
    ----------
    version : ModelVersion
    output : Path
    listing : Listing
    min_confidence : float, optional
        Predictions with less confidence are listed in ``review.csv``.
    resumed : int
        Number of images that an earlier run had scored already.
    started : float
        Time at which this run began, in seconds since 1970.
    """
    counts = PredictionCounts()
    parts = [predictions.path(output / DATA_SET, shard) for shard in range(len(listing.sizes))]
    uncertain: tuple[LowConfidence, ...] = ()
    for part in parts:
        shard_counts, least = predictions.read_counts(part)
        counts += shard_counts
        uncertain = least_certain((*uncertain, *least))
    review = 0
    if min_confidence is None:
        (output / REVIEW).unlink(missing_ok=True)
    else:
        review = _list_for_review(parts, output / REVIEW, min_confidence)
    scoring = Scoring(
        version=version,
        path=output / DATA_SET,
        counts=counts,
        drift=tuple(_drift(version, counts)),
        least_certain=uncertain,
        review=review,
        resumed=resumed,
        seconds=max(time.time() - started, 1e-3),
    )
    with files.atomic_write(output / SUMMARY) as temporary:
        temporary.write_text(json.dumps(_summary(scoring), indent=2) + "\n")
    return scoring


def _summary(scoring: Scoring) -> dict[str, Any]:
    counts = scoring.counts
    return {
        "model": scoring.version.reference,
        "sha256": scoring.version.sha256,
        "accuracy": counts.accuracy,
        **counts.as_json(),
        "drift": {
            each.what: {"index": each.index, "limit": each.limit, "is_far": each.is_far}
            for each in scoring.drift
        },
        "review": scoring.review,
        "seconds": scoring.seconds,
        "per_second": (counts.files - scoring.resumed) / scoring.seconds,
    }


def _drift(version: ModelVersion, counts: PredictionCounts) -> list[Drift]:
    """Compare the predictions with the version's profile, and warn if they are far from it."""
    profile = from_text(version.tags.get(PROFILE, ""))
    drifts = [] if profile is None else drift(profile_of(counts), profile)
    for each in drifts:
        if each.is_far:
            _log.warning(
                "Drift in %s: these images differ from those that %s was measured on; population "
                "stability index %.2f, limit %.2f.",
                each.what,
                version.reference,
                each.index,
                each.limit,
            )
    return drifts


def _list_for_review(parts: Sequence[Path], target: Path, min_confidence: float) -> int:
    """Write the predictions below a confidence to a CSV file; return their number."""
    count = 0
    with (
        files.atomic_write(target) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(predictions.REVIEW_COLUMNS)
        for part in parts:
            rows = predictions.read_below(part, min_confidence)
            table.writerows(rows)
            count += len(rows)
    return count
