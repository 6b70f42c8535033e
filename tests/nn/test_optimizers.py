"""Each optimizer against the recurrence of its paper, one number at a time."""

import itertools
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
    """On a function with a nonlinear gradient, with a learning rate that changes."""
    w, g = np.array(start), np.empty(len(start))
    optimizer = OPTIMIZERS[name](w, g)
    for step, rate in enumerate(rates, start=1):
        g[:] = slope * np.cos(w)
        optimizer.start_step(step, rate)
        optimizer.update(slice(None))
    expected = [PAPERS[name](x, lambda w: slope * math.cos(w), rates) for x in start]
    np.testing.assert_allclose(w, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_stays_float32_and_changes_in_place(name):
    """NumPy would refuse to put a float64 result in place of a float32."""
    w, g = np.ones(3, np.float32), np.ones(3, np.float32)
    optimizer = OPTIMIZERS[name](w, g)
    optimizer.start_step(1, 0.25)
    optimizer.update(slice(None))
    assert (w < 1).all()
    assert all((vector != 0).all() and vector.dtype == np.float32 for vector in optimizer.state)


@pytest.mark.parametrize("name", OPTIMIZERS)
@given(cuts=st.lists(st.integers(0, 9), max_size=3).map(sorted), seed=st.integers(0, 99))
def test_an_update_of_blocks_is_an_update_of_all(name, cuts, seed):
    """To the bit, in any order: processes update their blocks independently."""
    gradients = np.random.default_rng(seed).normal(size=(3, 9)).astype(np.float32)
    parts = [slice(*ends) for ends in itertools.pairwise([0, *cuts, 9])]
    results = []
    for blocks_ in ([slice(None)], parts, parts[::-1]):
        w, g = np.ones(9, np.float32), np.empty(9, np.float32)
        optimizer = OPTIMIZERS[name](w, g)
        for step, gradient in enumerate(gradients, start=1):
            g[:] = gradient
            optimizer.start_step(step, 0.1)
            for block in blocks_:
                optimizer.update(block)
        results.append([w.tobytes(), *(vector.tobytes() for vector in optimizer.state)])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_restored_state_continues_as_if_never_interrupted(name):
    def steps(optimizer, g, numbers):
        for number in numbers:
            g[:] = number
            optimizer.start_step(number, 0.1)
            optimizer.update(slice(None))

    w, g = np.ones(3), np.empty(3)
    whole = OPTIMIZERS[name](w, g)
    steps(whole, g, range(1, 4))
    other_w, other_g = w.copy(), np.empty(3)
    resumed = OPTIMIZERS[name](other_w, other_g)
    for vector, saved in zip(resumed.state, whole.state, strict=True):
        vector[:] = saved
    steps(whole, g, range(4, 6))
    steps(resumed, other_g, range(4, 6))
    assert (w == other_w).all()


def test_adam_takes_no_step_without_a_gradient():
    w, g = np.ones(3, np.float32), np.zeros(3, np.float32)
    adam = OPTIMIZERS["adam"](w, g)
    adam.start_step(1, 0.1)
    adam.update(slice(None))
    assert (w == 1).all()


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_blocks_are_a_range_in_adjacent_parts(start, length):
    parts = blocks(slice(start, start + length))
    assert [part.start for part in parts] == [start, *(part.stop for part in parts)][: len(parts)]
    assert sum(part.stop - part.start for part in parts) == length
    assert all(part.stop > part.start for part in parts)
