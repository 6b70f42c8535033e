"""The forward pass, and the gradient of the loss by backpropagation (Nielsen, chapter 2).

A batch is held as columns, ``z = W @ a + b``, as in the book: BLAS multiplies a large matrix with
a narrow one from the right at nearly its full speed, and with a short one from the left, as
``z = a @ W.T + b``, up to a third slower. Only the images themselves come as rows; BLAS reads
them transposed at no cost. Everything follows the type of the parameters, float32 in training,
float64 where a test compares gradients with differences.
"""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from nn.activations import Activation, Array
from nn.objectives import Objective
from nn.parameters import Parameters, share


def feedforward(
    parameters: Parameters,
    activation: Activation,
    activations: Sequence[Array],
    masks: Sequence[Array] = (),
) -> None:
    """Run examples through the network.

    Parameters
    ----------
    activations : sequence of ndarray
        ``activations[l]`` has shape ``(sizes[l], m)``. The first is the input; the others are
        overwritten, the last with the logits of layer L.
    masks : sequence of ndarray, optional
        Shaped as `activations`: what those of the hidden layers are multiplied by.
    """
    output = len(activations) - 1
    for layer in range(1, output + 1):
        z = np.matmul(parameters.weights[layer], activations[layer - 1], out=activations[layer])
        z += parameters.biases[layer][:, np.newaxis]
        if layer < output:
            activation.apply(z)
            if masks:
                z *= masks[layer]


class Backpropagation:
    """Gradients of batches of one length, in buffers that are allocated once.

    The work comes in two phases, and each in pieces that do not depend on each other:
    `propagate` takes a share of the batch's examples and, when all of these are done,
    `differentiate` a share of every layer's neurons.

    Parameters
    ----------
    parameters, gradient : Parameters
        `gradient` receives what `differentiate` finds.
    batch_size : int
        Examples in a batch.
    pieces : int
        In which the work of each phase is cut.
    dropout : float
        Share of the hidden neurons that is left out (Srivastava et al. 2014); the others are
        scaled up, so that nothing changes on average and prediction needs no correction.
    zeros : callable
        Makes the buffers that pieces have in common.
    """

    def __init__(
        self,
        parameters: Parameters,
        gradient: Parameters,
        activation: Activation,
        objective: Objective,
        batch_size: int,
        *,
        pieces: int = 1,
        dropout: float = 0.0,
        zeros: Callable[[tuple[int, int], DTypeLike], Array] = np.zeros,
    ) -> None:
        self._parameters = parameters
        self._activation = activation
        self._objective = objective
        self._batch_size = batch_size
        self._keep = 1 - dropout
        sizes, dtype = parameters.sizes, parameters.vector.dtype
        activations = [zeros((size, batch_size), dtype) for size in sizes[1:-1]]
        deltas = [zeros((size, batch_size), dtype) for size in sizes[1:]]
        masks = [np.zeros_like(a) for a in activations] if dropout else []
        self._propagations = []
        self._differentiations = []
        for piece in range(pieces):
            examples = share(batch_size, piece, pieces)
            self._propagations.append(
                _Propagation(
                    examples,
                    [a[:, examples] for a in activations],
                    [delta[:, examples] for delta in deltas],
                    [mask[:, examples] for mask in masks],
                )
            )
            neurons = [share(size, piece, pieces) for size in sizes]
            self._differentiations.append(
                [
                    _Differentiation(
                        deltas[layer - 1][neurons[layer]],
                        activations[layer - 2].T if layer > 1 else None,
                        gradient.weights[layer][neurons[layer]],
                        gradient.biases[layer][neurons[layer]],
                    )
                    for layer in range(1, len(sizes))
                ]
            )

    def propagate(
        self, piece: int, x: Array, targets: Array, z: Array, rng: np.random.Generator
    ) -> None:
        """Run examples forwards, and their errors backwards (BP1 and BP2).

        Parameters
        ----------
        x : ndarray, shape (batch_size, sizes[0])
        targets : ndarray, shape (sizes[-1], batch_size)
        z : ndarray, shape (sizes[-1], batch_size)
            Receives the logits.
        rng : numpy.random.Generator
            Draws what dropout leaves out.
        """
        examples, hidden, deltas, masks = self._propagations[piece]
        z = z[:, examples]
        for mask in masks:
            mask[...] = rng.random(mask.shape, mask.dtype) < self._keep
            mask /= self._keep
        feedforward(
            self._parameters,
            self._activation,
            (x[examples].T, *hidden, z),
            (x, *masks) if masks else (),
        )
        delta = deltas[-1]
        self._objective.delta(z, targets[:, examples], delta)
        # The gradient is that of the mean over the examples there are, so that a short last
        # batch weighs what it should.
        delta /= self._batch_size
        for layer in range(len(hidden), 0, -1):
            a, following, delta = hidden[layer - 1], delta, deltas[layer - 1]
            np.matmul(self._parameters.weights[layer + 1].T, following, out=delta)
            if masks:
                delta *= masks[layer - 1]
                a = a * self._keep
            delta *= self._activation.derivative(a)

    def differentiate(self, piece: int, x: Array) -> None:
        """Write the gradient of a share of every layer's neurons (BP3 and BP4)."""
        for delta, a, weights, biases in self._differentiations[piece]:
            np.matmul(delta, x if a is None else a, out=weights)
            np.add.reduce(delta, axis=1, out=biases)


class _Propagation(NamedTuple):
    """Some examples' columns of every hidden layer's arrays (and of the output's delta)."""

    examples: slice
    activations: list[Array]
    deltas: list[Array]
    masks: list[Array]


class _Differentiation(NamedTuple):
    """Some neurons' rows of a layer's arrays, and the transposed activations they take in."""

    delta: Array
    incoming: Array | None
    """None for the images."""
    weights: Array
    biases: Array
