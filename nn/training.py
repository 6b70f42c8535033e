"""Stochastic gradient descent, one epoch at a time."""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from nn.activations import ACTIVATIONS, Array
from nn.backpropagation import Backpropagation
from nn.batches import Batches
from nn.distortion import Distorter
from nn.errors import DivergedError
from nn.hyperparameters import Hyperparameters
from nn.initializers import initialize
from nn.objectives import OBJECTIVES
from nn.optimizers import OPTIMIZERS, blocks
from nn.parameters import Parameters, count, joined
from nn.schedules import learning_rate
from nn.team import Team, single_threaded_blas

# A member of a team is worth having from this many multiplications in its piece of a batch, and
# in all of its training; it takes a fifth of a second to start.
_WORTH_A_PIECE = 1 << 21
_WORTH_A_PROCESS = 1 << 35
# With fewer examples than these in a piece, BLAS does not reach its speed.
_FEWEST_EXAMPLES = 16


def worthwhile(chosen: Hyperparameters, examples: int, most: int) -> int:
    """Return how many processes a training of so many examples gains from, up to `most`."""
    parameters = count(chosen.sizes)
    batch_size = min(chosen.batch_size, examples)
    by_piece = batch_size * parameters // _WORTH_A_PIECE
    by_process = chosen.epochs * examples * parameters // _WORTH_A_PROCESS
    return max(1, min(most, batch_size // _FEWEST_EXAMPLES, by_piece, by_process))


@contextmanager
def begun(
    chosen: Hyperparameters,
    x: np.ndarray,
    y: np.ndarray,
    image: tuple[int, int],
    seed: int,
    size: int,
) -> Iterator[Training]:
    """Give a training, and a team of this size to work on it; the parameters are `Training`'s."""
    with single_threaded_blas(), Team(size) as team:
        if size > 1:
            x, y = team.share(x), team.share(y.astype(np.int64))
        training = Training(chosen, x, y, image, seed, team)
        team.recruit(
            {
                "params": chosen.get_params(),
                "shape": x.shape,
                "dtype": x.dtype.str,
                "image": image,
                "seed": seed,
            }
        )
        yield training


class Training:
    """The state of a training between two epochs, and the way to the next one.

    Every epoch draws from random generators of its own, made from the seed and the epoch's
    number. So the state is all there is to keep: a training that goes on from it takes the same
    steps as one that was never interrupted.

    Parameters
    ----------
    chosen : Hyperparameters
    x : ndarray of uint8 or float, shape (n, sizes[0])
    y : ndarray of int, shape (n,)
    image : tuple of int
        Height and width of an image, for its distortion.
    seed : int
        From which everything random is drawn.
    team : Team
        Each of its members has a training of its own, and only the arrays in common.

    Attributes
    ----------
    epoch : int
        How many epochs are done.
    parameters : Parameters
    memory : list of ndarray
        What the optimizer remembers.
    """

    def __init__(
        self,
        chosen: Hyperparameters,
        x: np.ndarray,
        y: np.ndarray,
        image: tuple[int, int],
        seed: int,
        team: Team,
    ) -> None:
        self._chosen = chosen
        self._seed = seed
        self._team = team
        self._count = len(x)
        self._objective = OBJECTIVES[chosen.output, chosen.loss]
        self._optimizer = OPTIMIZERS[chosen.optimizer]
        self._batches = Batches(
            x,
            y,
            chosen.sizes[-1],
            batch_size=chosen.batch_size,
            label_smoothing=chosen.label_smoothing,
            distorter=None if chosen.distortion is None else Distorter(chosen.distortion, image),
            team=team,
        )
        self.epoch = 0
        length = count(chosen.sizes)
        self.parameters = Parameters(chosen.sizes, team.zeros(length))
        self.memory = [team.zeros(length) for _ in range(self._optimizer.memory)]
        gradient = Parameters(chosen.sizes, team.zeros(length))
        batch_size = min(chosen.batch_size, len(x))
        self._logits = team.zeros((chosen.sizes[-1], self._batches.longest))
        lengths = {batch_size, len(x) % batch_size} - {0}
        self._plans = {length: self._plan(length, gradient) for length in sorted(lengths)}
        if team.rank == 0:
            initialize(self.parameters, chosen.initializer, self._generators(1)[0])

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has, a short last one included."""
        return math.ceil(self._count / self._chosen.batch_size)

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0 at the start of the training."""
        chosen, per_epoch = self._chosen, self.steps_per_epoch
        return learning_rate(
            chosen.learning_rate,
            chosen.schedule,
            step,
            steps=chosen.epochs * per_epoch,
            warmup=round(chosen.warmup_epochs * per_epoch),
        )

    def result(self) -> Parameters:
        """Return a copy of the parameters as they are now."""
        return Parameters(self._chosen.sizes, self.parameters.vector.copy())

    def run_epoch(self) -> tuple[float, float]:
        """Take one step for every batch; return the mean loss and the accuracy before each.

        Raises
        ------
        DivergedError
            Where the loss stops being a finite number.
        """
        self._team.tell(str(self.epoch))
        first = self.epoch * self.steps_per_epoch
        self.epoch += 1
        preparing = self._batches.generators
        # Those of the team come last: what is drawn before does not depend on its size.
        order, *generators = self._generators(1 + preparing + self._team.size)
        size = self._chosen.batch_size
        batch = 0
        total_loss = 0.0
        correct = 0
        for chunk in self._batches(order.permutation(self._count), generators[:preparing]):
            z = self._logits[:, : len(chunk.x)]
            for start in range(0, len(chunk.x), size):
                rows = slice(start, start + size)
                x, targets = chunk.x[rows], chunk.targets[:, rows]
                step = first + batch + start // size
                self._step(step, x, targets, z[:, rows], generators[preparing:])
            losses = self._objective.losses(z, chunk.targets)
            finite = np.isfinite(losses)
            if not finite.all():
                batch += int(finite.argmin()) // size
                raise DivergedError(self.epoch, batch + 1, self.learning_rate(first + batch))
            batch += math.ceil(len(chunk.x) / size)
            total_loss += float(losses.sum(dtype=np.float64))
            correct += int(np.count_nonzero(z.argmax(axis=0) == chunk.labels))
        return total_loss / self._count, correct / self._count

    def _step(
        self,
        step: int,
        x: Array,
        targets: Array,
        z: Array,
        generators: list[np.random.Generator],
    ) -> None:
        backpropagation, shares = self._plans[len(x)]
        rate = self.learning_rate(step)

        def propagate(piece: int) -> None:
            backpropagation.propagate(piece, x, targets, z, generators[piece])

        def improve(piece: int) -> None:
            backpropagation.differentiate(piece, x)
            for part in shares[piece]:
                self._improve(part, rate, step + 1)

        self._team.run(propagate, len(shares))
        self._team.run(improve, len(shares))

    def _improve(self, part: _Part, rate: float, step: int) -> None:
        w, g, memory, decay = part
        if decay:
            g += decay * w
        self._optimizer.update(w, g, memory, rate, step)

    def _plan(self, length: int, gradient: Parameters) -> _Plan:
        """Return how a batch of this length is worked on."""
        parameters, chosen = self.parameters, self._chosen
        pieces = min(self._team.size, length)
        backpropagation = Backpropagation(
            parameters,
            gradient,
            ACTIVATIONS[chosen.activation],
            self._objective,
            length,
            pieces=pieces,
            dropout=chosen.dropout,
            zeros=self._team.zeros,
        )
        decay = chosen.l2 / self._count

        def ranges(piece: int) -> list[slice]:
            # Weights and biases, which only decay tells apart. One update of all is faster.
            found = parameters.ranges(piece, pieces)
            return found if decay else joined(found)

        shares = [
            [
                _Part(
                    parameters.vector[block],
                    gradient.vector[block],
                    [memory[block] for memory in self.memory],
                    decay if where.start < parameters.weight_count else 0.0,
                )
                for where in ranges(piece)
                for block in blocks(where)
            ]
            for piece in range(pieces)
        ]
        return backpropagation, shares

    def _generators(self, number: int) -> list[np.random.Generator]:
        seeds = np.random.SeedSequence(self._seed, spawn_key=(self.epoch,)).spawn(number)
        return [np.random.default_rng(seed) for seed in seeds]


class _Part(NamedTuple):
    """The same part of every vector that a step changes."""

    w: Array
    g: Array
    memory: list[Array]
    decay: float


_Plan = tuple[Backpropagation, list[list[_Part]]]
