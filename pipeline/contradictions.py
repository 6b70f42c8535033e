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

from pipeline.tally import DIGITS

# From this confidence on a network is sure.
_SURE = 0.9

# How likely it is by chance that the share is thought to be larger than it is.
_BY_CHANCE = 0.01

# Halvings of an interval, until floats have no more digits.
_HALVINGS = 60


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
        shares.append(share_at_least(int(np.count_nonzero(given != digit)), len(given)))
    return tuple(shares)


def share_at_least(count: int, total: int) -> float:
    """Return the share that `count` of `total` show to be there, with a confidence of 99 %.

    It is the lower end of the exact interval of Clopper and Pearson (Biometrika 26, 1934),
    one-sided: were the share no larger, as many or more would come in one case of a hundred.
    """
    if not count:
        return 0.0
    fewer = np.arange(1, count)
    ways = np.concatenate([[0.0], np.cumsum(np.log((total - fewer + 1) / fewer))])
    successes = np.arange(count)
    low, high = 0.0, count / total
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        exponents = ways + successes * np.log(share) + (total - successes) * np.log1p(-share)
        if 1 - np.exp(exponents).sum() < _BY_CHANCE:
            low = share
        else:
            high = share
    return low
