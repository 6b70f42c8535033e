"""The novelty score: p-values of images being one digit."""

import mnist_sample
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mnist_sample import SAMPLE

from nn import NeuralNetwork
from pipeline.images.reading import Reader, as_seen
from pipeline.metrics.novelty import NoveltyScore
from pipeline.scoring import specimens
from pipeline.training.drawings import NON_DIGITS, draw_non_digits
from pipeline.training.novelty import fit_novelty

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.train)
TEST, _ = mnist_sample.arrays(SAMPLE.test)

# The sample's: those that the network is not trained on calibrate the score.
TRAINED = 380


@pytest.fixture(scope="module", params=[("plain",), ("plain", "deslanted")], ids=len)
def network(request):
    """A network, and a committee, whose score reads the hidden layers of all members."""
    return NeuralNetwork(
        (784, 120, 60, 10),
        views=request.param,
        activation="relu",
        initializer="he",
        learning_rate=0.1,
        epochs=20,
        seed=1,
    ).fit(IMAGES[:TRAINED], LABELS[:TRAINED])


@pytest.fixture(scope="module")
def score(network):
    return fit_novelty(network, IMAGES[:TRAINED], IMAGES[TRAINED:])


def _p_values(network, score, images):
    return score.p_values(network.predict_with_hidden(images)[1])


def _of(calibration, answers):
    """A score that answers what it is given."""
    one = np.ones(1, np.float32)
    score = NoveltyScore(one, one[:, np.newaxis], 0 * one, one, np.sort(calibration))
    return score.p_values(answers[:, np.newaxis])


_FRACTIONS = arrays.arrays(np.float32, 40, elements=st.floats(0, 1, width=32))


@given(_FRACTIONS, st.floats(0.01, 0.99))
def test_of_digits_like_the_calibration_s_no_more_are_flagged_than_was_asked_for(answers, share):
    p_values = _of(answers, answers)
    assert ((p_values > 0) & (p_values <= 1)).all()
    assert np.mean(p_values < share) <= share


@given(_FRACTIONS, _FRACTIONS)
def test_what_is_less_like_a_digit_has_no_larger_p_value(calibration, answers):
    answers = np.sort(answers)
    assert (np.diff(_of(calibration, answers)) <= 0).all()


def test_it_is_kept_with_the_weights(network, score):
    copy = NeuralNetwork.from_bytes(network.to_bytes())
    assert NoveltyScore.of(copy) is None
    score.attach(copy)
    again = NeuralNetwork.from_bytes(copy.to_bytes())
    kept = NoveltyScore.of(again)
    assert (_p_values(again, kept, TEST) == _p_values(network, score, TEST)).all()
    assert (again.predict_proba(TEST) == network.predict_proba(TEST)).all()


def test_a_fit_gives_the_same_score_again(network, score):
    again = fit_novelty(network, IMAGES[:TRAINED], IMAGES[TRAINED:])
    assert (
        again.answers(network.predict_with_hidden(TEST)[1])
        == score.answers(network.predict_with_hidden(TEST)[1])
    ).all()


def test_digits_are_rarely_flagged_and_what_is_none_often(network, score):
    """The sample has 126 drawings for the fit; MNIST has more than a hundred times as many."""
    drawings = draw_non_digits(TEST, 400, np.random.default_rng(99))
    lost, flagged = (
        np.mean(_p_values(network, score, images) < 0.05) for images in (TEST, drawings)
    )
    assert lost < 0.15
    # Two fifths here. So small a fit varies by a tenth, with the rounding of BLAS too.
    assert flagged > max(0.18, 4 * lost)


def test_each_kind_of_drawing_can_be_drawn_alone():
    drawn = [draw_non_digits(TEST, 3, np.random.default_rng(5), (kind,)) for kind in NON_DIGITS]
    assert all(each.max(axis=(1, 2)).min() > 200 for each in drawn)
    assert len({each.tobytes() for each in drawn}) == len(NON_DIGITS)


def test_a_score_can_be_fitted_without_some_kinds(network, score):
    rest = [kind for kind in NON_DIGITS if kind != "several"]
    without = fit_novelty(network, IMAGES[:TRAINED], IMAGES[TRAINED:], rest)
    drawings = draw_non_digits(TEST, 200, np.random.default_rng(7), ("several",))
    lost, flagged = (_p_values(network, without, some) < 0.1 for some in (TEST, drawings))
    assert flagged.mean() > lost.mean()
    assert (without.weights != score.weights).any()


@pytest.mark.parametrize("kind", ["thin", "boxed", "faint"])
def test_digits_of_other_hands_are_rarely_flagged(network, score, kind):
    rng = np.random.default_rng(0)
    sheets = [specimens.KINDS[kind](image, rng) for image in TEST[:60]]
    seen = as_seen(sheets, len(sheets), Reader())
    assert np.mean(_p_values(network, score, seen.images) < 0.02) < 0.15
