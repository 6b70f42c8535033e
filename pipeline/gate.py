"""The gate: what a candidate must show before it becomes a version.

It looks at images that no version was trained on: the validation split of MNIST, and the part of
the user's own labelled images that is held out. There the champion is held against the same.
"""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork, expected_calibration_error
from pipeline import labelled as labelled_images
from pipeline import parquet
from pipeline.contradictions import contradicted
from pipeline.drift import Profile, profile_of
from pipeline.evaluation import Evaluation, evaluate
from pipeline.ingestion import DataReference
from pipeline.labelled import LabelledReference, Side
from pipeline.splits import training_and_validation
from pipeline.tally import Tally
from pipeline.thresholds import Thresholds
from registry import Check, ModelVersion, open_blobs

# Images that are predicted at once, and how often, to take the time.
_BATCH = 1024
_TIMES = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """The checks a candidate went through, and what it makes of the images."""

    checks: tuple[Check, ...]
    champion: str | None
    """The version it was held against."""
    validation: Evaluation
    """Of the validation split."""
    champion_validation: Evaluation | None
    """The champion's, of the same images."""
    held_out: Evaluation | None
    """Of the user's own held-out images; None where there are none."""
    champion_held_out: Evaluation | None
    """The champion's, of the same images."""
    profile: Profile
    """Of all these images, as the candidate sees them: what scoring compares with."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """The figures of the checks that failed, or of all where none did."""
        failed = [check for check in self.checks if not check.passed]
        return "; ".join(map(str, failed or self.checks))

    @property
    def metrics(self) -> dict[str, float]:
        """Figures that only the gate takes."""
        return {"held_out_accuracy": self.held_out.accuracy} if self.held_out else {}

    @property
    def summary(self) -> str:
        """The accuracies, and how they compare with the champion's."""
        text = f"validation accuracy {self.validation.accuracy:.4f}"
        if self.champion_validation:
            change = self.validation.accuracy - self.champion_validation.accuracy
            text += f" ({change:+.4f} against {self.champion})"
        if self.held_out:
            text += f", own held-out images {self.held_out.accuracy:.4f}"
            if self.champion_held_out:
                text += f" ({self.held_out.accuracy - self.champion_held_out.accuracy:+.4f})"
        return text


def judge(
    data: DataReference,
    labelled: LabelledReference | None,
    candidate: Path,
    champion: ModelVersion | None,
    blobs_url: str,
    thresholds: Thresholds,
) -> Verdict:
    """Hold a candidate's weights against the thresholds and against the champion.

    The test set is not looked at.

    Raises
    ------
    DamagedDataError
        Where a Parquet file does not hold what it should.
    registry.BlobError
        Where the champion's weights are not the ones registered.
    """
    examples = parquet.read(data.train.path, data.train.split)
    _, places = training_and_validation(examples.labels)
    images, labels = examples.images[places], examples.labels[places]
    network = NeuralNetwork.from_bytes(candidate.read_bytes())
    probabilities = network.predict_proba(images)
    validation = evaluate(probabilities, images, labels, lambda n: f"training image {places[n]}")
    checks = [
        *_absolute(validation, probabilities, labels, thresholds),
        _at_most(
            "milliseconds_per_image",
            _milliseconds(network, images),
            thresholds.max_milliseconds_per_image,
        ),
    ]
    own = _held_out(labelled)
    held_out = None
    seen = []
    tally = Tally()
    tally.add(images, probabilities, labels.astype(np.int8))
    if own is not None:
        seen.append(network.predict_proba(own.images))
        tally.add(own.images, seen[-1], own.labels.astype(np.int8))
        held_out = _evaluation_of(seen[-1], own)
    before = before_held_out = None
    if champion is not None:
        production = NeuralNetwork.from_bytes(open_blobs(blobs_url).get(champion.sha256))
        before = evaluate(production.predict_proba(images), images, labels, str)
        checks += [
            _at_least(
                "accuracy_above_champion",
                validation.accuracy - before.accuracy,
                -thresholds.margin,
            ),
            _not_worse("mcnemar_p", validation, before, thresholds),
        ]
        if own is not None and held_out is not None:
            seen.append(production.predict_proba(own.images))
            before_held_out = _evaluation_of(seen[-1], own)
            checks.append(_not_worse("held_out_mcnemar_p", held_out, before_held_out, thresholds))
    if own is not None:
        checks += _labels(own, seen, thresholds)
    return Verdict(
        tuple(checks),
        champion.reference if champion else None,
        validation,
        before,
        held_out,
        before_held_out,
        profile_of(tally),
    )


