"""How near the accuracy that confidence promises is to the accuracy that labels tell.

Undrifted batches are drawn from MNIST's test images. On drifting nights the handwriting leans more
and more, and the pen gets broader, as in ``benchmarks.retraining.nights``; but here nobody
retrains, which is the hardest case. The network is the champion under DIGITS_HOME.
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from drifting_images import drifted
from numpy.typing import NDArray

from benchmarks.mnist_data import mnist
from nn import NeuralNetwork
from pipeline import open_registry
from pipeline.metrics.counts import PredictionCounts
from pipeline.metrics.drift import PROFILE, drift, from_text, profile_of
from pipeline.metrics.estimation import estimate
from pipeline.monitoring.accuracy import corrected, track
from registry import AgreedLabels, Batch, DriftFigure, Estimate, ModelVersion

SIZE = 1_000
UNDRIFTED = 200
NIGHTS = 24
LABELS = 100

# Points of accuracy.
_NEAR, _NEAR_DRIFTED = 0.5, 2.0


class Scored(NamedTuple):
    """A batch whose labels are known here, and not to the estimate."""

    batch: Batch
    accuracy: float
    with_labels: Estimate
    """The estimate if people have labelled some of the images."""


def scored(
    number: int,
    version: ModelVersion,
    network: NeuralNetwork,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    rng: np.random.Generator,
) -> Scored:
    """Score a batch, as `digits score` does."""
    probabilities = network.predict_proba(images)
    known = labels.astype(np.int8)
    # Half of those that people label are the least certain, and half are drawn.
    some = np.full(len(labels), -1, np.int8)
    chosen = probabilities.max(axis=1).argsort()[: LABELS // 2]
    chosen = np.concatenate([chosen, rng.choice(len(labels), LABELS // 2, replace=False)])
    some[chosen] = known[chosen]
    counts, unknown = PredictionCounts(), np.full(len(labels), -1, np.int8)
    counts.add(images, probabilities, unknown)
    counts.files = len(images)
    labelled = PredictionCounts()
    labelled.add(images, probabilities, some)
    profile = from_text(version.tags.get(PROFILE, ""))
    figures = drift(profile_of(counts), profile) if profile else []
    estimated = estimate(counts)
    assert estimated is not None
    batch = Batch(
        id=number,
        at=datetime.now(UTC),
        version=version.reference,
        sha256=version.sha256,
        inputs=(),
        output="",
        files=len(images),
        digits=tuple(counts.digits.tolist()),
        histogram=tuple(counts.histogram.tolist()),
        estimate=Estimate(*estimated),
        drift=tuple(DriftFigure(each.what, each.index, each.limit) for each in figures),
    )
    agreed = AgreedLabels(
        tuple(labelled.labelled_histogram.tolist()),
        tuple(labelled.correct_histogram.tolist()),
        tuple(labelled.labelled_confidence.tolist()),
    )
    values = {name: getattr(batch, name) for name in Batch.__dataclass_fields__}
    better = corrected(Batch(**{**values, "labels": agreed}))
    assert better is not None
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return Scored(batch, accuracy, better)


def errors(batches: Sequence[Scored], *, with_labels: bool = False) -> NDArray[np.float64]:
    """Return how far each estimate is from the accuracy, in points."""
    estimates = [
        each.with_labels if with_labels else each.batch.estimate or each.with_labels
        for each in batches
    ]
    pairs = zip(estimates, batches, strict=True)
    return np.array([100 * (guess.accuracy - each.accuracy) for guess, each in pairs])


def main() -> None:
    """Print a line for each night, and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=NIGHTS)
    parser.add_argument("--undrifted", type=int, default=UNDRIFTED)
    chosen = parser.parse_args()
    _, test = mnist()
    with open_registry() as registry:
        version = registry.get("mnist@champion")
        network = NeuralNetwork.from_bytes(registry.load(version.reference))
    rng = np.random.default_rng(0)

    def drawn(number: int, share: float | None) -> Scored:
        places = rng.choice(len(test.images), SIZE, replace=False)
        images, labels = test.images[places], test.labels[places]
        if share is not None:
            images = np.stack([drifted(image, share, rng) for image in images])
        return scored(number, version, network, images, labels, rng)

    undrifted = [drawn(number, None) for number in range(1, chosen.undrifted + 1)]
    nights = [
        drawn(chosen.undrifted + night, (night - 1) / (chosen.nights - 1))
        for night in range(1, chosen.nights + 1)
    ]
    _print(version, undrifted, nights)


def _print(version: ModelVersion, undrifted: Sequence[Scored], nights: Sequence[Scored]) -> None:
    tracked = track([each.batch for each in [*undrifted, *nights]])[::-1]
    alarms = sum(each.has_changed for each in tracked[: len(undrifted)])
    print(f"{version.reference}, batches of {SIZE}, {LABELS} labels\n")
    print(f"{'night':>5} {'accuracy':>9} {'estimate':>9} {'labels':>9} {'drift':<30} change")
    for night, (each, seen) in enumerate(zip(nights, tracked[len(undrifted) :], strict=True), 1):
        far = ", ".join(figure.what for figure in each.batch.drift if figure.is_far)
        guess = each.batch.estimate or each.with_labels
        print(
            f"{night:>5} {each.accuracy:>9.4f} {guess.accuracy:>9.4f} "
            f"{each.with_labels.accuracy:>9.4f} {far:<30} {'told' if seen.has_changed else ''}"
        )
    found, late = errors(undrifted), errors(nights)
    labelled = errors(nights, with_labels=True)
    held = sum(
        guess.low <= each.accuracy <= guess.high
        for each in undrifted
        for guess in [each.batch.estimate or each.with_labels]
    )
    quiet = [each for each in nights if not each.batch.has_drifted]
    rows = (
        ("undrifted: mean error, points", f"{found.mean():+.2f}", ""),
        ("undrifted: mean absolute error, points", f"{abs(found).mean():.2f}", f"≤ {_NEAR}"),
        (f"undrifted: within {_NEAR} points", f"{(abs(found) <= _NEAR).mean():.1%}", ""),
        ("undrifted: accuracy inside the 95 % interval", f"{held / len(undrifted):.1%}", "95 %"),
        ("undrifted: batches said to have changed", f"{alarms} of {len(undrifted)}", "≤ 1 of 200"),
        ("nights: largest error, points", f"{abs(late).max():.2f}", f"≤ {_NEAR_DRIFTED}"),
        (
            f"nights: within {_NEAR_DRIFTED} points",
            f"{sum(abs(late) <= _NEAR_DRIFTED)} of {len(nights)}",
            "all",
        ),
        (
            "nights without a warning of drift: largest error, points",
            f"{abs(errors(quiet)).max():.2f}" if quiet else "–",
            f"≤ {_NEAR_DRIFTED}",
        ),
        ("nights, with labels: largest error, points", f"{abs(labelled).max():.2f}", ""),
        (
            f"nights, with labels: within {_NEAR_DRIFTED} points",
            f"{sum(abs(labelled) <= _NEAR_DRIFTED)} of {len(nights)}",
            "",
        ),
        ("nights said to have drifted", f"{len(nights) - len(quiet)} of {len(nights)}", ""),
    )
    print(f"\n{'accuracy without labels':<60} {'reached':>12} goal")
    for name, reached, goal in rows:
        print(f"{name:<60} {reached:>12} {goal}")


if __name__ == "__main__":
    main()
