"""Training examples as backpropagation wants them: in random order, scaled and deformed."""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nn import validation
from nn.activations import Array
from nn.distortion import Distorter
from nn.objectives import targets
from nn.team import Team

# Examples prepared at once, where batches are shorter: they fill a core's own cache.
_CHUNK = 512

# Examples that one thread prepares at a time.
_PIECE = 64


class Chunk(NamedTuple):
    """Some batches, back to back."""

    x: Array
    """Shape ``(m, sizes[0])``."""
    targets: Array
    """Shape ``(sizes[-1], m)``."""
    labels: np.ndarray
    """Shape ``(m,)``."""


class Batches:
    """One pass after another over the training examples.

    Parameters
    ----------
    x : ndarray of uint8 or float, shape (n, sizes[0])
        Converted a chunk at a time: all at once, float32 would take four times the memory.
    y : ndarray of int, shape (n,)
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        classes: int,
        *,
        batch_size: int,
        label_smoothing: float,
        distorter: Distorter | None,
        team: Team,
    ) -> None:
        self._x = x
        self._y = y
        self._classes = classes
        self._label_smoothing = label_smoothing
        self._distorter = distorter
        rows = min(len(x), batch_size * max(1, _CHUNK // batch_size))
        self._team = team
        self.longest = rows
        """Examples in the longest chunk."""
        self._buffer = team.zeros((rows, x.shape[1]))
        self.generators = -(-rows // _PIECE)
        """How many random generators a pass takes."""

    def __call__(
        self, order: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> Iterator[Chunk]:
        """Yield the examples in this order, in chunks of whole batches.

        A chunk is overwritten by the next one.
        """
        for start in range(0, len(order), len(self._buffer)):
            chosen = order[start : start + len(self._buffer)]
            x = self._buffer[: len(chosen)]
            pieces = -(-len(chosen) // _PIECE)

            def prepare(piece: int, x: Array = x, chosen: np.ndarray = chosen) -> None:
                rows = slice(piece * _PIECE, (piece + 1) * _PIECE)
                validation.scaled(self._x[chosen[rows]], out=x[rows])
                if self._distorter is not None:
                    self._distorter(x[rows], generators[piece])

            self._team.run(prepare, pieces)
            labels = self._y[chosen]
            yield Chunk(x, targets(labels, self._classes, self._label_smoothing), labels)
