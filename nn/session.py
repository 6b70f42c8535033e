"""A training and the processes that share it: how many, and how they start."""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from nn.blas import single_threaded_blas
from nn.errors import DivergedError
from nn.hyperparameters import Hyperparameters
from nn.parallel.workers import Workers
from nn.parameters import count
from nn.training import Training

# A further process pays off from this many multiplications in its piece of a batch, and in its
# part of the whole training: it takes a fifth of a second to start.
_MIN_MULTIPLICATIONS_PER_PIECE = 1 << 21
_MIN_MULTIPLICATIONS_PER_PROCESS = 1 << 35
# With fewer examples in a piece BLAS does not reach its speed.
_MIN_EXAMPLES_PER_PIECE = 16


def useful_workers(hyperparameters: Hyperparameters, examples: int, limit: int) -> int:
    """Return how many processes speed up a training on this many examples, 1 to `limit`."""
    parameters = count(hyperparameters.sizes)
    batch_size = min(hyperparameters.batch_size, examples)
    passes = hyperparameters.epochs * len(hyperparameters.views)
    multiplications = passes * examples * parameters
    return max(
        1,
        min(
            limit,
            batch_size // _MIN_EXAMPLES_PER_PIECE,
            batch_size * parameters // _MIN_MULTIPLICATIONS_PER_PIECE,
            multiplications // _MIN_MULTIPLICATIONS_PER_PROCESS,
        ),
    )


@contextmanager
def training_session(
    hyperparameters: Hyperparameters,
    x: np.ndarray,
    y: np.ndarray,
    image_shape: tuple[int, int],
    seed: int,
    size: int,
) -> Iterator[Training]:
    """Start a training that `size` processes share; on exit its workers are gone.

    The other parameters are those of `Training`.
    """
    with single_threaded_blas(), Workers(size) as workers:
        if size > 1:
            x, y = workers.share(x), workers.share(y.astype(np.int64))
        training = Training(hyperparameters, x, y, image_shape, seed, workers)
        workers.start(
            _join,
            {
                "params": hyperparameters.get_params(),
                "shape": x.shape,
                "dtype": x.dtype.str,
                "image_shape": image_shape,
                "seed": seed,
            },
        )
        yield training


def _join(workers: Workers, task: Mapping[str, Any], messages: Iterable[str]) -> None:
    """Take part in a training, in a worker: each message is the number of completed epochs."""
    x = workers.zeros(tuple(task["shape"]), task["dtype"])
    y = workers.zeros(len(x), np.int64)
    hyperparameters = Hyperparameters.from_params(task["params"])
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        training = Training(hyperparameters, x, y, task["image_shape"], task["seed"], workers)
        # If the training diverges, the leader notices it too, and reports it.
        with suppress(DivergedError):
            for message in messages:
                training.epoch = int(message)
                training.run_epoch()
