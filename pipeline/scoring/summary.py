"""The summary of a scoring: counts over all shards, drift, and predictions to review."""

import json
import logging
import time
from collections.abc import Collection
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.inputs.shards import Listing
from pipeline.metrics.counts import PredictionCounts
from pipeline.metrics.drift import PROFILE, Drift, drift, from_text, profile_of
from pipeline.scoring import predictions
from pipeline.scoring.formats import write_formats
from pipeline.scoring.outcome import DATA_SET, SUMMARY, Options, Scoring
from pipeline.scoring.ownership import record
from pipeline.scoring.review import LowConfidence, least_certain
from pipeline.scoring.review_files import remove_review, write_failed, write_review
from pipeline.scoring.scorer import load_network
from pipeline.scoring.shadow import ShadowScoring, shadow_scoring
from pipeline.scoring.sheets import Reviewed
from pipeline.stages import stage
from registry import ModelVersion

_log = logging.getLogger(__name__)

# Images without a prediction that the summary names; failed.csv has all of them.
_MAX_FAILED = 10


@stage
def summarize(
    blobs_url: str,
    version: ModelVersion,
    output: Path,
    listing: Listing,
    options: Options,
    min_confidence: float | None,
    formats: Collection[str],
    resumed: int,
    started: float,
    shadow: ModelVersion | None = None,
) -> Scoring:
    """Add up the counts of the shards, and list the predictions that a person should review.

    Parameters
    ----------
    blobs_url : str
    version : ModelVersion
    output : Path
    listing : Listing
    options : Options
    min_confidence : float, optional
        Predictions with less confidence are listed for review.
    formats : collection of str
        Formats of the predictions beside Parquet.
    resumed : int
        Number of images that an earlier run had scored already.
    started : float
        Time at which this run began, in seconds since 1970.
    shadow : ModelVersion, optional
        The version that the shards were compared with.
    """
    counts = PredictionCounts()
    parts = [predictions.path(output / DATA_SET, shard) for shard in range(len(listing.sizes))]
    uncertain: tuple[LowConfidence, ...] = ()
    for part in parts:
        shard_counts, least = predictions.read_counts(part)
        counts += shard_counts
        uncertain = least_certain((*uncertain, *least))
    write_failed(parts, output)
    failed = chain.from_iterable(map(predictions.read_failed, parts))
    review, review_path = 0, None
    if min_confidence is None:
        remove_review(output)
    else:
        review_path, review = write_review(parts, output, min_confidence)
    # How an image is cut into digits depends on the version that scored it.
    network = None if options.split is None else load_network(blobs_url, version.sha256)
    reviewed = Reviewed(output, options, network, min_confidence)
    tables = write_formats(output, parts, formats, reviewed)
    record(output, *tables)
    scoring = Scoring(
        version=version,
        path=output / DATA_SET,
        counts=counts,
        drift=tuple(_drift(version, counts)),
        least_certain=uncertain,
        failed=tuple(islice(failed, _MAX_FAILED)),
        review=review,
        review_path=review_path,
        left_out=listing.left_out,
        label_sources=listing.label_sources,
        resumed=resumed,
        seconds=max(time.time() - started, 1e-3),
        tables=tuple(tables),
        shadow=None if shadow is None else shadow_scoring(output, len(listing.sizes), shadow),
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
        "left_out": dict(scoring.left_out),
        "labels": list(scoring.label_sources),
        "failed": [{"path": path, "error": error} for path, error in scoring.failed],
        "review": scoring.review,
        "seconds": scoring.seconds,
        "per_second": (counts.files - scoring.resumed) / scoring.seconds,
        **({} if scoring.shadow is None else {"shadow": _shadow(scoring.shadow)}),
    }


def _shadow(shadow: ShadowScoring) -> dict[str, Any]:
    p_value = shadow.comparison.p_value
    return {"model": shadow.version.reference, **asdict(shadow.comparison), "p_value": p_value}


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
