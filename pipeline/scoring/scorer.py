"""Scoring the images of a shard."""

import logging
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nn import NeuralNetwork, single_threaded_blas
from pipeline.errors import DamagedDataError
from pipeline.inputs import shards
from pipeline.metrics.counts import PredictionCounts
from pipeline.scoring import predictions
from pipeline.scoring.answers import Rows
from pipeline.scoring.classifier import Classifier
from pipeline.scoring.listing import SHARDS, remove_results
from pipeline.scoring.outcome import DATA_SET, Options
from pipeline.scoring.review import LowConfidence, least_certain, least_certain_of
from pipeline.scoring.shadow import SHADOW, Disagreements, has_shadow
from pipeline.scoring.tracking import track_shard
from pipeline.stages import stage
from registry import ModelVersion, open_blobs

# Images that are decoded and scored together: enough to keep BLAS busy, in little memory.
_BATCH_SIZE = 1024

_log = logging.getLogger(__name__)


class ScoredShard(NamedTuple):
    """A shard that has predictions."""

    shard: int
    fingerprint: str
    """Changes if a file of the shard does."""
    is_resumed: bool
    """Whether the predictions were there: from an earlier run, or from a worker that was lost."""


@stage
def score_shard(
    blobs_url: str,
    version: ModelVersion,
    output: Path,
    shard: int,
    options: Options,
    shadow: ModelVersion | None = None,
) -> ScoredShard:
    """Score the images of a shard and write their predictions, unless an earlier run has.

    Parameters
    ----------
    blobs_url : str
    version : ModelVersion
    output : Path
    shard : int
    options : Options
    shadow : ModelVersion, optional
        A version whose predictions of the same images are compared.
    """
    # Taken first: if a file changes while it is read, the next run finds another fingerprint.
    fingerprint = shards.fingerprint(output / SHARDS, shard)
    part = predictions.path(output / DATA_SET, shard)
    if _is_complete(part, fingerprint) and (
        shadow is None or has_shadow(output, shard, shadow.sha256)
    ):
        return ScoredShard(shard, fingerprint, is_resumed=True)
    remove_results(output)
    classifier = _classifier(load_network(blobs_url, version.sha256), options)
    compared = None if shadow is None else _compared_with(blobs_url, shadow.sha256)
    reader = classifier.reader(split=options.split)
    counts = PredictionCounts()
    rows = Rows()
    uncertain: list[LowConfidence] = []
    # Shards run on all cores at once, so BLAS needs no threads of its own. With one thread the
    # last digits do not depend on the machine either.
    shard_file = shards.path(output / SHARDS, shard)
    with single_threaded_blas(), track_shard(shard_file) as tracker:
        for source, keys in shards.read(output / SHARDS, shard):
            for batch in source.batches(keys, _BATCH_SIZE, reader):
                answers = classifier.answers(batch)
                rows.add(batch, answers)
                tracker.reach(rows.images_read)
                if not len(answers.images):
                    continue
                labels = np.delete(batch.labels, list(answers.reasons))
                counts.add(answers.images, answers.probabilities, labels)
                names = [path for n, path in enumerate(batch.paths) if n not in answers.reasons]
                uncertain += least_certain_of(names, answers.images, answers.probabilities)
                if compared is not None:
                    compared.add(names, answers, labels)
    # The predictions come last: with them, the shard is done.
    if compared is None:
        predictions.path(output / SHADOW, shard).unlink(missing_ok=True)
    else:
        compared.write(output, shard)
    _count_rows(counts, rows)
    predictions.write(
        part,
        version,
        rows,
        counts,
        least_certain(uncertain),
        fingerprint=fingerprint,
        with_probabilities=options.probabilities,
    )
    return ScoredShard(shard, fingerprint, is_resumed=False)


def _is_complete(part: Path, fingerprint: str) -> bool:
    """Return whether a part has the predictions of a shard; remove it if it is damaged."""
    try:
        return predictions.verified_fingerprint(part) == fingerprint
    except FileNotFoundError:
        return False
    except DamagedDataError as error:
        _log.warning("%s It is scored again.", error)
        part.unlink()
        return False


def _classifier(network: NeuralNetwork, options: Options) -> Classifier:
    return Classifier(network, normalize=options.normalize, ink=options.ink, reject=options.reject)


def _compared_with(blobs_url: str, sha256: str) -> Disagreements:
    return Disagreements(load_network(blobs_url, sha256), sha256)


def _count_rows(counts: PredictionCounts, rows: Rows) -> None:
    """Count what is known of rows with a prediction and without one."""
    counts.files = rows.images_read
    counts.novel = rows.novel
    counts.errors.update(rows.reasons.values())


# A process scores one shard after another with the same version, and perhaps the same shadow.
@lru_cache(maxsize=2)
def load_network(blobs_url: str, sha256: str) -> NeuralNetwork:
    """Return the network with these weights.

    They are read from the blob store, since a worker on another machine may have no access to the
    database.

    Raises
    ------
    registry.BlobError
        If the weights are missing or do not match their digest.
    """
    return NeuralNetwork.from_bytes(open_blobs(blobs_url).get(sha256))
