"""Backpropagation against central differences, in float64, for every combination."""

import math
from itertools import product

import numpy as np
import pytest

from nn.activations import ACTIVATIONS
from nn.backpropagation import Backpropagation, feedforward
from nn.objectives import LOSSES, OBJECTIVES, OUTPUTS, targets
from nn.parameters import Parameters

SIZES = (5, 4, 4, 3)
BATCH = 5
STEP = 1e-6


def _random_parameters(sizes=SIZES):
    parameters = Parameters(sizes, np.zeros(Parameters(sizes).vector.size, np.float64))
    parameters.vector[:] = np.random.default_rng(3).normal(size=parameters.vector.size) / 2
    return parameters


@pytest.mark.parametrize(
    ("pieces", "smoothing", "dropout"),
    [(1, 0, 0), (1, 0.2, 0), (1, 0, 0.4), (3, 0, 0), (BATCH, 0.2, 0.4)],
)
@pytest.mark.parametrize(
    ("activation", "output", "loss"), list(product(ACTIVATIONS, OUTPUTS, LOSSES))
)
def test_gradients_equal_central_differences(activation, output, loss, pieces, smoothing, dropout):
    """Every weight and bias of two hidden layers, with fixed dropout masks."""
    rng = np.random.default_rng(5)
    parameters = _random_parameters()
    gradient = Parameters(SIZES, np.full_like(parameters.vector, np.nan))
    objective = OBJECTIVES[output, loss]
    x = rng.random((BATCH, SIZES[0]))
    y = targets(rng.integers(0, SIZES[-1], BATCH), SIZES[-1], smoothing).astype(np.float64)
    z = np.empty((SIZES[-1], BATCH))
    backpropagation = Backpropagation(
        parameters,
        gradient,
        ACTIVATIONS[activation],
        objective,
        BATCH,
        pieces=pieces,
        dropout=dropout,
    )

    def mean_loss():
        for piece in range(pieces):
            backpropagation.backpropagate_deltas(piece, x, y, z, np.random.default_rng(piece))
        return objective.losses(z, y).mean()

    mean_loss()
    for piece in range(pieces):
        backpropagation.accumulate_gradients(piece, x)
    analytic = gradient.vector.copy()

    numeric = np.empty_like(analytic)
    values = parameters.vector
    for index in range(values.size):
        kept = values[index]
        values[index] = kept + STEP
        above = mean_loss()
        values[index] = kept - STEP
        below = mean_loss()
        values[index] = kept
        numeric[index] = (above - below) / (2 * STEP)
    assert np.abs(numeric).max() > 1e-2
    np.testing.assert_allclose(analytic, numeric, rtol=1e-5, atol=1e-8)


SCALAR = {
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "tanh": math.tanh,
    "relu": lambda z: max(z, 0),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_forward_pass_is_what_neurons_do_one_by_one(activation):
    parameters = _random_parameters()
    x = np.random.default_rng(1).random((BATCH, SIZES[0]))
    arrays = [x.T] + [np.empty((size, BATCH)) for size in SIZES[1:]]
    feedforward(parameters, ACTIVATIONS[activation], arrays)
    for example in range(BATCH):
        a = list(x[example])
        for layer in range(1, len(SIZES)):
            z = [
                sum(w * value for w, value in zip(row, a, strict=True)) + bias
                for row, bias in zip(
                    parameters.weights[layer], parameters.biases[layer], strict=True
                )
            ]
            a = [SCALAR[activation](value) for value in z] if layer < len(SIZES) - 1 else z
            np.testing.assert_allclose(arrays[layer][:, example], a, rtol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_derivatives_are_those_of_the_activation(activation):
    z = np.linspace(-4, 4, 80)
    apply, derivative = ACTIVATIONS[activation]
    numeric = (apply(z + STEP) - apply(z - STEP)) / (2 * STEP)
    np.testing.assert_allclose(derivative(apply(z.copy())), numeric, atol=1e-8)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_finite_wherever_z_is(activation):
    z = np.array([-3e38, -1e4, -0.0, 0.0, 1e4, 3e38], np.float32)
    apply, derivative = ACTIVATIONS[activation]
    a = apply(z)
    assert a is z
    assert np.isfinite(a).all()
    assert np.isin(derivative(a[[0, 1, 4, 5]]), [0, 1]).all()


def test_dropout_leaves_out_its_share_and_scales_the_rest_up():
    """Layers of identity matrices turn ones into the mask itself."""
    count, dropout = 100, 0.3
    parameters = Parameters((count, count, count))
    for layer in (1, 2):
        parameters.weights[layer][:] = np.eye(count)
    backpropagation = Backpropagation(
        parameters,
        Parameters(parameters.sizes),
        ACTIVATIONS["relu"],
        OBJECTIVES["softmax", "cross_entropy"],
        count,
        dropout=dropout,
    )
    ones = np.ones((count, count), np.float32)
    masks = np.empty((2, count, count), np.float32)
    rng = np.random.default_rng(0)
    for z in masks:
        backpropagation.backpropagate_deltas(0, ones, ones, z, rng)
    left_out = masks == 0
    assert left_out.mean() == pytest.approx(dropout, abs=0.01)
    np.testing.assert_allclose(masks[~left_out], 1 / (1 - dropout), rtol=1e-6)
    # Each step leaves out others, and so does each example of it.
    assert (left_out[0] != left_out[1]).any()
    assert len({row.tobytes() for row in left_out[0]}) == count
