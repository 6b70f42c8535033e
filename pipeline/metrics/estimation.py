"""The accuracy of predictions without labels, estimated from their confidence.

If the confidence is calibrated, a prediction of confidence c is right with probability c. So the
mean confidence estimates the accuracy, and the number of right predictions has the variance
``sum(c * (1 - c))``.
"""

import math
from typing import NamedTuple

from pipeline.metrics.counts import PredictionCounts

# Standard deviations on either side of a 95 % interval.
_DEVIATIONS = 1.96


class Estimated(NamedTuple):
    """An estimated accuracy and its 95 % interval, each a fraction in [0, 1]."""

    accuracy: float
    low: float
    high: float


def estimate(counts: PredictionCounts) -> Estimated | None:
    """Return the accuracy that the confidence promises; None if there is no prediction."""
    if not counts.predicted:
        return None
    mean = float(counts.confidence.sum()) / counts.predicted
    margin = _DEVIATIONS * math.sqrt(counts.variance) / counts.predicted
    return Estimated(mean, max(mean - margin, 0.0), min(mean + margin, 1.0))
