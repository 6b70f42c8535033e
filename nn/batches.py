"""Training examples in batches: in random order, scaled, varied and distorted."""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nn import validation
from nn.activations import Array
from nn.distortion import Distorter
from nn.objectives import targets
from nn.parallel.workers import Workers
from nn.style import Styler
from nn.views import PLAIN, view

# Number of examples that are prepared together if batches are shorter: they fill the cache of a
# core.
_CHUNK = 512

# Number of examples that one process prepares at a time.
_PIECE = 128


class Chunk(NamedTuple):
    """Consecutive batches."""

    x: Array
    """Shape ``(m, sizes[0])``."""
    targets: Array
    """Shape ``(sizes[-1], m)``."""
    labels: np.ndarray
    """Shape ``(m,)``."""


class Batches:
    """The training examples, of which each call makes one pass.

    Parameters
    ----------
    x : ndarray of uint8 or float, shape (n, sizes[0])
        Converted chunk by chunk, because all of it as float32 takes four times the memory.
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
        styler: Styler | None = None,
        view: str = PLAIN,
        workers: Workers,
    ) -> None:
        self._x = x
        self._y = y
        self._classes = classes
        self._label_smoothing = label_smoothing
        self._distorter = distorter
        self._styler = styler
        self._view = view
        rows = min(len(x), batch_size * max(1, _CHUNK // batch_size))
        self._workers = workers
        self.longest = rows
        """Number of examples in the longest chunk."""
        self._buffer = workers.zeros((rows, x.shape[1]))
        self.generators = -(-rows // _PIECE)
        """Number of random generators that a pass needs."""

    def __call__(
        self,
        order: np.ndarray,
        generators: Sequence[np.random.Generator],
        progress: float = 0.0,
    ) -> Iterator[Chunk]:
        """Yield the examples in this order, in chunks of complete batches.

        The next chunk overwrites a chunk. `progress` is the part of the training that is over.
        """
        for start in range(0, len(order), self.longest):
            indices = order[start : start + self.longest]
            x = self._buffer[: len(indices)]
            pieces = -(-len(indices) // _PIECE)

            def prepare(piece: int, x: Array = x, indices: np.ndarray = indices) -> None:
                rows = slice(piece * _PIECE, (piece + 1) * _PIECE)
                validation.scaled(self._x[indices[rows]], out=x[rows])
                if self._styler is not None:
                    self._styler(x[rows], self._y[indices[rows]], generators[piece])
                if self._distorter is not None:
                    self._distorter(x[rows], generators[piece], progress)
                x[rows] = view(self._view, x[rows])

            self._workers.run(prepare, pieces)
            labels = self._y[indices]
            yield Chunk(x, targets(labels, self._classes, self._label_smoothing), labels)
