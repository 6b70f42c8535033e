"""Targets, losses and their gradients, at logits of every size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nn.objectives import OBJECTIVES, OUTPUTS, softmax, targets

CLASSES = 4
LOGITS = arrays.arrays(np.float64, (CLASSES, 3), elements=st.floats(-8, 8))
LABELS = arrays.arrays(np.int64, 3, elements=st.integers(0, CLASSES - 1))
SMOOTHINGS = st.floats(0, 0.9)

every_objective = pytest.mark.parametrize("pair", OBJECTIVES, ids=map("-".join, OBJECTIVES))


def _losses_as_defined(pair, z, y):
    output, loss = pair
    a = np.exp(z) / np.exp(z).sum(axis=0) if output == "softmax" else 1 / (1 + np.exp(-z))
    if loss == "quadratic":
        return ((a - y) ** 2).sum(axis=0) / 2
    if output == "softmax":
        return -(y * np.log(a)).sum(axis=0)
    return -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=0)


@every_objective
@given(z=LOGITS, labels=LABELS, smoothing=SMOOTHINGS)
def test_losses_are_what_their_definitions_say(pair, z, labels, smoothing):
    y = targets(labels, CLASSES, smoothing)
    expected = _losses_as_defined(pair, z, y)
    np.testing.assert_allclose(OBJECTIVES[pair].losses(z, y), expected, rtol=1e-6, atol=1e-6)


@every_objective
@given(z=LOGITS, labels=LABELS, smoothing=SMOOTHINGS)
def test_delta_is_the_gradient_of_the_losses(pair, z, labels, smoothing):
    objective = OBJECTIVES[pair]
    y = targets(labels, CLASSES, smoothing).astype(np.float64)
    delta = np.full_like(z, np.nan)
    objective.delta(z, y, delta)
    for row in range(CLASSES):
        step = np.zeros((CLASSES, 1))
        step[row] = 1e-6
        numeric = (objective.losses(z + step, y) - objective.losses(z - step, y)) / 2e-6
        # Targets sum to 1 only as nearly as float32 can.
        np.testing.assert_allclose(delta[row], numeric, rtol=1e-5, atol=1e-6)


@every_objective
@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_extreme_logits_stay_finite(pair, size, smoothing):
    """Neither loss nor gradient overflows, in float32, wherever the target is."""
    z = np.array([[size, 0], [-size, size], [0, size]], np.float32)
    kept = z.copy()
    for label in range(3):
        y = targets(np.full(2, label), 3, smoothing)
        losses = OBJECTIVES[pair].losses(z, y)
        delta = np.full_like(z, np.nan)
        OBJECTIVES[pair].delta(z, y, delta)
        assert np.isfinite(losses).all()
        assert (losses >= 0).all()
        assert (np.abs(delta) <= 1).all()
        assert (z == kept).all()


def test_cross_entropy_of_extreme_logits_is_their_difference():
    """Nothing is lost to a probability that has rounded to 0."""
    z = np.array([[1e4], [-1e4]], np.float32)
    y = targets(np.array([1]), 2)
    assert OBJECTIVES["softmax", "cross_entropy"].losses(z, y) == 2e4
    assert OBJECTIVES["sigmoid", "cross_entropy"].losses(z, y) == 2e4


@pytest.mark.parametrize("output", OUTPUTS)
def test_outputs_are_probabilities_at_any_logit(output):
    z = np.array([[1e30], [-1e30], [800], [-1e4], [0]], np.float32)
    kept = z.copy()
    a = OUTPUTS[output](z)
    assert ((a >= 0) & (a <= 1)).all()
    assert a[0] == 1
    assert a[1] == 0
    assert (z == kept).all()


@given(z=LOGITS, shift=st.floats(-1e3, 1e3))
def test_softmax_sums_to_one_and_is_invariant_under_shifts(z, shift):
    a = softmax(z)
    np.testing.assert_allclose(a.sum(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(softmax(z + shift), a, rtol=1e-9)


@given(labels=LABELS, smoothing=SMOOTHINGS)
def test_targets_sum_to_one_and_spread_their_share_evenly(labels, smoothing):
    y = targets(labels, CLASSES, smoothing)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.sum(axis=0), 1, rtol=1e-6)
    others = np.arange(CLASSES)[:, np.newaxis] != labels
    np.testing.assert_allclose(y[others], smoothing / CLASSES, atol=1e-7)
    np.testing.assert_allclose(y[~others], 1 - smoothing + smoothing / CLASSES, rtol=1e-6)


def test_targets_without_smoothing_are_one_hot():
    assert (targets(np.array([2, 0]), 3) == np.eye(3)[:, [2, 0]]).all()
