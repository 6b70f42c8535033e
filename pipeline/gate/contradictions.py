"""Labels that contradict confident predictions.

A network still learns a digit if one in ten of its labels is wrong. Wrong labels then stand out:
the network confidently predicts another digit. Two networks that were trained on different images
are rarely both confident of the same wrong digit. Labels must be judged on images held out from
training, as in confident learning (Northcutt, Jiang and Chuang 2021, arXiv:1911.00068).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.counts import DIGITS
from pipeline.metrics.significance import proportion_lower_bound

# Minimum confidence of a confident prediction.
_CONFIDENT = 0.9

CONFIDENCE_LEVEL = 0.99
"""Confidence level of the lower bound of a share."""


def contradicted(
    labels: NDArray[np.uint8], probabilities: Sequence[NDArray[np.float32]]
) -> tuple[float, ...]:
    """Return, for each digit, the share of its images that have another label: a lower bound.

    Parameters
    ----------
    labels : ndarray of uint8, shape (n,)
    probabilities : sequence of ndarray, shape (n, 10)
        The predictions of each network. An image counts as a digit if all networks confidently
        predict that digit.

    Returns
    -------
    tuple of ten floats
        Lower confidence bounds of the shares, so that a few images prove nothing.
    """
    digits = probabilities[0].argmax(axis=1)
    is_confident = np.all(
        [(p.argmax(axis=1) == digits) & (p.max(axis=1) >= _CONFIDENT) for p in probabilities],
        axis=0,
    )
    shares = []
    for digit in range(DIGITS):
        given = labels[is_confident & (digits == digit)]
        count = int(np.count_nonzero(given != digit))
        shares.append(proportion_lower_bound(count, len(given), confidence=CONFIDENCE_LEVEL))
    return tuple(shares)
