"""Which examples an epoch trains on: all of them, or only some of those that are learnt.

Most examples are soon predicted with hardly any loss, and then teach nothing. So an epoch leaves
out some of those whose loss was below the mean when they were last seen: others each time, and none
for good (Qin et al. 2024, "InfoBatch", arXiv:2303.04947). Unlike there, the gradients of the others
keep their weight, so the training dwells on what is hard (Jiang et al. 2019, arXiv:1910.00762).
"""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike, NDArray

# The last epochs have all examples, so the training ends on the distribution of the data.
_COMPLETE = 1 / 8


class Selection:
    """Chooses the examples of each epoch.

    Parameters
    ----------
    count : int
        Number of examples.
    epochs : int
        Epochs of the whole training.
    batch_size : int
    skipping : float
        Fraction of the learnt examples that an epoch leaves out, in [0, 1).
    zeros : callable
        Allocates what all processes of the training share: the leader chooses, the others follow.

    Attributes
    ----------
    losses : ndarray of float32, shape (count,)
        Of each example when it was last seen.
    """

    def __init__(
        self,
        count: int,
        *,
        epochs: int,
        batch_size: int,
        skipping: float,
        zeros: Callable[[int, DTypeLike], np.ndarray] = np.zeros,
    ) -> None:
        self.losses = np.zeros(count, np.float32)
        self._epochs = epochs
        self._batch_size = batch_size
        self._skipping = skipping
        self._order = zeros(count, np.int64)
        self._chosen = zeros(1, np.int64)

    @property
    def examples(self) -> NDArray[np.int64]:
        """Indices of the examples of this epoch, in the order of the training.

        A copy: the leader may choose for the next epoch before another process is done.
        """
        return self._order[: self._chosen[0]].copy()

    def choose(self, epoch: int, rng: np.random.Generator) -> None:
        """Choose the examples of an epoch, the first of which has number 1."""
        order = rng.permutation(len(self._order))
        chosen = len(order)
        if self._skipping and 1 < epoch <= self._epochs * (1 - _COMPLETE):
            is_learnt = self.losses[order] < self.losses.mean(dtype=np.float64)
            is_skipped = is_learnt & (rng.random(len(order)) < self._skipping)
            order = np.concatenate([order[~is_skipped], order[is_skipped]])
            # The last batch is filled up with skipped examples, because a short one would weigh as
            # much as the others.
            batches = math.ceil((len(order) - np.count_nonzero(is_skipped)) / self._batch_size)
            chosen = min(len(order), batches * self._batch_size)
        self._order[:] = order
        self._chosen[0] = chosen
