"""The evaluation of predictions on images with labels."""

import pickle

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.metrics.evaluation import evaluate


def _evaluate(labels, predictions, confidence):
    """Evaluate predictions; all pixels of image number n are n."""
    n = len(labels)
    probabilities = np.empty((n, 10), np.float32)
    probabilities[:] = (1 - np.array(confidence, np.float32)[:, None]) / 9
    probabilities[np.arange(n), predictions] = confidence
    images = np.arange(n, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    return evaluate(probabilities, images, np.array(labels, np.uint8), "image {}".format)


def test_the_confusion_matrix_counts_labels_and_predictions():
    done = _evaluate([0, 0, 3, 3, 3], [0, 6, 3, 5, 5], [0.9, 0.5, 0.8, 0.7, 0.6])
    expected = np.zeros((10, 10), int)
    expected[0, 0] = expected[0, 6] = expected[3, 3] = 1
    expected[3, 5] = 2
    np.testing.assert_array_equal(done.confusion, expected)
    assert done.correct == bytes([1, 0, 1, 0, 0])
    assert (done.images, done.wrong, done.accuracy) == (5, 3, 2 / 5)
    assert done.recall == (1 / 2, None, None, 1 / 3, *[None] * 6)


def test_the_worst_mistakes_come_first_with_their_images():
    done = _evaluate([1, 2, 3, 4], [1, 7, 5, 9], [1.0, 0.5, 0.75, 0.5])
    assert [(m.location, m.label, m.prediction, m.confidence) for m in done.mistakes] == [
        ("image 2", 3, 5, 0.75),
        ("image 1", 2, 7, 0.5),
        ("image 3", 4, 9, 0.5),
    ]
    assert done.mistakes[0].image == bytes([2]) * 784


def test_only_the_worst_of_many_mistakes_are_kept():
    rng = np.random.default_rng(0)
    confidence = rng.permutation(np.linspace(0.2, 0.9, 250))
    done = _evaluate([1] * 250, [7] * 250, confidence)
    assert done.wrong == 250
    worst = np.argsort(-confidence)[:24]
    assert [mistake.location for mistake in done.mistakes] == [f"image {n}" for n in worst]


def test_an_evaluation_crosses_processes_and_is_small():
    done = _evaluate([1] * 250, [7] * 250, [0.5] * 250)
    sent = pickle.dumps(done)
    assert pickle.loads(sent) == done
    assert len(sent) < 25_000


def test_no_image_is_an_error():
    with pytest.raises(InputError, match="expected labelled images, got none"):
        _evaluate([], [], [])
