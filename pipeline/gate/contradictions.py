"""Labels that contradict what networks are sure of.

A network learns to be right although one label in ten of a digit is wrong, and so the wrong ones
stand out: it is sure of another digit. Two networks that were trained on different images are
hardly ever sure of the same wrong digit. That the labels are to be judged on images held out from
the training is the point of confident learning (Northcutt, Jiang and Chuang 2021,
arXiv:1911.00068).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.counts import DIGITS
from pipeline.metrics.significance import proportion_lower_bound

# From this confidence on a network is sure.
_SURE = 0.9

# Of the share's lower bound.
_CONFIDENCE = 0.99


def contradicted(
    labels: NDArray[np.uint8], seen: Sequence[NDArray[np.float32]]
) -> tuple[float, ...]:
    """Return, for each digit, which share of its images is labelled otherwise, at least.

    Parameters
    ----------
    labels : ndarray of uint8, shape (n,)
    seen : sequence of ndarray, shape (n, 10)
        The probabilities that each network gives to the digits. What counts as an image of a
        digit is what all of them are sure of.

    Returns
    -------
    tuple of ten floats
        The lower end of the share's confidence interval, so that few images prove nothing.
    """
    digits = seen[0].argmax(axis=1)
    is_sure = np.all(
        [(p.argmax(axis=1) == digits) & (p.max(axis=1) >= _SURE) for p in seen], axis=0
    )
    shares = []
    for digit in range(DIGITS):
        given = labels[is_sure & (digits == digit)]
        count = int(np.count_nonzero(given != digit))
        shares.append(proportion_lower_bound(count, len(given), confidence=_CONFIDENCE))
    return tuple(shares)
