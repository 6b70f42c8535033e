"""The accuracy of predictions without labels, estimated from their confidence.

If the confidence is calibrated, a prediction of confidence c is right with probability c. So the
mean confidence estimates the accuracy, and the number of right predictions has the variance
``sum(c * (1 - c))``. On images unlike those that it was calibrated on, confidence may promise too
much or too little; drift tells that they are unlike.
"""

import math
from typing import NamedTuple

from pipeline.metrics.counts import PredictionCounts

# Standard deviations on either side of a 95 % interval.
_DEVIATIONS = 1.96

# Added to the variance: a batch in which all are sure has an interval too.
_LEAST_VARIANCE = 0.5


class Estimated(NamedTuple):
    """An estimated accuracy and its 95 % interval, each a fraction in [0, 1]."""

    accuracy: float
    low: float
    high: float


def estimate(counts: PredictionCounts) -> Estimated | None:
    """Return the estimated accuracy of predictions; None if there are none.

    The interval covers chance. It does not cover how wrong the confidence itself may be.
    """
    predicted = counts.predicted
    if not predicted:
        return None
    return interval(float(counts.confidence.sum()) / predicted, counts.variance, predicted)


def interval(accuracy: float, variance: float, count: int) -> Estimated:
    """Return an estimated accuracy with its interval, from the variance of the number right."""
    accuracy = min(max(accuracy, 0.0), 1.0)
    margin = _DEVIATIONS * math.sqrt(variance + _LEAST_VARIANCE) / count
    return Estimated(accuracy, max(accuracy - margin, 0.0), min(accuracy + margin, 1.0))
