"""The training of a committee, one epoch at a time. Most networks are a committee of one."""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

import numpy as np

from nn.hyperparameters import Hyperparameters
from nn.member import Member
from nn.parallel.workers import Workers
from nn.parameters import Parameters


class Training:
    """The state of a training between two epochs, and the step to the next epoch.

    The first member is trained as a network alone with this seed would be, the second as one with
    the next seed, and so on. So they see other images in another order, and make other mistakes.
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
    members : list of Member
        One for each view.
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
        self._workers = workers
        self.epoch = 0
        self.members = [
            Member(hyperparameters, view, x, y, image_shape, seed + number, workers)
            for number, view in enumerate(hyperparameters.views)
        ]

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step of the last epoch."""
        member = self.members[0]
        return member.learning_rate(self.epoch * member.steps_per_epoch - 1)

    def result(self) -> tuple[Parameters, ...]:
        """Return a copy of the current parameters of each member."""
        sizes = self.hyperparameters.sizes
        return tuple(Parameters(sizes, member.parameters.vector.copy()) for member in self.members)

    def run_epoch(self) -> tuple[float, float]:
        """Train each member for an epoch; return the mean loss and the accuracy before the steps.

        They are the means over the members, on the examples that each one trains on.

        Raises
        ------
        DivergedError
            If the loss is no longer a finite number.
        """
        self.epoch += 1
        if self._workers.rank == 0:
            for member in self.members:
                member.choose_examples(self.epoch)
        self._workers.broadcast(str(self.epoch - 1))
        passes = [member.run_epoch(self.epoch) for member in self.members]
        loss, accuracy = np.mean(passes, axis=0)
        return float(loss), float(accuracy)
