"""Scoring the images of a shard."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork, single_threaded_blas
from pipeline.images.evidence import Judge
from pipeline.images.reading import Reader
from pipeline.metrics.counts import DIGITS, PredictionCounts
from pipeline.scoring import predictions, shards
from pipeline.scoring.listing import SHARDS
from pipeline.scoring.outcome import DATA_SET, Options
from pipeline.scoring.review import LowConfidence, least_certain, least_certain_of
from pipeline.stages import stage
from registry import ModelVersion, open_blobs

# Images decoded and scored at once: enough to keep BLAS busy, and little memory.
_BATCH_SIZE = 1024


@stage
def score_shard(
    blobs_url: str, version: ModelVersion, output: Path, shard: int, options: Options
) -> int:
    """Score the images of a shard, write their predictions, and return how many there are."""
    network = load_network(blobs_url, version.sha256)
    reader = Reader(options.normalize, options.ink, _confidence(network))
    counts = PredictionCounts()
    paths: list[str] = []
    reasons: dict[int, str] = {}
    notes: dict[int, str] = {}
    scored: list[NDArray[np.float32]] = [np.empty((0, DIGITS), np.float32)]
    uncertain: list[LowConfidence] = []
    # Shards run on all cores at once, so BLAS needs no threads of its own. With one thread the
    # last digits do not depend on the machine either.
    with single_threaded_blas():
        for source, keys in shards.read(output / SHARDS, shard):
            for batch in source.batches(keys, _BATCH_SIZE, reader):
                reasons |= {len(paths) + index: reason for index, reason in batch.reasons.items()}
                notes |= {len(paths) + index: note for index, note in batch.notes.items()}
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
        notes,
        np.concatenate(scored),
        counts,
        least_certain(uncertain),
        with_probabilities=options.probabilities,
    )
    return len(paths)


def _confidence(network: NeuralNetwork) -> Judge:
    """Return how sure a network is of images."""

    def judge(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        confidence: NDArray[np.float32] = network.predict_proba(images).max(axis=1)
        return confidence

    return judge


# A process scores shard after shard with one version.
@lru_cache(maxsize=1)
def load_network(blobs_url: str, sha256: str) -> NeuralNetwork:
    """Return the network with these weights.

    They come from the blob store itself: a worker on another machine need not reach the database.

    Raises
    ------
    registry.BlobError
        If the weights are missing or do not match their digest.
    """
    return NeuralNetwork.from_bytes(open_blobs(blobs_url).get(sha256))
