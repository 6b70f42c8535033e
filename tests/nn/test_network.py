"""The network as a user meets it."""

import re

import mnist_sample
import numpy as np
import pytest
from mnist_sample import SAMPLE

from nn import (
    DivergedError,
    InvalidDataError,
    InvalidParameterError,
    NeuralNetwork,
    NotFittedError,
)
from nn.activations import ACTIVATIONS
from nn.backpropagation import gradients
from nn.initializers import initialize
from nn.objectives import OBJECTIVES


@pytest.fixture(scope="module")
def train():
    return mnist_sample.arrays(SAMPLE.train)


@pytest.fixture(scope="module")
def test():
    return mnist_sample.arrays(SAMPLE.test)


def _network(**changes):
    return NeuralNetwork(
        **{"sizes": (784, 30, 10), "batch_size": 10, "epochs": 8, "seed": 1, **changes}
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("output", "loss"), OBJECTIVES)
def test_every_combination_learns_digits(activation, output, loss, train, test):
    """From 480 images, far above the 0.1 of guessing."""
    rate = {"relu": 0.1}.get(activation, 0.5) * {"quadratic": 2}.get(loss, 1)
    network = _network(activation=activation, output=output, loss=loss, learning_rate=rate)
    network.fit(*train)
    assert network.validate(*test) > 0.6
    assert network.history[-1].loss < network.history[0].loss


def test_equal_seeds_give_equal_bytes_and_others_do_not(train):
    first, again = (_network().fit(*train).to_bytes() for _ in range(2))
    assert first == again
    assert first != _network(seed=2).fit(*train).to_bytes()


def test_fit_starts_anew(train):
    """Scikit-learn's habit: what an earlier fit learnt is replaced."""
    network = _network(epochs=2)
    once = network.fit(*train).to_bytes()
    assert network.fit(*train).to_bytes() == once
    assert len(network.history) == 2


def test_fit_changes_no_argument(train):
    images, labels = train[0].copy(), train[1].copy()
    _network(epochs=1).fit(images, labels)
    assert (images == train[0]).all()
    assert (labels == train[1]).all()


def test_images_may_be_bytes_rows_or_floats(train):
    """Floats are the bytes divided by 255, and give the same network to within rounding."""
    images, labels = train
    square = _network(epochs=1).fit(images, labels)
    rows = _network(epochs=1).fit(images.reshape(-1, 784), labels)
    floats = _network(epochs=1).fit(images / 255, labels)
    assert square.to_bytes() == rows.to_bytes()
    np.testing.assert_allclose(square.weights[1], floats.weights[1], atol=1e-5)


def test_one_step_is_the_gradient_of_the_mean():
    """A batch shorter than batch_size is divided by its own length, not by batch_size."""
    rng = np.random.default_rng(0)
    x = rng.random((3, 6)).astype(np.float32)
    y = np.array([0, 1, 1])
    network = NeuralNetwork((6, 4, 2), batch_size=10, epochs=1, learning_rate=0.3, seed=5)
    network.fit(x, y)

    weights, biases = initialize((6, 4, 2), "scaled", np.random.default_rng(5))
    dw, db, _, _ = gradients(
        weights, biases, ACTIVATIONS["sigmoid"], OBJECTIVES["softmax", "cross_entropy"], x, y
    )
    for layer in (1, 2):
        expected = weights[layer] - np.float32(0.3) * dw[layer]
        np.testing.assert_allclose(network.weights[layer], expected, rtol=1e-5, atol=1e-7)
        expected = biases[layer] - np.float32(0.3) * db[layer]
        np.testing.assert_allclose(network.biases[layer], expected, rtol=1e-5, atol=1e-7)


def test_l2_decays_weights_as_the_book_has_it():
    """With lambda, each step takes (1 - eta lambda / n) w first; biases are not decayed."""
    x = np.zeros((4, 6), np.float32)
    y = np.array([0, 1, 0, 1])
    common = {"batch_size": 4, "epochs": 1, "learning_rate": 0.5, "seed": 5}
    plain = NeuralNetwork((6, 4, 2), **common).fit(x, y)
    decayed = NeuralNetwork((6, 4, 2), l2=0.8, **common).fit(x, y)
    drawn, _ = initialize((6, 4, 2), "scaled", np.random.default_rng(5))
    for layer in (1, 2):
        shrunk = plain.weights[layer] - np.float32(0.5 * 0.8 / 4) * drawn[layer]
        np.testing.assert_allclose(decayed.weights[layer], shrunk, atol=1e-6)
        np.testing.assert_allclose(decayed.biases[layer], plain.biases[layer], atol=1e-7)


def test_probabilities_sum_to_one_and_their_largest_is_the_prediction(train, test):
    for output in ("softmax", "sigmoid"):
        network = _network(output=output).fit(*train)
        probabilities = network.predict_proba(test[0])
        assert probabilities.shape == (mnist_sample.TEST, 10)
        assert probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        assert (probabilities.argmax(axis=1) == network.predict(test[0])).all()


