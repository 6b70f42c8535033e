"""Backpropagation against central differences, in float64, for every combination."""

from itertools import product

import numpy as np
import pytest

from nn.activations import ACTIVATIONS
from nn.backpropagation import feedforward, gradients
from nn.initializers import INITIALIZERS, initialize
from nn.objectives import LOSSES, OBJECTIVES, OUTPUTS

SIZES = (7, 6, 5, 4)
STEP = 1e-6


def _mean_loss(weights, biases, activation, objective, x, labels):
    _, z = feedforward(weights, biases, activation, x)
    targets = np.eye(SIZES[-1])[labels]
    return objective(z, targets)[0].mean()


@pytest.mark.parametrize(
    ("activation", "output", "loss"), list(product(ACTIVATIONS, OUTPUTS, LOSSES))
)
def test_gradients_equal_central_differences(activation, output, loss):
    """Every weight and bias, in a network with two hidden layers and an odd batch."""
    rng = np.random.default_rng(3)
    weights, biases = initialize(SIZES, "scaled", rng)
    weights = [w.astype(np.float64) for w in weights]
    biases = [rng.normal(size=b.shape) for b in biases]
    x = rng.random((5, SIZES[0]))
    labels = rng.integers(0, SIZES[-1], 5)
    pair = ACTIVATIONS[activation]
    objective = OBJECTIVES[output, loss]

    weight_gradients, bias_gradients, losses, _ = gradients(
        weights, biases, pair, objective, x, labels
    )

    assert losses.mean() == pytest.approx(
        _mean_loss(weights, biases, pair, objective, x, labels), rel=1e-12
    )
    for values, analytic in zip(
        weights[1:] + biases[1:], weight_gradients[1:] + bias_gradients[1:], strict=True
    ):
        assert analytic.shape == values.shape
        numeric = np.empty_like(values)
        for index in np.ndindex(values.shape):
            kept = values[index]
            values[index] = kept + STEP
            above = _mean_loss(weights, biases, pair, objective, x, labels)
            values[index] = kept - STEP
            below = _mean_loss(weights, biases, pair, objective, x, labels)
            values[index] = kept
            numeric[index] = (above - below) / (2 * STEP)
        np.testing.assert_allclose(analytic, numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=map(str, OBJECTIVES))
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_extreme_logits_stay_finite(objective, size):
    """Neither loss nor gradient overflows, in float32, wherever the target is."""
    z = np.array([[size, -size, 0], [-size, size, size]], np.float32)
    for label in range(3):
        targets = np.zeros_like(z)
        targets[:, label] = 1
        losses, delta = objective(z, targets)
        assert np.isfinite(losses).all()
        assert np.isfinite(delta).all()
        assert (losses >= 0).all()


@pytest.mark.parametrize("output", OUTPUTS)
def test_outputs_are_probabilities_at_any_logit(output):
    a = OUTPUTS[output](np.array([[1e30, -1e30, 800, -800, 0]], np.float32))
    assert ((a >= 0) & (a <= 1)).all()


def test_weights_are_drawn_with_the_spread_their_initializer_promises():
    promised = {"scaled": 1 / 400, "standard": 1.0, "he": 2 / 400}
    assert set(promised) == set(INITIALIZERS)
    for initializer, variance in promised.items():
        weights, biases = initialize((400, 500, 3), initializer, np.random.default_rng(0))
        assert [w.shape for w in weights] == [(0, 0), (500, 400), (3, 500)]
        assert weights[1].var() == pytest.approx(variance, rel=0.02)
        assert abs(weights[1].mean()) < 0.01 * np.sqrt(variance)
        assert all((b == 0).all() and b.dtype == np.float32 for b in biases)
