"""Judging a candidate: absolute thresholds, and a comparison with the champion."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork, expected_calibration_error
from pipeline.data.labelled import LabelledReference
from pipeline.data.preparation import DataReference
from pipeline.gate.checks import GateCheck, at_least, at_most, failed_or_closest
from pipeline.gate.contradictions import CONFIDENCE_LEVEL, contradicted
from pipeline.gate.panels import PanelEvaluation, PanelResult, held_out_panel, validation_panel
from pipeline.metrics.counts import PredictionCounts
from pipeline.metrics.drift import Profile, profile_of
from pipeline.metrics.evaluation import Evaluation, discordant
from pipeline.metrics.novelty import NOVEL, NoveltyScore
from pipeline.metrics.significance import mcnemar, proportion_lower_bound
from pipeline.settings import Thresholds
from pipeline.stages import stage
from registry import Check, ModelVersion, open_blobs

# The prediction time is the median over _REPEATS batches of _BATCH_SIZE images.
_BATCH_SIZE = 1024
_REPEATS = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """The checks of a candidate, and its evaluations."""

    checks: tuple[Check, ...]
    champion: str | None
    """The version that the candidate was compared with."""
    validation: PanelEvaluation
    """On the validation split."""
    held_out: PanelEvaluation | None
    """On the user's own held-out images; None if there are none."""
    profile: Profile
    """Of the candidate's predictions on all these images: scoring compares its batches with it."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """The figures of the checks that failed, or of all if none did."""
        failed = [check for check in self.checks if not check.passed]
        return "; ".join(map(str, failed or self.checks))

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics that only the gate measures."""
        return {"held_out_accuracy": self.held_out.candidate.accuracy} if self.held_out else {}

    @property
    def summary(self) -> str:
        """The accuracies, and how they compare with the champion's."""
        text = f"validation accuracy {self.validation.candidate.accuracy:.4f}"
        if self.validation.change is not None:
            text += f" ({self.validation.change:+.4f} against {self.champion})"
        if self.held_out:
            text += f", own held-out images {self.held_out.candidate.accuracy:.4f}"
            if self.held_out.change is not None:
                text += f" ({self.held_out.change:+.4f})"
        return text


@stage
def judge(
    data: DataReference,
    labelled: LabelledReference | None,
    candidate: Path,
    champion: ModelVersion | None,
    blobs_url: str,
    thresholds: Thresholds,
) -> Verdict:
    """Hold a candidate's weights against the thresholds and against the champion.

    The test set has no part in it.

    Raises
    ------
    DamagedDataError
        If a Parquet file is missing or damaged.
    registry.BlobError
        If the champion's weights do not match their digest.
    """
    networks = [NeuralNetwork.from_bytes(candidate.read_bytes())]
    if champion is not None:
        networks.append(NeuralNetwork.from_bytes(open_blobs(blobs_url).get(champion.sha256)))
    panels = (validation_panel(data), *held_out_panel(labelled))
    validation, *held_out = (panel.results_of(networks) for panel in panels)
    counts = PredictionCounts()
    for result in (validation, *held_out):
        labels = result.panel.labels.astype(np.int8)
        counts.add(result.panel.images, result.probabilities[0], labels)
    checks = [
        *_absolute_checks(validation, thresholds),
        at_most(
            "milliseconds_per_image",
            _milliseconds_per_image(networks[0], validation.panel.images),
            thresholds.max_milliseconds_per_image,
        ),
        *_novelty_checks(networks[0], [validation, *held_out], thresholds),
        *_comparisons(validation, held_out, thresholds),
        *_label_checks(held_out, thresholds),
    ]
    return Verdict(
        checks=tuple(check.record for check in checks),
        champion=champion.reference if champion else None,
        validation=validation.evaluation,
        held_out=held_out[0].evaluation if held_out else None,
        profile=profile_of(counts),
    )


def _absolute_checks(validation: PanelResult, thresholds: Thresholds) -> Iterator[GateCheck]:
    probabilities, labels = validation.probabilities[0], validation.panel.labels
    evaluation = validation.evaluation.candidate
    yield at_least("validation_accuracy", evaluation.accuracy, thresholds.min_accuracy)
    yield from failed_or_closest(
        [
            at_least(f"recall_of_{digit}", recall, thresholds.min_recall)
            for digit, recall in _recall_by_digit(evaluation)
        ]
    )
    yield at_most(
        "validation_calibration_error",
        expected_calibration_error(probabilities, labels),
        thresholds.max_calibration_error,
    )
    yield from failed_or_closest(
        [
            at_most(
                f"calibration_error_of_{digit}",
                abs(recall - _mean_probability(digit, probabilities, labels)),
                thresholds.max_calibration_error_of_digit,
            )
            for digit, recall in _recall_by_digit(evaluation)
        ]
    )


def _comparisons(
    validation: PanelResult, held_out: list[PanelResult], thresholds: Thresholds
) -> Iterator[GateCheck]:
    """Yield the checks against the champion, if there is one."""
    if validation.evaluation.change is not None:
        yield at_least("accuracy_above_champion", validation.evaluation.change, -thresholds.margin)
    for name, results in (("mcnemar_p", [validation]), ("held_out_mcnemar_p", held_out)):
        for result in results:
            evaluation = result.evaluation
            if evaluation.champion is not None:
                better, worse = discordant(evaluation.candidate, evaluation.champion)
                yield at_least(name, mcnemar(worse, better), thresholds.significance)


def _novelty_checks(
    network: NeuralNetwork, results: list[PanelResult], thresholds: Thresholds
) -> Iterator[GateCheck]:
    """Yield checks that few digits are lost if images that are not one digit are rejected."""
    score = NoveltyScore.of(network)
    if score is None:
        return
    for name, result in zip(("lost_digits", "held_out_lost_digits"), results, strict=False):
        _, hidden = network.predict_with_hidden(result.panel.images)
        count = int(np.count_nonzero(score.p_values(hidden) < NOVEL))
        yield at_most(name, share_of_lost(count, len(hidden)), thresholds.max_lost_digits)


def share_of_lost(count: int, total: int) -> float:
    """Return the share of digits that are lost: a lower bound, so that a few prove nothing.

    Images that were reviewed were chosen because they are hard to read, and only few of them are
    held out.
    """
    return proportion_lower_bound(count, total, confidence=CONFIDENCE_LEVEL)


def _label_checks(held_out: list[PanelResult], thresholds: Thresholds) -> Iterator[GateCheck]:
    """Yield checks that the labels of the user's own images agree with the predictions."""
    for result in held_out:
        shares = contradicted(result.panel.labels, result.probabilities)
        yield from failed_or_closest(
            [
                at_most(
                    f"contradicted_labels_of_{digit}", share, thresholds.max_contradicted_labels
                )
                for digit, share in enumerate(shares)
            ]
        )


def _recall_by_digit(evaluation: Evaluation) -> Iterator[tuple[int, float]]:
    for digit, recall in enumerate(evaluation.recall):
        if recall is not None:
            yield digit, recall


def _mean_probability(
    digit: int, probabilities: NDArray[np.float32], labels: NDArray[np.uint8]
) -> float:
    """Return the mean probability of a digit on its own images."""
    return float(probabilities[labels == digit, digit].mean(dtype=np.float64))


def _milliseconds_per_image(network: NeuralNetwork, images: NDArray[np.uint8]) -> float:
    """Return the median time to predict an image, in batches."""
    batch = images[:_BATCH_SIZE]
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        network.predict_proba(batch)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000 / len(batch)