def test_saturated_sigmoid_outputs_still_sum_to_one():
    network = NeuralNetwork((2, 3), output="sigmoid", epochs=1, seed=0)
    network.fit(np.zeros((3, 2)), np.arange(3))
    network.biases[1][:] = -1e4
    np.testing.assert_allclose(network.predict_proba(np.zeros((1, 2))), 1 / 3, rtol=1e-5)


def test_predictions_do_not_depend_on_how_many_are_asked_for(train, test):
    network = _network().fit(*train)
    many = np.tile(test[0], (80, 1, 1))  # More than one block of the forward pass.
    assert (network.predict(many) == np.tile(network.predict(test[0]), 80)).all()


def test_validate_is_the_share_of_right_predictions(train, test):
    network = _network().fit(*train)
    for count in (1, 7, mnist_sample.TEST):
        images, labels = test[0][:count], test[1][:count]
        assert network.validate(images, labels) == np.mean(network.predict(images) == labels)


def test_history_has_a_record_for_each_epoch(train, test):
    told = []
    network = _network(epochs=3).fit(*train, test, on_epoch=told.append)
    assert network.history == told
    assert [epoch.number for epoch in told] == [1, 2, 3]
    assert told[-1].validation_accuracy == network.validate(*test)
    assert all(0 <= epoch.accuracy <= 1 and epoch.seconds > 0 for epoch in told)
    assert told[0].learning_rate == 0.5


def test_without_validation_data_there_are_no_validation_figures(train):
    epoch = _network(epochs=1).fit(*train).history[0]
    assert epoch.validation_loss is None
    assert epoch.validation_accuracy is None


def test_divergence_names_epoch_batch_and_learning_rate(train):
    network = _network(activation="relu", learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"epoch 1, batch \d+, at learning rate 1e\+30") as told:
        network.fit(*train)
    assert (told.value.epoch, told.value.learning_rate) == (1, 1e30)
    assert told.value.batch > 1


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("sizes", (784,)),
        ("sizes", (784, 0, 10)),
        ("sizes", (784, 2.5, 10)),
        ("sizes", (784, True, 10)),
        ("sizes", 784),
        ("activation", "swish"),
        ("activation", ["relu"]),
        ("output", "linear"),
        ("loss", "hinge"),
        ("initializer", "zeros"),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("learning_rate", "fast"),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("epochs", -1),
        ("epochs", True),
        ("l2", -0.1),
        ("l2", float("inf")),
        ("seed", -1),
        ("seed", 0.5),
    ],
)
def test_a_parameter_outside_its_domain_is_named(parameter, value):
    with pytest.raises(InvalidParameterError, match=f"^{parameter}: expected .*, got ") as told:
        NeuralNetwork(**{parameter: value})
    assert told.value.name == parameter
    assert isinstance(told.value, ValueError)


IMAGES = np.zeros((4, 784), np.uint8)
LABELS = np.arange(4)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((4, 783), np.uint8), LABELS, "images: expected shape (n, 784) or (n, 28, 28)"),
        (np.zeros(784, np.uint8), LABELS, "images: expected shape"),
        (np.zeros((4, 28, 28, 1), np.uint8), LABELS, "images: expected shape"),
        (np.zeros((0, 784), np.uint8), np.zeros(0, int), "images: expected at least one"),
        (np.full((4, 784), np.nan), LABELS, "images: expected floats in [0, 1], got nan"),
        (np.full((4, 784), 1.5), LABELS, "images: expected floats in [0, 1], got 1.5"),
        (np.full((4, 784), -0.1), LABELS, "images: expected floats in [0, 1], got -0.1"),
        (np.zeros((4, 784), np.int32), LABELS, "images: expected uint8 or floats"),
        (IMAGES, np.arange(3), "labels: expected shape (4,)"),
        (IMAGES, LABELS.reshape(4, 1), "labels: expected shape (4,)"),
        (IMAGES, LABELS.astype(float), "labels: expected whole numbers"),
        (IMAGES, np.array([0, 1, 2, 10]), "labels: expected 0 to 9, got 0 to 10"),
        (IMAGES, np.array([0, 1, 2, -1]), "labels: expected 0 to 9, got -1 to 2"),
    ],
)
def test_bad_data_is_one_clear_error(images, labels, message):
    with pytest.raises(InvalidDataError, match=re.escape(message)):
        _network().fit(images, labels)


def test_a_network_that_was_not_fitted_says_so():
    for ask in (
        lambda network: network.predict(IMAGES),
        lambda network: network.predict_proba(IMAGES),
        lambda network: network.validate(IMAGES, LABELS),
        lambda network: network.to_bytes(),
    ):
        with pytest.raises(NotFittedError, match="call fit"):
            ask(_network())


def test_repr_makes_an_equal_network():
    network = _network(l2=0.1)
    assert eval(repr(network)).get_params() == network.get_params()
