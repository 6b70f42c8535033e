"""Variations of handwriting: what is drawn on which digit."""

from dataclasses import asdict, fields

import mnist_sample
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnist_sample import SAMPLE

import nn.session
from nn import Distortion, InvalidParameterError, NeuralNetwork, Style
from nn.style import Styler

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.train)
PIXELS = (IMAGES.reshape(len(IMAGES), -1) / 255).astype(np.float32)

OFF = dict.fromkeys((field.name for field in fields(Style)), 0)
DIGITS = {"upstroke": 1, "foot": 1, "bar": 7, "slash": 0, "closed": 4, "angular": 6}


def _varied(images, labels, seed=0, shape=(28, 28), **probabilities):
    varied = images.copy()
    Styler(Style(**{**OFF, **probabilities}), shape)(varied, labels, np.random.default_rng(seed))
    return varied


@pytest.mark.parametrize("variation", DIGITS)
def test_a_stroke_is_drawn_on_its_own_digit_alone(variation):
    """And it only adds ink."""
    varied = _varied(PIXELS, LABELS, **{variation: 1})
    is_changed = (varied != PIXELS).any(axis=1)
    assert not is_changed[DIGITS[variation] != LABELS].any()
    assert is_changed[DIGITS[variation] == LABELS].mean() > 0.9
    assert (varied >= PIXELS).all()


@pytest.mark.parametrize("variation", DIGITS)
def test_a_probability_is_the_share_of_digits_that_get_the_stroke(variation):
    labels = np.full(4000, DIGITS[variation])
    images = np.tile(PIXELS[DIGITS[variation] == LABELS][0], (4000, 1))
    varied = _varied(images, labels, **{variation: 0.3})
    assert (varied != images).any(axis=1).mean() == pytest.approx(0.3, abs=0.04)


def test_an_upstroke_goes_down_to_the_left_from_the_top_of_a_1():
    stem = np.zeros((28, 28), np.float32)
    stem[4:24, 13:15] = 1
    added = _varied(stem.reshape(1, -1), np.array([1]), upstroke=1).reshape(28, 28) - stem
    rows, columns = np.nonzero(added)
    assert columns.max() <= 15
    assert columns.min() < 12
    assert rows.max() < 18
    # The further to the left, the lower.
    assert np.corrcoef(rows, columns)[0, 1] < -0.5


def test_a_bar_crosses_the_stem_of_a_7_on_both_sides():
    seven = np.zeros((28, 28), np.float32)
    seven[4:6, 7:19] = 1
    seven[4:24, 17:19] = 1
    added = _varied(seven.reshape(1, -1), np.array([7]), bar=1).reshape(28, 28) - seven
    rows, columns = np.nonzero(added)
    assert rows.min() > 7
    assert rows.max() < 22
    assert columns.min() < 17
    assert columns.max() > 18


def test_strokes_become_thicker_and_thinner():
    ink = PIXELS.sum(axis=1)
    change = _varied(PIXELS, LABELS, thickness=0.6).sum(axis=1) / ink
    assert (change > 1.1).mean() > 0.2
    assert (change < 0.9).mean() > 0.2
    assert np.abs(change - 1).max() < 1


@given(
    seed=st.integers(0, 2**32),
    probability=st.sampled_from([0.0, 0.4, 1.0]),
    ink=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    shape=st.sampled_from([(6, 6), (1, 9), (28, 28)]),
)
def test_results_stay_between_0_and_1_whatever_the_images(seed, probability, ink, shape):
    rng = np.random.default_rng(seed)
    images = rng.random((20, shape[0] * shape[1]), np.float32)
    images[rng.random(images.shape) >= ink] = 0
    Styler(Style(**dict.fromkeys(OFF, probability)), shape)(images, np.arange(20) % 10, rng)
    assert ((images >= 0) & (images <= 1)).all()


@given(st.integers(0, 2**32))
def test_equal_generators_give_equal_images(seed):
    few = slice(0, 40)
    everything = dict.fromkeys(OFF, 0.5)
    first, again = (_varied(PIXELS[few], LABELS[few], seed, **everything) for _ in range(2))
    assert (first == again).all()
    assert (first != _varied(PIXELS[few], LABELS[few], seed + 1, **everything)).any()


def test_each_image_is_varied_by_itself():
    ones = np.flatnonzero(LABELS == 1)
    images = np.tile(PIXELS[ones[0]], (50, 1))
    varied = _varied(images, np.ones(50, np.intp), upstroke=1)
    assert len(np.unique(varied, axis=0)) == 50


def _network(**changes):
    params = {"epochs": 1, "batch_size": 100, "seed": 3, "distortion": Distortion(), **changes}
    return NeuralNetwork((784, 12, 10), **params)


@pytest.mark.parametrize("count", [0, 1])
def test_few_images_are_enough(count):
    assert _varied(PIXELS[:count], LABELS[:count], **dict.fromkeys(OFF, 1)).shape == (count, 784)


def test_a_style_of_zeros_draws_nothing():
    assert (_varied(PIXELS, LABELS) == PIXELS).all()


def test_the_number_of_processes_does_not_change_the_images(monkeypatch):
    """Their pieces of a batch are rounded by BLAS, so weights are equal to within that."""
    for name in (
        "_MIN_MULTIPLICATIONS_PER_PIECE",
        "_MIN_MULTIPLICATIONS_PER_PROCESS",
        "_MIN_EXAMPLES_PER_PIECE",
    ):
        monkeypatch.setattr(nn.session, name, 1)
    one, two = (_network(style=Style(), threads=threads).fit(IMAGES, LABELS) for threads in (1, 2))
    assert (one.threads, two.threads) == (1, 2)
    np.testing.assert_allclose(one.weights[1], two.weights[1], atol=1e-5)
    plain = _network(threads=1).fit(IMAGES, LABELS)
    assert np.abs(one.weights[1] - plain.weights[1]).max() > 1e-4


def test_without_a_style_a_file_is_that_of_earlier_releases():
    network = _network(threads=1).fit(IMAGES[:100], LABELS[:100])
    assert b"style" not in network.to_bytes()
    again = NeuralNetwork.from_bytes(network.to_bytes())
    assert again.style is None
    assert again.to_bytes() == network.to_bytes()


def test_a_file_keeps_the_style():
    network = _network(style=Style(bar=0.25), threads=1).fit(IMAGES[:100], LABELS[:100])
    again = NeuralNetwork.from_bytes(network.to_bytes())
    assert again.style == Style(bar=0.25)
    assert Style(**asdict(again.style)) == again.style


@pytest.mark.parametrize("name", OFF)
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "much", None, True])
def test_a_value_outside_its_domain_is_named(name, value):
    with pytest.raises(InvalidParameterError, match=rf"^style.{name}: expected .*\[0, 1\], got "):
        Style(**{name: value})
