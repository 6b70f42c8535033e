"""The accuracy that is estimated from a random sample."""

import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline.review.accuracy import SampleAccuracy


@pytest.mark.parametrize(("right", "decided"), [(0, 1), (1, 1), (45, 50), (200, 200), (0, 20)])
def test_the_interval_is_that_of_clopper_and_pearson(right, decided):
    expected = binomtest(right, decided).proportion_ci(0.95, "exact")
    assert SampleAccuracy(right, decided, 0).interval == pytest.approx(
        (expected.low, expected.high)
    )


def test_without_a_decision_nothing_is_known():
    nothing = SampleAccuracy(0, 0, 3)
    assert nothing.accuracy is None
    assert nothing.interval == (0, 1)


def test_the_uncertain_do_not_bias_the_estimate(scored, open_queue, decide):
    """They are wrong more often; those reviewed first must not count for more."""
    directory, labels = scored
    queue = open_queue(directory)
    rows = queue._rows
    is_right = [
        int(labels[rows.batches[0].path_of(row)]) == rows.batches[0].prediction[row]
        for row in rows._sample
    ]
    decided = 0
    for item in queue.take("a", "ann", 60):
        decide(queue, item, labels[item.path])
        estimate = queue.progress().accuracy
        assert estimate.decided >= decided
        decided = estimate.decided
        assert estimate.right == sum(is_right[:decided])
    assert decided == 60
    assert np.mean(is_right) == estimate.accuracy


def test_what_is_no_digit_was_predicted_wrongly_and_what_is_skipped_does_not_count(
    scored, open_queue, decide
):
    directory, _ = scored
    queue = open_queue(directory)
    items = queue.take("a", "ann", 60)
    first, second, *_ = (item for item in items if item.group == "sample")
    for item in items:
        if item not in (first, second):
            decide(queue, item, "skip")
    decide(queue, first, str(first.prediction))
    decide(queue, second, "n")
    estimate = queue.progress().accuracy
    assert (estimate.right, estimate.decided) == (1, 2)
    assert estimate.skipped >= 1
