"""A trained network: its parameters, and the hyperparameters they were trained with.

It is a committee, mostly of one member. The logits of a committee are the mean of its members'.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from nn import validation
from nn.activations import ACTIVATIONS, Array
from nn.backpropagation import feedforward
from nn.hyperparameters import Hyperparameters
from nn.objectives import OBJECTIVES, mean_logits, targets
from nn.parameters import Parameters
from nn.views import view

# Rows in one forward pass outside training: enough to keep BLAS busy. It limits the memory that
# predictions take, whatever the number of images.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Model:
    """Everything that predictions depend on, except the temperature."""

    hyperparameters: Hyperparameters
    members: tuple[Parameters, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons in each layer of a member."""
        return self.members[0].sizes

    @property
    def hidden(self) -> int:
        """Number of neurons in the layer before the last, of all members together."""
        return len(self.members) * self.sizes[-2]

    def logits(
        self,
        x: np.ndarray,
        *,
        threads: int = 1,
        dtype: type[np.floating] = np.float32,
        hidden_out: Array | None = None,
    ) -> Array:
        """Return the logits of rows of images, computed in `dtype`, shape ``(sizes[-1], n)``.

        Parameters
        ----------
        hidden_out : ndarray, shape (hidden, n), optional
            It gets the activations of the layer before the last, of one member after another.
        """
        sizes = self.sizes
        members = [
            Parameters(sizes, each.vector.astype(dtype, copy=False)) for each in self.members
        ]
        activation = ACTIVATIONS[self.hyperparameters.activation]
        z = np.empty((sizes[-1], len(x)), dtype)

        def block(start: int) -> None:
            pixels = validation.scaled(x[start : start + _BLOCK])
            columns = slice(start, start + len(pixels))
            logits = []
            for number, parameters in enumerate(members):
                rows = view(self.hyperparameters.views[number], pixels).astype(dtype, copy=False)
                layers = [rows.T, *(np.empty((size, len(rows)), dtype) for size in sizes[1:])]
                if hidden_out is not None:
                    own = hidden_out[number * sizes[-2] : (number + 1) * sizes[-2], columns]
                    if len(sizes) > 2:
                        layers[-2] = own
                    else:
                        own[...] = rows.T
                feedforward(parameters, activation, layers)
                logits.append(layers[-1])
            z[:, columns] = mean_logits(logits)

        starts = range(0, len(x), _BLOCK)
        if threads == 1:
            for start in starts:
                block(start)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(block, starts))
        return z

    def evaluate(self, x: np.ndarray, y: np.ndarray, *, threads: int = 1) -> tuple[float, float]:
        """Return the mean loss and the accuracy on rows of images and their labels."""
        z = self.logits(x, threads=threads)
        objective = OBJECTIVES[self.hyperparameters.output, self.hyperparameters.loss]
        losses = objective.losses(z, targets(y, self.sizes[-1]))
        accuracy = int(np.count_nonzero(z.argmax(axis=0) == y)) / len(y)
        return float(losses.mean(dtype=np.float64)), accuracy