def mcnemar(candidate: bytes, champion: bytes) -> float:
    """Return how likely it is by chance that a candidate is this much worse, or more.

    McNemar's exact test (Psychometrika 12, 1947), one-sided: of the images on which exactly one
    of the two is right, as many go against the candidate as heads come of a fair coin.

    Parameters
    ----------
    candidate, champion : bytes
        For each image, in the same order, 1 where it is right and 0 where it is not.
    """
    worse = sum(a < b for a, b in zip(candidate, champion, strict=True))
    better = sum(a > b for a, b in zip(candidate, champion, strict=True))
    tosses = worse + better
    outcomes: int = 2**tosses
    return sum(math.comb(tosses, heads) for heads in range(worse, tosses + 1)) / outcomes


def _held_out(labelled: LabelledReference | None) -> Side | None:
    """Return the user's own images that are held out, if there are any."""
    if labelled is None:
        return None
    side = labelled_images.read(labelled.path, labelled.sha256).held_out
    return side if side.paths else None


def _evaluation_of(probabilities: NDArray[np.float32], side: Side) -> Evaluation:
    return evaluate(probabilities, side.images, side.labels, side.paths.__getitem__)


def _labels(
    side: Side, seen: Sequence[NDArray[np.float32]], thresholds: Thresholds
) -> Sequence[Check]:
    return _worst(
        [
            _at_most(f"contradicted_labels_of_{digit}", share, thresholds.max_contradicted_labels)
            for digit, share in enumerate(contradicted(side.labels, seen))
        ],
        lowest=False,
    )


def _absolute(
    evaluation: Evaluation,
    probabilities: NDArray[np.float32],
    labels: NDArray[np.uint8],
    thresholds: Thresholds,
) -> Iterator[Check]:
    yield _at_least("validation_accuracy", evaluation.accuracy, thresholds.min_accuracy)
    yield from _worst(
        [
            _at_least(f"recall_of_{digit}", recall, thresholds.min_recall)
            for digit, recall in _by_digit(evaluation)
        ],
        lowest=True,
    )
    yield _at_most(
        "validation_calibration_error",
        expected_calibration_error(probabilities, labels),
        thresholds.max_calibration_error,
    )
    yield from _worst(
        [
            _at_most(
                f"calibration_error_of_{digit}",
                abs(recall - float(probabilities[labels == digit, digit].mean(dtype=np.float64))),
                thresholds.max_calibration_error_of_digit,
            )
            for digit, recall in _by_digit(evaluation)
        ],
        lowest=False,
    )


def _by_digit(evaluation: Evaluation) -> Iterator[tuple[int, float]]:
    for digit, recall in enumerate(evaluation.recall):
        if recall is not None:
            yield digit, recall


def _worst(checks: Sequence[Check], *, lowest: bool) -> list[Check]:
    """Return the checks of digits that failed; where none did, the one that is nearest to it."""
    failed = [check for check in checks if not check.passed]
    return failed or [(min if lowest else max)(checks, key=lambda check: check.figure)]


def _not_worse(
    name: str, candidate: Evaluation, champion: Evaluation, thresholds: Thresholds
) -> Check:
    return _at_least(name, mcnemar(candidate.correct, champion.correct), thresholds.significance)


def _at_least(name: str, figure: float, threshold: float) -> Check:
    return Check(name, figure, threshold, passed=figure >= threshold)


def _at_most(name: str, figure: float, threshold: float) -> Check:
    return Check(name, figure, threshold, passed=figure <= threshold)


def _milliseconds(network: NeuralNetwork, images: NDArray[np.uint8]) -> float:
    """Return the median time to predict an image, in batches."""
    batch = images[:_BATCH]
    times = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        network.predict_proba(batch)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000 / len(batch)
