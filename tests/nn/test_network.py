"""The network as a user meets it."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor

import mnist_sample
import numpy as np
import pytest
from small_training import RANDOM, examples
from small_training import network as small_network

from nn import InvalidDataError, NeuralNetwork, NotFittedError
from nn.activations import ACTIVATIONS
from nn.objectives import OBJECTIVES
from nn.optimizers import OPTIMIZERS


def _network(**changes):
    return NeuralNetwork(**{"batch_size": 10, "epochs": 8, "seed": 1, **changes})


@pytest.fixture(scope="module")
def fitted(train):
    return _network().fit(*train)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("output", "loss"), OBJECTIVES)
def test_every_combination_learns_digits(activation, output, loss, train, test):
    """From 480 images, far above the 0.1 of guessing."""
    rate = {"relu": 0.1}.get(activation, 0.5) * {"quadratic": 2}.get(loss, 1)
    network = _network(activation=activation, output=output, loss=loss, learning_rate=rate)
    network.fit(*train)
    assert network.validate(*test) > 0.6
    assert network.history[-1].loss < network.history[0].loss


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [("sgd", 0.1), ("momentum", 0.01), ("nesterov", 0.01), ("adam", 0.001)],
)
def test_every_optimizer_learns_digits(optimizer, rate, train, test):
    """With all that is there against overfitting."""
    network = _network(
        **RANDOM | {"optimizer": optimizer, "learning_rate": rate, "dropout": 0.1},
        sizes=(784, 60, 10),
        initializer="he",
        epochs=12,
    )
    network.fit(*train)
    assert network.validate(*test) > 0.6


def test_every_optimizer_is_tried():
    marks = test_every_optimizer_learns_digits.pytestmark
    assert {optimizer for optimizer, _ in marks[0].args[1]} == set(OPTIMIZERS)


def test_equal_seeds_give_equal_bytes_and_others_do_not():
    data = examples()
    first, again = (small_network(**RANDOM).fit(*data, data).to_bytes() for _ in range(2))
    assert first == again
    other = small_network(**RANDOM, seed=2).fit(*data, data)
    assert (other.weights[1] != NeuralNetwork.from_bytes(first).weights[1]).any()


def test_without_a_seed_each_training_draws_its_own_and_tells_it():
    data = examples()
    first, other = (small_network(seed=None).fit(*data).to_bytes() for _ in range(2))
    assert first != other
    drawn = NeuralNetwork.from_bytes(first)
    assert drawn.seed != NeuralNetwork.from_bytes(other).seed
    assert small_network(seed=drawn.seed).fit(*data).to_bytes() == first


def test_fit_starts_anew(train):
    """As in scikit-learn, the result of an earlier fit is replaced."""
    network = small_network()
    once = network.fit(*examples()).to_bytes()
    network.fit(*examples(30, seed=9))
    assert network.fit(*examples()).to_bytes() == once
    assert len(network.history) == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_fit_changes_no_argument(threads, small_trainings_share):
    """Read-only arrays are accepted."""
    arguments = (*examples(), *examples(9))
    kept = [array.copy() for array in arguments]
    for array in arguments:
        array.flags.writeable = False
    images, labels, *held_out = arguments
    network = small_network(**RANDOM, threads=threads)
    params = network.get_params()
    assert network.fit(images, labels, held_out) is network
    assert all((array == copy).all() for array, copy in zip(arguments, kept, strict=True))
    assert network.get_params() == params


def test_a_fitted_network_keeps_nothing_of_its_images():
    images, labels = examples()
    network = small_network().fit(images, labels, (images, labels))
    before = network.predict_proba(images[:9])
    kept = images[:9].copy()
    images[:] = 0
    labels[:] = 0
    assert (network.predict_proba(kept) == before).all()


def test_images_may_be_bytes_rows_floats_or_lists():
    """Floats are the bytes divided by 255, and give the same network to within rounding."""
    images, labels = examples()
    square = small_network().fit(images, labels).to_bytes()
    assert small_network().fit(images.reshape(-1, 36), labels).to_bytes() == square
    assert small_network().fit(images[:, ::-1][:, ::-1], list(labels)).to_bytes() == square
    assert small_network().fit(images, labels.astype(np.uint8)).to_bytes() == square
    floats = small_network().fit((images / 255).tolist(), labels)
    weights = NeuralNetwork.from_bytes(square).weights[1]
    np.testing.assert_allclose(floats.weights[1], weights, atol=1e-5)


def test_one_image_is_enough():
    images, labels = examples(1)
    network = small_network(**RANDOM).fit(images, labels, (images, labels))
    assert network.predict(images) == labels


@pytest.mark.parametrize("sizes", [(36, 3), (36, 1, 3), (36, 9, 7, 5, 3), (36, 4, 1)])
def test_a_network_may_have_any_number_of_layers(sizes):
    images, labels = examples()
    network = small_network(sizes=sizes).fit(images, np.minimum(labels, sizes[-1] - 1))
    assert [w.shape for w in network.weights[1:]] == list(zip(sizes[1:], sizes[:-1], strict=True))
    assert network.predict_proba(images).shape == (len(images), sizes[-1])


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_probabilities_sum_to_one_and_their_largest_is_the_prediction(output, test, train):
    network = _network(output=output, epochs=2).fit(*train)
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


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_probabilities_of_extreme_weights_are_finite(output, size):
    network = small_network(output=output).fit(*examples())
    network.weights[2][:] = np.where(network.weights[2] > 0, size, -size)
    probabilities = network.predict_proba(examples()[0])
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_predictions_do_not_depend_on_how_many_are_asked_for(fitted, test):
    many = np.tile(test[0], (80, 1, 1))  # More than one block of the forward pass.
    assert (fitted.predict(many) == np.tile(fitted.predict(test[0]), 80)).all()


def test_predictions_leave_no_trace_and_threads_may_share_a_network(fitted, test):
    """Each gets the same result as alone, to the bit."""
    parts = [test[0][start : start + 25] for start in range(0, 120, 5)] * 4
    before = {name: repr(value) for name, value in vars(fitted).items()}
    data = fitted.to_bytes()
    alone = [fitted.predict_proba(part) for part in parts]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(fitted.predict_proba, parts))
            labels = list(pool.map(fitted.predict, parts))
    finally:
        sys.setswitchinterval(interval)
    for one, other, label in zip(alone, together, labels, strict=True):
        assert one.tobytes() == other.tobytes()
        assert (one.argmax(axis=1) == label).all()
    assert {name: repr(value) for name, value in vars(fitted).items()} == before
    assert fitted.to_bytes() == data


def test_validate_is_the_share_of_right_predictions(fitted, test):
    for count in (1, 7, mnist_sample.TEST):
        images, labels = test[0][:count], test[1][:count]
        assert fitted.validate(images, labels) == np.mean(fitted.predict(images) == labels)
        assert fitted.score(images, labels) == fitted.validate(images, labels)


IMAGES = np.zeros((4, 784), np.uint8)
LABELS = np.arange(4)

BAD_IMAGES = [
    (np.zeros((4, 783), np.uint8), "images: expected shape (n, 784) or (n, 28, 28), got (4, 783)"),
    (np.zeros(784, np.uint8), "images: expected shape (n, 784) or (n, 28, 28), got (784,)"),
    (np.zeros((4, 28, 28, 1), np.uint8), "images: expected shape"),
    (np.zeros((4, 27, 29), np.uint8), "images: expected shape"),
    (np.uint8(3), "images: expected shape (n, 784) or (n, 28, 28), got ()"),
    (np.zeros((0, 784), np.uint8), "images: expected at least one, got none"),
    ([], "images: expected shape"),
    (np.full((4, 784), np.nan), "images: expected floats in [0, 1], got nan"),
    (np.full((4, 784), np.inf), "images: expected floats in [0, 1], got inf"),
    (np.full((4, 784), 1.5), "images: expected floats in [0, 1], got 1.5"),
    (np.full((4, 784), -0.1), "images: expected floats in [0, 1], got -0.1"),
    (np.zeros((4, 784), np.int32), "images: expected uint8 or floats in [0, 1], got dtype int32"),
    (np.zeros((4, 784), bool), "images: expected uint8 or floats in [0, 1], got dtype bool"),
    (np.zeros((4, 784), complex), "images: expected uint8 or floats"),
    (np.full((4, 784), "0"), "images: expected uint8 or floats"),
    (np.full((4, 784), None), "images: expected uint8 or floats"),
]

BAD_LABELS = [
    (np.arange(3), "labels: expected shape (4,), one for each image, got (3,)"),
    (LABELS.reshape(4, 1), "labels: expected shape (4,), one for each image, got (4, 1)"),
    (7, "labels: expected shape (4,), one for each image, got ()"),
    (LABELS.astype(float), "labels: expected integers, got dtype float64"),
    (LABELS.astype(bool), "labels: expected integers, got dtype bool"),
    (["0", "1", "2", "3"], "labels: expected integers"),
    (np.array([0, 1, 2, 10]), "labels: expected 0 to 9, got 0 to 10"),
    (np.array([0, 1, 2, -1]), "labels: expected 0 to 9, got -1 to 2"),
]


@pytest.mark.parametrize(("images", "message"), BAD_IMAGES)
def test_bad_images_are_one_clear_error_wherever_they_are_given(images, message, fitted):
    for use in (
        lambda: _network().fit(images, LABELS),
        lambda: _network().fit(IMAGES, LABELS, (images, LABELS)),
        lambda: fitted.predict(images),
        lambda: fitted.predict_proba(images),
        lambda: fitted.validate(images, LABELS),
    ):
        with pytest.raises(InvalidDataError, match=re.escape(message)) as raised:
            use()
        assert raised.value.name == "images"


@pytest.mark.parametrize(("labels", "message"), BAD_LABELS)
def test_bad_labels_are_one_clear_error_wherever_they_are_given(labels, message, fitted):
    for use in (
        lambda: _network().fit(IMAGES, labels),
        lambda: _network().fit(IMAGES, LABELS, (IMAGES, labels)),
        lambda: fitted.validate(IMAGES, labels),
    ):
        with pytest.raises(InvalidDataError, match=re.escape(message)) as raised:
            use()
        assert raised.value.name == "labels"


def test_one_value_that_is_no_number_is_found_among_many():
    images = np.zeros((4, 784))
    images[2, 300] = np.nan
    with pytest.raises(InvalidDataError, match="got nan to nan"):
        _network().fit(images, LABELS)


def test_images_that_are_not_square_say_how_they_are_distorted():
    """Rows of pixels do not tell the height of an image; a third axis does."""
    images, labels = np.zeros((3, 12), np.uint8), np.arange(3)
    stretched = NeuralNetwork((12, 3), epochs=1, distortion=RANDOM["distortion"])
    with pytest.raises(InvalidDataError, match=r"images: expected shape \(n, h, w\)"):
        stretched.fit(images, labels)
    assert stretched.fit(images.reshape(3, 2, 6), labels).history
    assert NeuralNetwork((12, 3), epochs=1).fit(images, labels).history


def test_bad_data_leaves_a_fitted_network_as_it_is():
    network = small_network().fit(*examples())
    data, history = network.to_bytes(), network.history
    with pytest.raises(InvalidDataError):
        network.fit(examples()[0], np.zeros(3, int))
    assert network.to_bytes() == data
    assert network.history is history


def test_a_network_that_was_not_fitted_says_so():
    for ask in (
        lambda network: network.predict(IMAGES),
        lambda network: network.predict_proba(IMAGES),
        lambda network: network.validate(IMAGES, LABELS),
        lambda network: network.to_bytes(),
    ):
        with pytest.raises(NotFittedError, match="call fit"):
            ask(_network())
    assert _network().weights == []
    assert _network().biases == []
