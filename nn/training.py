"""Stochastic gradient descent, one epoch at a time.

The members of a committee take their steps together, each with its own view of the images. Most
networks are a committee of one.
"""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nn.activations import ACTIVATIONS, Array
from nn.backpropagation import Backpropagation
from nn.batches import Batches
from nn.distortion import Distorter
from nn.errors import DivergedError
from nn.hyperparameters import Hyperparameters
from nn.initializers import initialize
from nn.objectives import OBJECTIVES, mean_logits
from nn.optimizers import OPTIMIZERS, blocks
from nn.parallel.workers import Workers
from nn.parameters import Parameters, count, joined
from nn.schedules import learning_rate
from nn.selection import Selection
from nn.style import Styler


class Training:
    """The state of a training between two epochs, and the step to the next epoch.

    Every epoch has its own random generators, made from the seed and the number of the epoch. So
    a training that resumes from a saved state takes the same steps as an uninterrupted one.

    Parameters
    ----------
    hyperparameters : Hyperparameters
    x : ndarray of uint8 or float, shape (n, sizes[0])
    y : ndarray of int, shape (n,)
    image_shape : tuple of int
        Height and width of an image, for its distortion.
    seed : int
        Source of everything random.
    workers : Workers
        The processes that share the training. Each has its own `Training`; they share arrays.

    Attributes
    ----------
    hyperparameters : Hyperparameters
    epoch : int
        Number of completed epochs.
    vector : ndarray
        The parameters of all members.
    optimizer : Optimizer
    selection : Selection
    """

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        x: np.ndarray,
        y: np.ndarray,
        image_shape: tuple[int, int],
        seed: int,
        workers: Workers,
    ) -> None:
        self.hyperparameters = hyperparameters
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
            views=hyperparameters.views,
            workers=workers,
        )
        self.selection = Selection(
            len(y),
            epochs=hyperparameters.epochs,
            batch_size=hyperparameters.batch_size,
            skipping=hyperparameters.skipping,
            zeros=workers.zeros,
        )
        self.epoch = 0
        sizes, members = hyperparameters.sizes, len(hyperparameters.views)
        length = members * count(sizes)
        self.vector, self._gradient = workers.zeros(length), workers.zeros(length)
        self._members = Parameters.of_members(sizes, self.vector, members)
        self.optimizer = OPTIMIZERS[hyperparameters.optimizer](
            self.vector, self._gradient, workers.zeros
        )
        self._logits = [workers.zeros((sizes[-1], self._batches.longest)) for _ in self._members]
        batch_size = min(hyperparameters.batch_size, len(y))
        lengths = {batch_size, len(y) % batch_size} - {0}
        self._plans = {length: self._plan(length) for length in sorted(lengths)}
        if workers.rank == 0:
            (rng,) = self._generators(1)
            for member in self._members:
                initialize(member, hyperparameters.initializer, rng)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch, a short last one included."""
        return math.ceil(self._count / self.hyperparameters.batch_size)

    def learning_rate(self, step: float) -> float:
        """Return the learning rate of a step, counted from 0 at the start of the training.

        An epoch that skips examples takes fewer steps, which are as far apart in the schedule as
        they must be for it to end with the epoch.
        """
        params, per_epoch = self.hyperparameters, self.steps_per_epoch
        return learning_rate(
            params.learning_rate,
            params.schedule,
            step,
            steps=params.epochs * per_epoch,
            warmup=round(params.warmup_epochs * per_epoch),
        )

    def result(self) -> tuple[Parameters, ...]:
        """Return a copy of the current parameters of each member."""
        sizes = self.hyperparameters.sizes
        return Parameters.of_members(sizes, self.vector.copy(), len(self._members))

    def run_epoch(self) -> tuple[float, float]:
        """Take one step for every batch; return the mean loss and the accuracy before the steps.

        They are those of the committee, on the examples that the epoch trains on.

        Raises
        ------
        DivergedError
            If the loss is no longer a finite number.
        """
        first_step = self.epoch * self.steps_per_epoch
        self.epoch += 1
        preparing = self._batches.generators
        # The generators of the processes come last: the others do not depend on their number.
        shuffling, *generators = self._generators(1 + preparing + self._workers.size)
        if self._workers.rank == 0:
            self.selection.choose(self.epoch, shuffling)
        self._workers.broadcast(str(self.epoch - 1))
        examples = self.selection.examples
        size = self.hyperparameters.batch_size
        apart = self.steps_per_epoch / math.ceil(len(examples) / size)
        done = 0
        total_loss = 0.0
        correct = 0
        progress = (self.epoch - 1) / max(1, self.hyperparameters.epochs - 1)
        for chunk in self._batches(examples, generators[:preparing], progress):
            logits = [z[:, : len(chunk.labels)] for z in self._logits]
            for start in range(0, len(chunk.labels), size):
                rows = slice(start, start + size)
                x = [seen[rows] for seen in chunk.views]
                step = first_step + (done + start) // size * apart
                own = [z[:, rows] for z in logits]
                self._step(step, x, chunk.targets[:, rows], own, generators[preparing:])
            z = mean_logits(logits)
            losses = self._objective.losses(z, chunk.targets)
            finite = np.isfinite(losses)
            if not finite.all():
                batch = (done + int(finite.argmin())) // size
                raise DivergedError(
                    self.epoch, batch + 1, self.learning_rate(first_step + batch * apart)
                )
            self.selection.losses[examples[done : done + len(losses)]] = losses
            done += len(losses)
            total_loss += float(losses.sum(dtype=np.float64))
            correct += int(np.count_nonzero(z.argmax(axis=0) == chunk.labels))
        return total_loss / done, correct / done

    def _step(
        self,
        step: float,
        x: Sequence[Array],
        targets: Array,
        z: Sequence[Array],
        generators: list[np.random.Generator],
    ) -> None:
        """Take a step of each member with its own images."""
        members, shares = self._plans[len(x[0])]
        self.optimizer.start_step(round(step) + 1, self.learning_rate(step))

        def backpropagate_deltas(piece: int) -> None:
            for member, own_x, own_z in zip(members, x, z, strict=True):
                member.backpropagate_deltas(piece, own_x, targets, own_z, generators[piece])

        def update_parameters(piece: int) -> None:
            for member, own_x in zip(members, x, strict=True):
                member.accumulate_gradients(piece, own_x)
            for block, decay in shares[piece]:
                if decay:
                    self._gradient[block] += decay * self.vector[block]
                self.optimizer.update(block)

        self._workers.run(backpropagate_deltas, len(shares))
        self._workers.run(update_parameters, len(shares))

    def _plan(self, length: int) -> _Plan:
        """Return how the work on a batch of this length is divided."""
        pieces = min(self._workers.size, length)
        sizes = self.hyperparameters.sizes
        gradients = Parameters.of_members(sizes, self._gradient, len(self._members))
        members = [
            Backpropagation(
                parameters,
                gradient,
                ACTIVATIONS[self.hyperparameters.activation],
                self._objective,
                length,
                pieces=pieces,
                dropout=self.hyperparameters.dropout,
                zeros=self._workers.zeros,
            )
            for parameters, gradient in zip(self._members, gradients, strict=True)
        ]
        return _Plan(members, [self._share(piece, pieces) for piece in range(pieces)])

    def _share(self, piece: int, pieces: int) -> list[tuple[slice, float]]:
        """Return the blocks of the parameters that a piece updates, with their L2 decay."""
        decay = self.hyperparameters.l2 / self._count
        shares = []
        for number, member in enumerate(self._members):
            first = number * len(member.vector)
            ranges = member.ranges(piece, pieces)
            if not decay:
                # Only decay tells weights from biases, and fewer updates are faster.
                ranges = joined(ranges)
            for where in ranges:
                own = decay if where.start < member.weight_count else 0.0
                part = slice(first + where.start, first + where.stop)
                shares += [(block, own) for block in blocks(part)]
        return shares

    def _generators(self, number: int) -> list[np.random.Generator]:
        seeds = np.random.SeedSequence(self._seed, spawn_key=(self.epoch,)).spawn(number)
        return [np.random.default_rng(seed) for seed in seeds]


class _Plan(NamedTuple):
    """How the work on batches of one length is divided."""

    members: list[Backpropagation]
    shares: list[list[tuple[slice, float]]]
    """For each piece, the blocks of the parameters that it updates, with their L2 decay."""
