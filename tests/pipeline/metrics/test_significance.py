"""Exact tests and confidence bounds, against exact arithmetic."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from pipeline.metrics.significance import (
    chi_squared_percentile,
    mcnemar,
    proportion_lower_bound,
)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_tail_of_a_fair_coin(worse, better):
    """By counting all outcomes, in integers."""
    tosses = worse + better
    outcomes = sum(math.comb(tosses, heads) for heads in range(worse, tosses + 1))
    expected = float(Fraction(outcomes, 2**tosses))
    assert mcnemar(worse, better) == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_mcnemar_is_a_probability_and_1_if_nothing_is_worse(worse, better):
    assert 0 <= mcnemar(worse, better) <= 1
    assert mcnemar(0, better) == 1
    assert mcnemar(worse, better) + mcnemar(better, worse) >= 1 - 1e-9


@given(st.integers(1, 100).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_at_the_lower_bound_the_count_or_more_has_a_probability_of_one_percent(counted):
    """In exact arithmetic."""
    count, total = counted
    share = Fraction(proportion_lower_bound(count, total, confidence=0.99))
    fewer = sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(count))
    assert 0 < share < Fraction(count, total)
    assert float(1 - fewer) == pytest.approx(0.01, rel=1e-6)


def test_the_lower_bound_of_a_count_of_0_is_0():
    assert proportion_lower_bound(0, 1000, confidence=0.99) == 0
    assert proportion_lower_bound(0, 0, confidence=0.99) == 0


def test_one_of_one_proves_little_and_many_prove_much():
    assert proportion_lower_bound(1, 1, confidence=0.99) == pytest.approx(0.01)
    assert proportion_lower_bound(3_000, 30_000, confidence=0.99) == pytest.approx(0.1, rel=0.05)


@given(st.integers(1, 50), st.floats(0.001, 0.999))
def test_the_chi_squared_percentile_has_its_probability_below_it(freedom, probability):
    """By the distribution function of another module of SciPy."""
    value = chi_squared_percentile(probability, freedom)
    assert chi2.cdf(value, freedom) == pytest.approx(probability, abs=1e-9)
