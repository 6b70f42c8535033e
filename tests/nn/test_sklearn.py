"""The network as scikit-learn's users meet it."""

import doctest
import inspect
import pickle
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("sklearn", reason="needs the extra sklearn")

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import nn.sklearn
from nn import Distortion, DivergedError, InvalidDataError, InvalidParameterError, NeuralNetwork
from nn.hyperparameters import Hyperparameters
from nn.sklearn import NeuralNetworkClassifier


@pytest.fixture(scope="module")
def digits():
    """1797 images of 8x8 pixels, floats in [0, 1], and their labels."""
    x, y = load_digits(return_X_y=True)
    return x / 16, y


@pytest.fixture(scope="module")
def few(digits):
    return digits[0][:200], digits[1][:200]


def _classifier(**changes):
    return NeuralNetworkClassifier(**{"epochs": 3, "random_state": 3, **changes})


def _network(**changes):
    """A network for 8x8 pixels with the parameters of `_classifier`."""
    params = _classifier(**changes).get_params()
    sizes = (64, *params.pop("hidden_layer_sizes"), 10)
    return NeuralNetwork(sizes, seed=params.pop("random_state"), **params)


@pytest.fixture
def _array_api(monkeypatch):
    """Without it scikit-learn skips its check of arrays that are not NumPy's."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@pytest.mark.usefixtures("_array_api")
@parametrize_with_checks(
    [
        NeuralNetworkClassifier(),
        NeuralNetworkClassifier((), output="sigmoid", learning_rate=1.0, epochs=15),
        NeuralNetworkClassifier(
            (40, 20),
            activation="relu",
            initializer="he",
            optimizer="adam",
            learning_rate=0.01,
            schedule="cosine",
            batch_size=20,
            dropout=0.1,
            label_smoothing=0.1,
            epochs=15,
        ),
    ]
)
def test_scikit_learns_own_checks_pass(estimator, check):
    """All of them: none is expected to fail."""
    check(estimator)


def test_parameters_are_those_of_the_network():
    expected = {field.name for field in fields(Hyperparameters)} - {"sizes", "seed"}
    signature = inspect.signature(NeuralNetworkClassifier)
    assert set(signature.parameters) == expected | {"hidden_layer_sizes", "random_state"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"activation": "tanh", "optimizer": "nesterov", "learning_rate": 0.05, "l2": 1.0},
        {"output": "sigmoid", "loss": "quadratic", "dropout": 0.1, "batch_size": 32},
    ],
)
def test_it_is_the_network_with_the_same_parameters(changes, few):
    classifier = _classifier(**changes).fit(*few)
    network = _network(**changes).fit(*few)
    assert classifier.network_.to_bytes() == network.to_bytes()
    np.testing.assert_allclose(
        classifier.predict_proba(few[0]), network.predict_proba(few[0]), atol=1e-5
    )
    assert classifier.loss_curve_ == [epoch.loss for epoch in network.history]
    assert classifier.n_iter_ == 3


def test_uint8_is_taken_for_pixels_as_the_network_does(few):
    images = np.round(few[0] * 255).astype(np.uint8)
    classifier = _classifier().fit(images, few[1])
    network = _network().fit(images, few[1])
    assert classifier.network_.to_bytes() == network.to_bytes()
    np.testing.assert_allclose(
        classifier.predict_proba(images), network.predict_proba(images), atol=1e-5
    )


def test_pixels_and_other_numbers_are_not_mixed_up(few):
    """A network fitted to numbers from 0 to 1 would answer for 0 to 255, and be wrong."""
    numbers, labels = few
    pixels = np.round(numbers * 255).astype(np.uint8)
    with pytest.raises(InvalidDataError, match="X: expected uint8 pixels, as in fit"):
        _classifier().fit(pixels, labels).predict(numbers)
    with pytest.raises(InvalidDataError, match="numbers other than uint8, as in fit"):
        _classifier().fit(numbers, labels).predict_proba(pixels)


def test_features_may_be_any_finite_numbers(few):
    x = few[0] * 10 - 5
    classifier = _classifier(learning_rate=0.1, epochs=10).fit(x, few[1])
    assert classifier.score(x, few[1]) > 0.9


def test_labels_may_be_words(few):
    x, y = few
    words = np.array(["nought", "one", "two", "three", "four", "five", "six", "7", "8", "9"])
    classifier = _classifier(epochs=10).fit(x, words[y])
    assert classifier.classes_.tolist() == sorted(words)
    assert (classifier.predict(x) == words[y]).mean() > 0.9
    sure = classifier.predict_proba(x).argmax(axis=1)
    assert (classifier.classes_[sure] == classifier.predict(x)).all()


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_probabilities_do_not_depend_on_the_other_samples(output, few):
    x, y = few
    classifier = _classifier(output=output).fit(x, y)
    together = classifier.predict_proba(np.tile(x, (11, 1)))  # More than one block.
    alone = np.concatenate([classifier.predict_proba(row[np.newaxis]) for row in x])
    np.testing.assert_allclose(together, np.tile(alone, (11, 1)), rtol=1e-12)
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-12)


def test_an_int_is_the_seed_and_otherwise_one_is_drawn(few):
    assert _classifier(random_state=7).fit(*few).network_.seed == 7
    generator = np.random.RandomState(7)
    first, second = (_classifier(random_state=generator).fit(*few).network_.seed for _ in "ab")
    again = _classifier(random_state=np.random.RandomState(7)).fit(*few).network_.seed
    assert first == again != second
    fresh = {_classifier(random_state=None).fit(*few).network_.seed for _ in "abc"}
    assert len(fresh) > 1


def test_grid_search_finds_a_learning_rate_in_a_pipeline(digits):
    x, y = digits[0][:600] * 16, digits[1][:600]
    pipeline = make_pipeline(MinMaxScaler(), _classifier(epochs=8))
    name = "neuralnetworkclassifier__learning_rate"
    search = GridSearchCV(pipeline, {name: [1e-4, 0.5]}, cv=3, error_score="raise").fit(x, y)
    assert search.best_params_ == {name: 0.5}
    assert search.score(digits[0][600:] * 16, digits[1][600:]) > 0.85


def test_cross_validation_measures_accuracy(digits):
    scores = cross_val_score(_classifier(epochs=8), *digits, cv=3)
    assert scores.shape == (3,)
    assert scores.min() > 0.85


def test_log_loss_and_area_under_the_curve_take_its_probabilities(few):
    for scoring in ("neg_log_loss", "roc_auc_ovr"):
        scores = cross_val_score(_classifier(epochs=10), *few, cv=2, scoring=scoring)
        assert (scores > {"neg_log_loss": -1.0, "roc_auc_ovr": 0.9}[scoring]).all()


def test_a_clone_has_the_parameters_and_none_of_what_was_learnt(few):
    distortion = Distortion(rotation=5.0)
    classifier = _classifier(hidden_layer_sizes=(20,), distortion=distortion).fit(*few)
    copy = clone(classifier)
    assert copy.get_params() == classifier.get_params()
    assert not hasattr(copy, "network_")
    assert copy.fit(*few).network_.to_bytes() == classifier.network_.to_bytes()


def test_parameters_are_set_by_name(few):
    classifier = _classifier().set_params(hidden_layer_sizes=(5,), epochs=1)
    assert classifier.get_params()["hidden_layer_sizes"] == (5,)
    assert classifier.fit(*few).network_.sizes == (64, 5, 10)
    with pytest.raises(ValueError, match="Invalid parameter 'sizes'"):
        classifier.set_params(sizes=(64, 5, 10))


def test_distortion_deforms_the_square_images_that_rows_are(few):
    """As the network does with square images."""
    distortion = Distortion(shift=0.5)
    classifier = _classifier(distortion=distortion).fit(*few)
    network = _network(distortion=distortion)
    network.fit(few[0].reshape(-1, 8, 8), few[1])
    assert classifier.network_.to_bytes() == network.to_bytes()
    assert classifier.network_.to_bytes() != _classifier().fit(*few).network_.to_bytes()
    with pytest.raises(InvalidDataError, match=r"square number of features, .* got 63"):
        classifier.fit(few[0][:, 1:], few[1])


def test_a_committee_sees_pixels_or_fractions_of_square_images():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 144), dtype=np.uint8)
    labels = np.arange(40) % 3
    views = ("plain", "deslanted")
    for features in (pixels, pixels / 255):
        found = NeuralNetworkClassifier((8,), views=views, epochs=2, random_state=0)
        probabilities = found.fit(features, labels).predict_proba(features)
        expected = found.network_.predict_proba(features)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    with pytest.raises(InvalidDataError, match=r"X: expected floats in \[0, 1\]"):
        NeuralNetworkClassifier(views=views).fit(pixels / 255 - 0.5, labels)
    with pytest.raises(InvalidParameterError, match="not square"):
        NeuralNetworkClassifier(views=views).fit(pixels[:, 1:], labels)


def test_a_pickle_gives_the_same_to_the_bit(few):
    classifier = _classifier().fit(*few)
    again = pickle.loads(pickle.dumps(classifier))
    assert again.network_.to_bytes() == classifier.network_.to_bytes()
    assert again.predict_proba(few[0]).tobytes() == classifier.predict_proba(few[0]).tobytes()
    assert again.fit(*few).network_.to_bytes() == classifier.network_.to_bytes()


def test_tables_give_their_names_to_the_features(few):
    table = pa.table({"left": few[0][:, 2], "right": few[0][:, 5]})
    classifier = _classifier().fit(table, few[1])
    assert classifier.feature_names_in_.tolist() == ["left", "right"]
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict(table.rename_columns(["right", "left"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_layer_sizes": 30}, "hidden_layer_sizes: expected a sequence of integers >= 1"),
        ({"hidden_layer_sizes": (30, 0)}, r"hidden_layer_sizes: .* got \(30, 0\)"),
        ({"learning_rate": 0}, "learning_rate: expected a number > 0, got 0"),
        ({"activation": "identity"}, "activation: expected one of relu, sigmoid, tanh"),
        ({"distortion": 3}, "distortion: expected a Distortion or None, got 3"),
        ({"threads": 0}, "threads: expected an integer >= 1, got 0"),
    ],
)
def test_a_parameter_outside_its_domain_is_named_by_fit(changes, message, few):
    classifier = _classifier(**changes)
    with pytest.raises(InvalidParameterError, match=message):
        classifier.fit(*few)


def test_a_random_state_of_another_type_is_refused(few):
    with pytest.raises(ValueError, match="'seven' cannot be used to seed"):
        _classifier(random_state="seven").fit(*few)


def test_numbers_too_large_for_float32_are_refused(few):
    classifier = _classifier()
    with (
        pytest.raises(ValueError, match="too large for dtype"),
        pytest.warns(RuntimeWarning, match="overflow encountered in cast"),
    ):
        classifier.fit(few[0] * 1e300, few[1])


def test_after_a_training_that_diverged_it_is_not_fitted(few):
    classifier = _classifier(activation="relu", learning_rate=1e30)
    with pytest.raises(DivergedError, match="Try a smaller learning rate"):
        classifier.fit(few[0], few[1])
    with pytest.raises(NotFittedError):
        classifier.predict(few[0])


def test_the_example_shows_what_one_gets():
    result = doctest.testmod(nn.sklearn)
    assert result.attempted > 0
    assert result.failed == 0


def _python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_network_does_without_scikit_learn():
    found = _python("import sys, nn; print('sklearn' in sys.modules, 'nn.sklearn' in sys.modules)")
    assert found.stdout.split() == ["False", "False"], found.stderr


def test_where_scikit_learn_is_not_installed_the_extra_is_named():
    found = _python("import sys; sys.modules['sklearn'] = None; import nn.sklearn")
    assert found.returncode == 1
    *_, last = found.stderr.splitlines()
    assert last.startswith("ImportError: nn.sklearn needs scikit-learn")
    assert last.endswith('pip install ".[sklearn]" in a clone of digits')


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
def test_pixels_that_are_not_scaled_are_refused_with_the_way_to_scale_them(kind):
    """As ``fetch_openml`` returns them: a network learnt nothing from them, without a word."""
    x, y = load_digits(return_X_y=True)
    pixels = (x * (255 / 16)).astype(kind)
    with pytest.raises(ValueError, match=r"X: expected scaled features: X / 255 or .*to 255"):
        NeuralNetworkClassifier().fit(pixels, y)
    NeuralNetworkClassifier(epochs=1).fit(pixels[:100] / 255, y[:100])
    NeuralNetworkClassifier(epochs=1).fit(pixels[:100].astype(np.uint8), y[:100])


@pytest.mark.parametrize("features", [-100.0, 100.0, 1000.0])
def test_other_features_are_not_taken_for_pixels(features):
    """Negative numbers, percentages and large numbers may be anything."""
    x = np.linspace(0, features, 64, dtype=np.float32).reshape(4, 16)
    NeuralNetworkClassifier(epochs=1, learning_rate=1e-6).fit(x, [0, 1, 0, 1])


def test_the_defaults_learn_digits():
    x, y = load_digits(return_X_y=True)
    classifier = NeuralNetworkClassifier(random_state=0).fit(x[:1200] / 16, y[:1200])
    assert classifier.score(x[1200:] / 16, y[1200:]) > 0.9
