"""Stochastic gradient descent for one network: a committee's member, or all of it."""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

import math
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
from nn.parallel.workers import Workers
from nn.parameters import Parameters, count, joined
from nn.schedules import learning_rate
from nn.selection import Selection
from nn.style import Styler


class Member:
    """A network in training.

    Parameters
    ----------
    view : {"plain", "deslanted", "edges", "deslanted_edges"}
        What the network sees.
    seed : int
        Source of everything random in the training of this network.
    workers : Workers
        The processes that share the training. Each has its own `Member`; they share arrays.

    The other parameters are those of `nn.training.Training`.

    Attributes
    ----------
    parameters : Parameters
    optimizer : Optimizer
    selection : Selection
    """

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        view: str,
        x: np.ndarray,
        y: np.ndarray,
        image_shape: tuple[int, int],
        seed: int,
        workers: Workers,
    ) -> None:
        self._hyperparameters = hyperparameters
        self._seed = seed
        self._workers = workers
        self._count = len(y)
        self._objective = OBJECTIVES[hyperparameters.output, hyperparameters.loss]
        distortion, style = hyperparameters.distortion, hyperparameters.style
        self._batches = Batches(
            x,
            y,
            hyperparameters.sizes[-1],
            batch_size=hyperparameters.batch_size,
            label_smoothing=hyperparameters.label_smoothing,
            distorter=None if distortion is None else Distorter(distortion, image_shape),
            styler=None if style is None else Styler(style, image_shape),
            view=view,
            workers=workers,
        )
        self.selection = Selection(
            len(y),
            epochs=hyperparameters.epochs,
            batch_size=hyperparameters.batch_size,
            skipping=hyperparameters.skipping,
            zeros=workers.zeros,
        )
        sizes = hyperparameters.sizes
        self.parameters = Parameters(sizes, workers.zeros(count(sizes)))
        self._gradient = Parameters(sizes, workers.zeros(count(sizes)))
        self.optimizer = OPTIMIZERS[hyperparameters.optimizer](
            self.parameters.vector, self._gradient.vector, workers.zeros
        )
        self._z = workers.zeros((sizes[-1], self._batches.longest))
        batch_size = min(hyperparameters.batch_size, len(y))
        lengths = {batch_size, len(y) % batch_size} - {0}
        self._plans = {length: self._plan(length) for length in sorted(lengths)}
        if workers.rank == 0:
            (rng,) = self._generators(0, 1)
            initialize(self.parameters, hyperparameters.initializer, rng)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch, a short last one included."""
        return math.ceil(self._count / self._hyperparameters.batch_size)

    def learning_rate(self, step: float) -> float:
        """Return the learning rate of a step, counted from 0 at the start of the training.

        An epoch that skips examples takes fewer steps, which are as far apart in the schedule as
        they must be for it to end with the epoch.
        """
        params, per_epoch = self._hyperparameters, self.steps_per_epoch
        return learning_rate(
            params.learning_rate,
            params.schedule,
            step,
            steps=params.epochs * per_epoch,
            warmup=round(params.warmup_epochs * per_epoch),
        )

    def choose_examples(self, epoch: int) -> None:
        """Choose the examples of an epoch, the first of which has number 1."""
        (shuffling,) = self._generators(epoch, 1)
        self.selection.choose(epoch, shuffling)

    def run_epoch(self, epoch: int) -> tuple[float, float]:
        """Take one step for every batch; return the mean loss and the accuracy before the steps.

        Raises
        ------
        DivergedError
            If the loss is no longer a finite number.
        """
        first_step = (epoch - 1) * self.steps_per_epoch
        preparing = self._batches.generators
        # The generators of the processes come last: the others do not depend on their number.
        _, *generators = self._generators(epoch, 1 + preparing + self._workers.size)
        examples = self.selection.examples
        size = self._hyperparameters.batch_size
        apart = self.steps_per_epoch / math.ceil(len(examples) / size)
        done = 0
        total_loss = 0.0
        correct = 0
        progress = (epoch - 1) / max(1, self._hyperparameters.epochs - 1)
        for chunk in self._batches(examples, generators[:preparing], progress):
            z = self._z[:, : len(chunk.x)]
            for start in range(0, len(chunk.x), size):
                rows = slice(start, start + size)
                step = first_step + (done + start) // size * apart
                self._step(
                    step, chunk.x[rows], chunk.targets[:, rows], z[:, rows], generators[preparing:]
                )
            losses = self._objective.losses(z, chunk.targets)
            finite = np.isfinite(losses)
            if not finite.all():
                batch = (done + int(finite.argmin())) // size
                raise DivergedError(
                    epoch, batch + 1, self.learning_rate(first_step + batch * apart)
                )
            self.selection.losses[examples[done : done + len(losses)]] = losses
            done += len(losses)
            total_loss += float(losses.sum(dtype=np.float64))
            correct += int(np.count_nonzero(z.argmax(axis=0) == chunk.labels))
        return total_loss / done, correct / done

    def _step(
        self,
        step: float,
        x: Array,
        targets: Array,
        z: Array,
        generators: list[np.random.Generator],
    ) -> None:
        backpropagation, shares = self._plans[len(x)]
        self.optimizer.start_step(round(step) + 1, self.learning_rate(step))

        def backpropagate_deltas(piece: int) -> None:
            backpropagation.backpropagate_deltas(piece, x, targets, z, generators[piece])

        def update_parameters(piece: int) -> None:
            backpropagation.accumulate_gradients(piece, x)
            for block, decay in shares[piece]:
                if decay:
                    self._gradient.vector[block] += decay * self.parameters.vector[block]
                self.optimizer.update(block)

        self._workers.run(backpropagate_deltas, len(shares))
        self._workers.run(update_parameters, len(shares))

    def _plan(self, length: int) -> _Plan:
        """Return how the work on a batch of this length is divided."""
        pieces = min(self._workers.size, length)
        backpropagation = Backpropagation(
            self.parameters,
            self._gradient,
            ACTIVATIONS[self._hyperparameters.activation],
            self._objective,
            length,
            pieces=pieces,
            dropout=self._hyperparameters.dropout,
            zeros=self._workers.zeros,
        )
        return _Plan(backpropagation, [self._share(piece, pieces) for piece in range(pieces)])

    def _share(self, piece: int, pieces: int) -> list[tuple[slice, float]]:
        """Return the blocks of the parameters that a piece updates, with their L2 decay."""
        decay = self._hyperparameters.l2 / self._count
        ranges = self.parameters.ranges(piece, pieces)
        if not decay:
            # Only decay tells weights from biases, and fewer updates are faster.
            ranges = joined(ranges)
        shares = []
        for where in ranges:
            own = decay if where.start < self.parameters.weight_count else 0.0
            shares += [(block, own) for block in blocks(where)]
        return shares

    def _generators(self, epoch: int, number: int) -> list[np.random.Generator]:
        """Return random generators of an epoch; epoch 0 is before the first."""
        seeds = np.random.SeedSequence(self._seed, spawn_key=(epoch,)).spawn(number)
        return [np.random.default_rng(seed) for seed in seeds]


class _Plan(NamedTuple):
    """How the work on batches of one length is divided."""

    backpropagation: Backpropagation
    shares: list[list[tuple[slice, float]]]
    """For each piece, the blocks of the parameters that it updates, with their L2 decay."""
