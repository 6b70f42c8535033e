"""Scoring the images of a shard."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork, single_threaded_blas
from pipeline.metrics.counts import DIGITS, PredictionCounts
from pipeline.scoring import predictions, shards
from pipeline.scoring.listing import SHARDS
from pipeline.scoring.outcome import DATA_SET, Options
from pipeline.scoring.review import LowConfidence, least_certain, least_certain_of
from pipeline.stages import stage
from registry import ModelVersion, open_blobs

# Images that are decoded and scored together: enough to keep BLAS busy, in little memory.
_BATCH_SIZE = 1024


@stage
def score_shard(
    blobs_url: str, version: ModelVersion, output: Path, shard: int, options: Options
) -> int:
    """Score the images of a shard, write their predictions, and return their number."""
    network = load_network(blobs_url, version.sha256)
    counts = PredictionCounts()
    paths: list[str] = []
    reasons: dict[int, str] = {}
    scored: list[NDArray[np.float32]] = [np.empty((0, DIGITS), np.float32)]
    uncertain: list[LowConfidence] = []
    # Shards run on all cores at once, so BLAS needs no threads of its own. With one thread the
    # last digits do not depend on the machine either.
    with single_threaded_blas():
        for source, keys in shards.read(output / SHARDS, shard):
            for batch in source.batches(keys, _BATCH_SIZE, options.normalize):
                reasons |= {len(paths) + index: reason for index, reason in batch.reasons.items()}
                paths += batch.paths
                if not len(batch.images):
                    continue
                probabilities = network.predict_proba(batch.images)
                scored.append(probabilities)
                labels = np.delete(batch.labels, list(batch.reasons))
                counts.add(batch.images, probabilities, labels)
                names = [path for n, path in enumerate(batch.paths) if n not in batch.reasons]
                uncertain += least_certain_of(names, batch.images, probabilities)
    counts.files = len(paths)
    counts.errors.update(reasons.values())
    predictions.write(
        predictions.path(output / DATA_SET, shard),
        version,
        paths,
        reasons,
        np.concatenate(scored),
        counts,
        least_certain(uncertain),
        with_probabilities=options.probabilities,
    )
    return len(paths)


# A process scores one shard after another with the same version.
@lru_cache(maxsize=1)
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
