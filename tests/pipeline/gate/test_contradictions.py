"""Labels that contradict confident predictions."""

import numpy as np
import pytest
from mnist_sample import SAMPLE, arrays

from nn import NeuralNetwork
from pipeline.data.labelled import collect
from pipeline.gate.contradictions import contradicted
from pipeline.gate.judging import judge
from pipeline.images.encoding import png
from pipeline.jobs.ingestion import ingest
from pipeline.metrics.significance import proportion_lower_bound
from pipeline.settings import Thresholds

DIGITS = np.arange(10, dtype=np.uint8)


def _confident_of(digits, confidence=0.99):
    """Return the probabilities of a network that confidently predicts these digits."""
    probabilities = np.full((len(digits), 10), (1 - confidence) / 9, np.float32)
    probabilities[np.arange(len(digits)), digits] = confidence
    return probabilities


def test_shares_are_by_predicted_digit():
    """Not by label."""
    predicted = np.repeat(DIGITS, 50)
    labels = predicted.copy()
    labels[7 * 50 : 7 * 50 + 10] = 1
    shares = contradicted(labels, [_confident_of(predicted), _confident_of(predicted)])
    assert shares[7] == proportion_lower_bound(10, 50, confidence=0.99) > 0.08
    assert np.flatnonzero(shares).tolist() == [7]


@pytest.mark.parametrize("other", ["not confident", "confident of another digit"])
def test_a_label_is_contradicted_by_all_networks_or_by_none(other):
    predicted = np.repeat(DIGITS, 50)
    labels = np.roll(predicted, 1)
    doubts = (
        _confident_of(predicted, 0.89)
        if other == "not confident"
        else _confident_of((predicted + 1) % 10)
    )
    assert any(contradicted(labels, [_confident_of(predicted)]))
    assert not any(contradicted(labels, [_confident_of(predicted), doubts]))


@pytest.fixture(scope="module")
def weights():
    """A network that knows the images it was trained on."""
    network = NeuralNetwork(
        (784, 100, 10), activation="relu", initializer="he", learning_rate=0.5, epochs=40, seed=0
    )
    return network.fit(*arrays(SAMPLE.train)).to_bytes()


@pytest.mark.parametrize("poisoned", [None, 4])
def test_the_gate_names_the_digit_whose_labels_are_wrong(
    home, sources, tmp_path, weights, poisoned
):
    images, labels = arrays(SAMPLE.train)
    (tmp_path / "weights").write_bytes(weights)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        given_label = 9 if label == poisoned and number % 2 else label
        path = tmp_path / "own" / str(given_label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Almost the same image, but not one of MNIST.
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
