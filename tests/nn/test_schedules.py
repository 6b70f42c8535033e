"""The learning rate, step by step."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn.schedules import SCHEDULES, learning_rate

every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)


def test_a_constant_learning_rate_is_the_highest_all_the_time():
    assert {learning_rate(0.3, "constant", step, 10, 0) for step in range(10)} == {0.3}


def test_a_cosine_falls_from_the_highest_through_half_of_it_towards_zero():
    rates = [learning_rate(0.4, "cosine", step, 8, 0) for step in range(9)]
    root = math.sqrt(2) / 2
    assert rates[::2] == pytest.approx([0.4, 0.2 * (1 + root), 0.2, 0.2 * (1 - root), 0], abs=1e-15)
    assert rates == sorted(rates, reverse=True)


@every_schedule
def test_it_rises_in_equal_parts_while_warming_up(schedule):
    """The first step is one part already, and the step after the last part is the highest."""
    rates = [learning_rate(1.0, schedule, step, 20, 4) for step in range(5)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_cosine_begins_when_warming_up_ends():
    after = [learning_rate(1.0, "cosine", step, 15, 5) for step in range(5, 15)]
    assert after == [learning_rate(1.0, "cosine", step, 10, 0) for step in range(10)]


@every_schedule
@given(st.floats(1e-6, 10), st.integers(1, 200), st.integers(0, 300))
def test_every_step_has_a_learning_rate_up_to_the_highest(schedule, peak, steps, warmup):
    """Even if there are fewer steps than warm-up steps."""
    rates = [learning_rate(peak, schedule, step, steps, warmup) for step in range(steps)]
    assert all(0 < rate <= peak for rate in rates)
    assert rates.index(max(rates)) == min(warmup, steps - 1)
