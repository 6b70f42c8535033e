"""The accuracy of batches without labels, and with some."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.counts import BINS, PredictionCounts
from pipeline.metrics.estimation import estimate
from pipeline.monitoring.accuracy import corrected, track
from registry import AgreedLabels, Batch, Estimate


def _counts(confidence, labels=None, rng=None):
    """Return the counts of predictions of 0 with these confidences."""
    confidence = np.asarray(confidence)
    probabilities = np.full((len(confidence), 10), 0.0, np.float32)
    probabilities[:, 0] = confidence
    counts = PredictionCounts()
    images = np.zeros((len(confidence), 28, 28), np.uint8)
    unknown = np.full(len(confidence), -1, np.int8)
    counts.add(images, probabilities, unknown if labels is None else labels)
    return counts


def _batch(counts, number=1, sha256="a" * 64):
    labels = None
    if counts.labelled:
        labels = AgreedLabels(
            tuple(counts.labelled_histogram.tolist()),
            tuple(counts.correct_histogram.tolist()),
            tuple(counts.labelled_confidence.tolist()),
        )
    estimated = estimate(counts)
    return Batch(
        id=number,
        at=datetime.now(UTC),
        version="mnist/1",
        sha256=sha256,
        inputs=("scans",),
        output="scores",
        files=counts.files,
        digits=tuple(counts.digits.tolist()),
        histogram=tuple(counts.histogram.tolist()),
        estimate=None if estimated is None else Estimate(*estimated),
        labels=labels,
    )


@given(st.lists(st.floats(0.1, 1), min_size=1, max_size=50))
def test_the_estimate_is_the_mean_confidence(confidence):
    estimated = estimate(_counts(confidence))
    assert estimated.accuracy == pytest.approx(np.float32(confidence).mean(), abs=1e-5)
    assert 0 <= estimated.low <= estimated.accuracy <= estimated.high <= 1


def test_without_a_prediction_there_is_no_estimate():
    assert estimate(PredictionCounts()) is None


def test_the_interval_of_calibrated_confidence_holds_the_accuracy():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        confidence = rng.beta(20, 1, 500)
        accuracy = (rng.random(500) < confidence).mean()
        estimated = estimate(_counts(confidence))
        held += estimated.low <= accuracy <= estimated.high
    assert 0.92 * 400 <= held <= 0.99 * 400


def test_labels_of_all_images_give_their_accuracy():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 300)
    labels = np.where(rng.random(300) < 0.4, 0, 1).astype(np.int8)
    exact = corrected(_batch(_counts(confidence, labels)))
    assert exact.accuracy == pytest.approx((labels == 0).mean(), abs=1e-5)


def test_labels_of_some_images_correct_the_estimate():
    """Of overconfident predictions: right is six in ten, and promised are nine."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.85, 0.95, 2000)
    right = rng.random(2000) < 0.6
    labels = np.where(right, 0, 1).astype(np.int8)
    labels[200:] = -1
    batch = _batch(_counts(confidence, labels))
    assert batch.estimate.accuracy == pytest.approx(0.9, abs=0.01)
    better = corrected(batch)
    assert abs(better.accuracy - right.mean()) < 0.1
    assert better.low <= right.mean() <= better.high


@given(st.lists(st.tuples(st.floats(0.1, 1), st.sampled_from([-1, 0, 1])), min_size=1, max_size=60))
def test_a_corrected_estimate_is_a_fraction(images):
    confidence, labels = zip(*images, strict=True)
    batch = _batch(_counts(confidence, np.array(labels, np.int8)))
    better = corrected(batch)
    assert 0 <= better.low <= better.accuracy <= better.high <= 1
    # Without labels nothing is corrected.
    assert corrected(dataclasses.replace(batch, labels=None)) == batch.estimate


def _batches(rng, means):
    return [
        _batch(_counts(rng.beta(20 * mean, 20 * (1 - mean), 1000)), number)
        for number, mean in enumerate(means, 1)
    ]


def test_a_change_is_told_and_chance_is_not():
    rng = np.random.default_rng(0)
    tracked = track(_batches(rng, [0.97] * 100 + [0.90]))
    assert [each.batch.id for each in tracked] == list(range(101, 0, -1))
    assert [each.batch.id for each in tracked if each.has_changed] == [101]
    assert tracked[-1].reference is None


def test_a_slow_change_is_told_too():
    """Batches are compared with the first ones, and not with the last ones."""
    rng = np.random.default_rng(0)
    tracked = track(_batches(rng, np.linspace(0.97, 0.90, 60)))
    assert tracked[0].has_changed


def test_versions_are_not_compared():
    rng = np.random.default_rng(0)
    batches = _batches(rng, [0.97] * 5 + [0.9] * 5)
    other = [dataclasses.replace(batch, sha256="b" * 64) for batch in batches[5:]]
    assert not any(each.has_changed for each in track([*batches[:5], *other]))


def test_batches_without_predictions_are_listed():
    (tracked,) = track([_batch(PredictionCounts())])
    assert (tracked.estimate, tracked.has_changed) == (None, False)
    assert len(tracked.batch.histogram) == BINS
