"""The forward pass and the gradient of the loss, as functions of weights and a batch.

Batches are rows: ``z = a @ W.T + b``. The functions follow the type of the weights, float32 in
training, float64 where a test compares gradients with differences.
"""

from collections.abc import Sequence

import numpy as np

from nn.activations import Activation, Array
from nn.objectives import Objective


def feedforward(
    weights: Sequence[Array], biases: Sequence[Array], activation: Activation, x: Array
) -> tuple[list[Array], Array]:
    """Run a batch through the network.

    Parameters
    ----------
    x : ndarray, shape (m, sizes[0])

    Returns
    -------
    activations : list of ndarray
        ``activations[l]`` has shape ``(m, sizes[l])``, for layers 0 to L-1.
    z : ndarray, shape (m, sizes[-1])
        The logits of layer L.
    """
    activations = [x]
    z = x
    for layer in range(1, len(weights)):
        z = activations[-1] @ weights[layer].T
        z += biases[layer]
        if layer < len(weights) - 1:
            activations.append(activation.function(z))
    return activations, z


def gradients(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activation: Activation,
    objective: Objective,
    x: Array,
    labels: np.ndarray,
) -> tuple[list[Array], list[Array], Array, Array]:
    """Differentiate the mean loss of a batch (Nielsen, chapter 2, BP1 to BP4).

    Returns
    -------
    weight_gradients, bias_gradients : list of ndarray
        Shaped as `weights` and `biases`, index 0 an empty placeholder. They are the gradient
        of the mean over the rows there are, so a short last batch weighs what it should.
    losses : ndarray, shape (m,)
        The loss of each example.
    z : ndarray, shape (m, sizes[-1])
        The logits.
    """
    activations, z = feedforward(weights, biases, activation, x)
    targets = np.zeros_like(z)
    targets[np.arange(len(z)), labels] = 1
    losses, delta = objective(z, targets)
    delta /= len(x)

    weight_gradients = [np.empty_like(w) for w in weights[:1]]
    bias_gradients = [np.empty_like(b) for b in biases[:1]]
    for layer in range(len(weights) - 1, 0, -1):
        weight_gradients.insert(1, delta.T @ activations[layer - 1])
        bias_gradients.insert(1, delta.sum(axis=0))
        if layer > 1:
            delta = (delta @ weights[layer]) * activation.derivative(activations[layer - 1])
    return weight_gradients, bias_gradients, losses, z
