"""Temperature scaling and the calibration error."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_training import examples, network

from nn import InvalidDataError, NeuralNetwork, expected_calibration_error
from nn import weights as weights_format
from nn.calibration import best_temperature, probabilities
from nn.objectives import OUTPUTS

GRID = np.geomspace(0.1, 10, 100)

every_output = pytest.mark.parametrize("output", OUTPUTS)


def _examples_at(temperature, output="softmax", count=4000, seed=0):
    """Logits, and labels drawn from their probabilities at a temperature."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, (5, count)).astype(np.float32)
    cumulative = probabilities(z, output, temperature).cumsum(axis=0)
    labels = (rng.random(count) * cumulative[-1] > cumulative).sum(axis=0)
    return z, labels


def _loss(z, labels, output, temperature):
    """Of labels that may have become so improbable that float32 knows no smaller number."""
    a = probabilities(z, output, temperature).astype(np.float64)
    return -np.log(a[labels, np.arange(len(labels))] + np.finfo(np.float32).tiny).mean()


@every_output
def test_the_most_probable_label_is_that_of_the_largest_logit(output):
    """Also if every output of its own is too small for float32."""
    z = np.array([[-400.0, 30.0], [-300.0, 20.0], [-301.0, -90.0]], np.float32)
    a = probabilities(z, output, 1.0)
    assert a.argmax(axis=0).tolist() == [1, 0]
    assert a[2, 0] == pytest.approx(a[1, 0] / np.e, rel=1e-4)
    assert a.sum(axis=0) == pytest.approx(1)


@every_output
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_at_which_labels_were_drawn(temperature, output):
    z, labels = _examples_at(temperature, output)
    assert best_temperature(z, labels, output) == pytest.approx(temperature, rel=0.1)


@every_output
@settings(max_examples=25)
@given(
    temperature=st.floats(0.3, 4),
    count=st.integers(30, 200),
    seed=st.integers(0, 1000),
)
def test_no_temperature_of_a_grid_is_better(output, temperature, count, seed):
    z, labels = _examples_at(temperature, output, count, seed)
    found = best_temperature(z, labels, output)
    losses = [_loss(z, labels, output, other) for other in GRID]
    assert _loss(z, labels, output, found) <= min(losses) + 1e-5
    assert 0.1 <= found <= 10


def test_the_temperature_ends_where_certainty_has_no_end():
    """All of these are right, or all of them wrong."""
    z = np.array([[3.0, -3.0], [-3.0, 3.0]], np.float32)
    assert best_temperature(z, np.array([0, 1]), "softmax") < 0.3
    assert best_temperature(z, np.array([1, 0]), "softmax") == pytest.approx(10, rel=1e-3)


@every_output
@given(size=st.floats(1e-3, 1e4), temperature=st.floats(0.1, 10))
def test_probabilities_sum_to_one_and_keep_their_order(output, size, temperature):
    z = np.random.default_rng(0).uniform(-size, size, (6, 20)).astype(np.float32)
    a = probabilities(z, output, temperature)
    np.testing.assert_allclose(a.sum(axis=0), 1, rtol=1e-5)
    assert (a >= 0).all()
    chosen = np.take_along_axis(a, z.argmax(axis=0)[np.newaxis], axis=0)
    assert (chosen == a.max(axis=0)).all()


def test_a_temperature_divides_logits():
    z = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    expected = np.exp(z / 2.5) / np.exp(z / 2.5).sum(axis=0)
    np.testing.assert_allclose(probabilities(z, "softmax", 2.5), expected, rtol=1e-5)


# From here on, as a user meets it.


def _fitted(output, validation_data):
    sure = network(output=output, epochs=60, optimizer="momentum", learning_rate=0.1)
    return sure.fit(*examples(), validation_data)


def _hard_examples():
    images, labels = examples(60, seed=5)
    labels[::4] = (labels[::4] + 1) % 3
    return images, labels


@every_output
def test_fit_finds_the_temperature_that_suits_the_validation_data(output):
    """A quarter of these labels are wrong: no prediction deserves to be certain."""
    images, labels = _hard_examples()
    calibrated = _fitted(output, (images, labels))
    assert calibrated.temperature > 1.5

    def loss(temperature):
        other = NeuralNetwork.from_bytes(calibrated.to_bytes())
        other.temperature = temperature
        chosen = other.predict_proba(images)[np.arange(60), labels]
        return -np.log(chosen + np.finfo(np.float32).tiny).mean()

    assert loss(calibrated.temperature) <= min(map(loss, GRID[::4])) + 1e-5
    plain = expected_calibration_error(_fitted(output, None).predict_proba(images), labels)
    mended = expected_calibration_error(calibrated.predict_proba(images), labels)
    assert mended < plain / 2


