"""Labels that contradict what networks are sure of."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnist_sample import SAMPLE, arrays
from pipeline.thresholds import Thresholds

from nn import NeuralNetwork
from pipeline.data.labelled import collect
from pipeline.data.preparation import ingest
from pipeline.gate.contradictions import contradicted, share_at_least
from pipeline.gate.judging import judge
from pipeline.images.encoding import png

DIGITS = np.arange(10, dtype=np.uint8)


def _sure_of(digits, confidence=0.99):
    """Probabilities of a network that takes images for these digits."""
    probabilities = np.full((len(digits), 10), (1 - confidence) / 9, np.float32)
    probabilities[np.arange(len(digits)), digits] = confidence
    return probabilities


@given(st.integers(1, 100).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_so_many_or_more_come_once_in_a_hundred(counted):
    """Were the share what it is at least: in exact arithmetic."""
    count, total = counted
    share = Fraction(share_at_least(count, total))
    fewer = sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(count))
    assert 0 < share < Fraction(count, total)
    assert float(1 - fewer) == pytest.approx(0.01, rel=1e-6)


def test_where_no_label_is_wrong_nothing_is_shown_to_be():
    assert share_at_least(0, 1000) == share_at_least(0, 0) == 0


def test_one_label_proves_nothing_and_many_do():
    assert share_at_least(1, 1) == pytest.approx(0.01)
    assert share_at_least(3_000, 30_000) == pytest.approx(0.1, rel=0.05)


def test_the_digit_is_the_one_that_is_seen():
    """Not the one that is on the label."""
    seen = np.repeat(DIGITS, 50)
    labels = seen.copy()
    labels[7 * 50 : 7 * 50 + 10] = 1
    shares = contradicted(labels, [_sure_of(seen), _sure_of(seen)])
    assert shares[7] == share_at_least(10, 50) > 0.08
    assert np.flatnonzero(shares).tolist() == [7]


@pytest.mark.parametrize("other", ["in doubt", "sure of another digit"])
def test_a_label_is_contradicted_by_all_networks_or_by_none(other):
    seen = np.repeat(DIGITS, 50)
    labels = np.roll(seen, 1)
    doubts = _sure_of(seen, 0.89) if other == "in doubt" else _sure_of((seen + 1) % 10)
    assert any(contradicted(labels, [_sure_of(seen)]))
    assert not any(contradicted(labels, [_sure_of(seen), doubts]))


@pytest.mark.parametrize("poisoned", [None, 4])
def test_the_gate_names_the_digit_whose_labels_are_wrong(home, sources, tmp_path, poisoned):
    images, labels = arrays(SAMPLE.train)
    network = NeuralNetwork(
        (784, 100, 10), activation="relu", initializer="he", learning_rate=0.5, epochs=40, seed=0
    ).fit(images, labels)
    (tmp_path / "weights").write_bytes(network.to_bytes())
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        given_label = 9 if label == poisoned and number % 2 else label
        path = tmp_path / "own" / str(given_label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Hardly another image, but one that is not MNIST's.
        path.write_bytes(png(np.maximum(image, np.eye(28, dtype=np.uint8))))
    data = ingest()
    own = collect(tmp_path / "own", data, tmp_path / "kept")
    verdict = judge(data, own.reference, tmp_path / "weights", None, "", Thresholds(min_accuracy=0))
    checks = [check for check in verdict.checks if check.name.startswith("contradicted")]
    if poisoned is None:
        assert [(check.figure, check.passed) for check in checks] == [(0, True)]
    else:
        assert [(check.name, check.passed) for check in checks] == [
            ("contradicted_labels_of_4", False)
        ]
