"""Each optimizer against the recurrence of its paper, one number at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn.optimizers import OPTIMIZERS, blocks

RATES = st.lists(st.floats(1e-3, 0.5), min_size=1, max_size=6)
POINTS = st.lists(st.floats(-3, 3), min_size=1, max_size=4)


def _sgd(w, gradient, rates):
    for rate in rates:
        w -= rate * gradient(w)
    return w


def _momentum(w, gradient, rates):
    v = 0.0
    for rate in rates:
        v = 0.9 * v - rate * gradient(w)
        w += v
    return w


def _nesterov(w, gradient, rates):
    """Sutskever et al. 2013, equations 3 and 4; the network holds what they look ahead to."""
    v = 0.0
    for rate in rates:
        following = 0.9 * v - rate * gradient(w + 0.9 * v)
        w += following
        v = following
    return w + 0.9 * v


def _adam(w, gradient, rates):
    """Kingma and Ba 2015, algorithm 1."""
    m = v = 0.0
    for t, rate in enumerate(rates, start=1):
        g = gradient(w)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        w -= rate * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w


PAPERS = {"sgd": _sgd, "momentum": _momentum, "nesterov": _nesterov, "adam": _adam}


def test_every_optimizer_has_its_paper():
    assert set(PAPERS) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
@given(start=POINTS, slope=st.floats(-10, 10), rates=RATES)
def test_steps_are_those_of_the_paper(name, start, slope, rates):
    """On a function whose gradient is not linear, at a learning rate that changes."""
    update, memory = OPTIMIZERS[name]
    w = np.array(start)
    remembered = [np.zeros_like(w) for _ in range(memory)]
    for step, rate in enumerate(rates, start=1):
        update(w, slope * np.cos(w), remembered, rate, step)
    expected = [PAPERS[name](x, lambda w: slope * math.cos(w), rates) for x in start]
    np.testing.assert_allclose(w, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_stays_float32_and_changes_in_place(name):
    """NumPy would refuse to put a float64 result in place of a float32."""
    update, memory = OPTIMIZERS[name]
    w, remembered = np.ones(3, np.float32), [np.zeros(3, np.float32) for _ in range(memory)]
    update(w, np.ones(3, np.float32), remembered, 0.25, 1)
    assert (w < 1).all()
    assert all((values != 0).all() and values.dtype == np.float32 for values in remembered)


def test_adam_takes_no_step_where_there_never_was_a_gradient():
    w, remembered = np.ones(3, np.float32), [np.zeros(3, np.float32) for _ in range(2)]
    OPTIMIZERS["adam"].update(w, np.zeros(3, np.float32), remembered, 0.1, 1)
    assert (w == 1).all()


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_blocks_are_a_range_in_adjacent_parts(start, length):
    parts = blocks(slice(start, start + length))
    assert [part.start for part in parts] == [start, *(part.stop for part in parts)][: len(parts)]
    assert sum(part.stop - part.start for part in parts) == length
    assert all(part.stop > part.start for part in parts)