@every_output
def test_the_temperature_changes_no_weight_and_no_prediction(output):
    calibrated, plain = _fitted(output, _hard_examples()), _fitted(output, None)
    assert plain.temperature == 1
    images, _ = examples(300, seed=9)
    assert (calibrated.weights[1] == plain.weights[1]).all()
    assert (calibrated.predict(images) == plain.predict(images)).all()
    ours = calibrated.predict_proba(images)
    assert (ours.argmax(axis=1) == plain.predict(images)).all()
    assert (ours != plain.predict_proba(images)).any()


def test_the_temperature_is_stored_with_the_weights():
    calibrated = _fitted("softmax", _hard_examples())
    again = NeuralNetwork.from_bytes(calibrated.to_bytes())
    assert again.temperature == calibrated.temperature
    images, _ = examples(20, seed=9)
    assert (again.predict_proba(images) == calibrated.predict_proba(images)).all()
    _, metadata = weights_format.read(calibrated.to_bytes())
    assert json.loads(metadata["temperature"]) == calibrated.temperature


def test_a_fit_without_validation_data_forgets_the_temperature():
    calibrated = _fitted("softmax", _hard_examples())
    told = []
    calibrated.fit(*examples(), on_epoch=lambda epoch: told.append(calibrated.temperature))
    assert calibrated.temperature == 1
    assert set(told) == {1.0}


# The measure.


@pytest.mark.parametrize(
    ("table", "labels", "bins", "expected"),
    [
        ([[1, 0], [0, 1]], [0, 1], 15, 0),
        ([[1, 0], [0, 1]], [1, 0], 15, 1),
        ([[0.8, 0.2], [0.8, 0.2]], [0, 0], 10, 0.2),
        # A bin with 0.9 and 1 of 1 right, one with 0.6 and 1 of 2: (1 * 0.1 + 2 * 0.1) / 3.
        ([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6]], [0, 0, 0], 10, 0.1),
        # In one bin, 0.7 in the mean and 2 of 3.
        ([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6]], [0, 0, 0], 1, 0.7 - 2 / 3),
        # Too certain and not certain enough in one bin make up for each other.
        ([[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.75, 0.25]], [0, 0, 0, 1], 5, 0),
        # An edge belongs to the bin below it: 0.5 and 0.4 share a bin of two, 0.6 has the other.
        ([[0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [0.6, 0.2, 0.2]], [0, 1, 0], 2, (0.1 + 0.4) / 3),
    ],
)
def test_calibration_error_of_examples_by_hand(table, labels, bins, expected):
    assert expected_calibration_error(table, labels, bins=bins) == pytest.approx(expected)


def test_calibration_error_of_labels_drawn_as_promised_is_small():
    z, labels = _examples_at(1.0, count=40_000)
    promised = probabilities(z, "softmax", 1.0).T
    assert expected_calibration_error(promised, labels) < 0.012
    too_certain = probabilities(z, "softmax", 0.4).T
    assert expected_calibration_error(too_certain, labels) > 0.1


@given(
    count=st.integers(1, 50),
    classes=st.integers(2, 6),
    bins=st.integers(1, 30),
    seed=st.integers(0, 1000),
)
def test_calibration_error_is_the_weighted_gap_of_every_bin(count, classes, bins, seed):
    """A fraction, which does not depend on the order of examples; summed up slowly here."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.ones(classes), count)
    labels = rng.integers(0, classes, count)
    confidence, right = table.max(axis=1), table.argmax(axis=1) == labels
    expected = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            gap = abs(confidence[inside].mean() - right[inside].mean())
            expected += gap * inside.sum() / count
    found = expected_calibration_error(table, labels, bins=bins)
    assert found == pytest.approx(expected, abs=1e-12)
    assert 0 <= found <= 1
    order = rng.permutation(count)
    again = expected_calibration_error(table[order], labels[order], bins=bins)
    assert again == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize(
    ("table", "labels", "name"),
    [
        (np.full((2, 3), 1 / 3), [0], "labels"),
        (np.full((2, 3), 1 / 3), [0, 3], "labels"),
        (np.full((2, 3), 1 / 3), [0.0, 1.0], "labels"),
        (np.zeros((0, 3)), np.zeros(0, int), "probabilities"),
        (np.ones(3), [0, 0, 0], "probabilities"),
        (np.full((2, 3), np.nan), [0, 1], "probabilities"),
        (np.full((2, 3), 3.0), [0, 1], "probabilities"),
    ],
)
def test_what_cannot_be_measured_is_one_clear_error(table, labels, name):
    with pytest.raises(InvalidDataError, match=f"^{name}: expected .*, got "):
        expected_calibration_error(table, labels)
