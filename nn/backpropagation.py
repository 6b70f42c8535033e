"""The forward pass, and the gradient of the loss by backpropagation (Nielsen, chapter 2).

A batch is held as columns, ``z = W @ a + b``, as in the book. BLAS multiplies a large matrix by a
narrow one at nearly its full speed; with a batch as rows, ``z = a @ W.T + b``, it is up to a
third slower. Only the images come as rows, which BLAS reads transposed at no cost. Everything has
the type of the parameters: float32 in training, float64 if a test compares gradients with
differences.
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
    """Compute the activations of all layers.

    Parameters
    ----------
    activations : sequence of ndarray
        ``activations[l]`` has shape ``(sizes[l], m)``. The first is the input; the others are
        overwritten, the last with the logits of layer L.
    masks : sequence of ndarray, optional
        Factors of the activations of the hidden layers, with the shapes of `activations`.
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

    There are two phases, each divided into independent pieces. `backpropagate_deltas` works on
    a share of the examples. When all its pieces are done, `accumulate_gradients` works on a
    share of the neurons of every layer.

    Parameters
    ----------
    parameters, gradient : Parameters
        `accumulate_gradients` overwrites `gradient`.
    batch_size : int
        Number of examples in a batch.
    pieces : int
        Number of pieces in each phase.
    dropout : float
        Fraction of the hidden neurons that is left out (Srivastava et al. 2014). The others are
        scaled up, so that the mean stays the same and prediction needs no correction.
    zeros : callable
        Allocates the buffers that pieces share.
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
        self._example_shares = []
        self._neuron_shares = []
        for piece in range(pieces):
            examples = share(batch_size, piece, pieces)
            self._example_shares.append(
                _ExampleShare(
                    examples,
                    [a[:, examples] for a in activations],
                    [delta[:, examples] for delta in deltas],
                    [mask[:, examples] for mask in masks],
                )
            )
            neurons = [share(size, piece, pieces) for size in sizes]
            self._neuron_shares.append(
                [
                    _NeuronShare(
                        deltas[layer - 1][neurons[layer]],
                        activations[layer - 2].T if layer > 1 else None,
                        gradient.weights[layer][neurons[layer]],
                        gradient.biases[layer][neurons[layer]],
                    )
                    for layer in range(1, len(sizes))
                ]
            )

    def backpropagate_deltas(
        self, piece: int, x: Array, targets: Array, z: Array, rng: np.random.Generator
    ) -> None:
        """Compute activations forwards, and deltas backwards (BP1 and BP2).

        Parameters
        ----------
        x : ndarray, shape (batch_size, sizes[0])
        targets : ndarray, shape (sizes[-1], batch_size)
        z : ndarray, shape (sizes[-1], batch_size)
            Receives the logits.
        rng : numpy.random.Generator
            Draws the neurons that dropout leaves out.
        """
        examples, hidden, deltas, masks = self._example_shares[piece]
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
        # The cost is the mean over the examples of this batch, also if it is a short last one.
        delta /= self._batch_size
        for layer in range(len(hidden), 0, -1):
            a, following, delta = hidden[layer - 1], delta, deltas[layer - 1]
            np.matmul(self._parameters.weights[layer + 1].T, following, out=delta)
            if masks:
                delta *= masks[layer - 1]
                a = a * self._keep
            delta *= self._activation.derivative(a)

    def accumulate_gradients(self, piece: int, x: Array) -> None:
        """Compute the gradient of a share of the neurons of every layer (BP3 and BP4)."""
        for delta, a, weights, biases in self._neuron_shares[piece]:
            np.matmul(delta, x if a is None else a, out=weights)
            np.add.reduce(delta, axis=1, out=biases)


class _ExampleShare(NamedTuple):
    """The columns of some examples in the arrays of every layer."""

    examples: slice
    activations: list[Array]
    deltas: list[Array]
    masks: list[Array]


class _NeuronShare(NamedTuple):
    """The rows of some neurons in the arrays of a layer, and their inputs."""

    delta: Array
    inputs: Array | None
    """Transposed activations of the layer below; None for the images."""
    weights: Array
    biases: Array
