"""The steps of a training, and its record of every epoch."""

import dataclasses

import numpy as np
import pytest
from small_training import EXAMPLES, RANDOM, examples, network, untrained, without_seconds

from nn import DivergedError, Epoch, NeuralNetwork
from nn.activations import ACTIVATIONS
from nn.backpropagation import Backpropagation
from nn.batches import Batches
from nn.hyperparameters import Hyperparameters
from nn.member import Member
from nn.objectives import OBJECTIVES, targets
from nn.optimizers import OPTIMIZERS
from nn.parameters import Parameters
from nn.schedules import learning_rate


def _layers(fitted):
    return [*fitted.weights[1:], *fitted.biases[1:]]


def _assert_equal(fitted, expected, **tolerances):
    for ours, theirs in zip(_layers(fitted), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, **{"rtol": 1e-4, "atol": 1e-6, **tolerances})


def _gradient(like, images, labels):
    """That of the mean loss, in float64; `test_gradients` holds it against differences."""
    vector = np.concatenate([values.ravel() for values in _layers(like)], dtype=np.float64)
    parameters = Parameters(like.sizes, vector)
    gradient = Parameters(like.sizes, np.zeros_like(parameters.vector))
    backpropagation = Backpropagation(
        parameters,
        gradient,
        ACTIVATIONS[like.activation],
        OBJECTIVES[like.output, like.loss],
        len(labels),
    )
    x = images.reshape(len(images), -1) / 255
    y = targets(labels, like.sizes[-1]).astype(np.float64)
    z = np.empty_like(y)
    backpropagation.backpropagate_deltas(0, x, y, z, np.random.default_rng(0))
    backpropagation.accumulate_gradients(0, x)
    return [*gradient.weights[1:], *gradient.biases[1:]]


def test_a_step_goes_down_the_gradient_of_the_mean():
    """Of the examples there are: here fewer than would make a batch."""
    images, labels = examples(5)
    one_step = network(epochs=1, batch_size=16, learning_rate=0.3)
    start = untrained(one_step, images, labels)
    gradient = _gradient(start, images, labels)
    one_step.fit(images, labels)
    _assert_equal(one_step, [w - 0.3 * g for w, g in zip(_layers(start), gradient, strict=True)])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_short_last_batch_weighs_what_it_should(optimizer):
    """Of equal examples, a batch of two moves as far as one of three, and one of one."""
    images, labels = (np.repeat(values[:1], 5, axis=0) for values in examples())
    common = {"optimizer": optimizer, "learning_rate": 0.05, "epochs": 3}
    short = network(batch_size=3, **common).fit(images, labels)
    even = network(batch_size=1, **common).fit(images[:2], labels[:2])
    _assert_equal(short, _layers(even))
    assert np.abs(short.weights[1] - untrained(short, images, labels).weights[1]).max() > 0.01


def test_l2_decays_weights_as_the_book_has_it():
    """Each step takes (1 - rate lambda / n) w first, whatever the batch; biases do not decay."""
    images, labels = (np.repeat(values[:1], 6, axis=0) for values in examples())
    common = {"batch_size": 3, "epochs": 1, "learning_rate": 0.5}
    decayed = network(l2=0.9, **common).fit(images, labels)
    expected = _layers(untrained(network(), images, labels))
    for _ in range(2):
        at = network()
        at.fit(images[:1], labels[:1])
        for ours, value in zip(_layers(at), expected, strict=True):
            ours[...] = value
        gradient = _gradient(at, images[:1], labels[:1])
        expected = [
            w * (1 - 0.5 * 0.9 / 6 * (w.ndim == 2)) - 0.5 * g
            for w, g in zip(expected, gradient, strict=True)
        ]
    _assert_equal(decayed, expected)


def test_figures_are_means_over_examples_and_not_over_batches():
    """If no step changes a weight, they are those of the network; the last batch is short."""
    images, labels = examples()
    still = network(learning_rate=1e-30, epochs=2).fit(images, labels, (images, labels))
    for epoch in still.history:
        assert epoch.loss == pytest.approx(epoch.validation_loss, rel=1e-6)
        assert epoch.accuracy == epoch.validation_accuracy
    assert 0 < still.history[0].accuracy < 1


def test_validation_figures_are_those_after_the_epoch_without_dropout_or_smoothing():
    data, held_out = examples(), examples(20, seed=3)
    fitted = network(**RANDOM).fit(*data, held_out)
    assert fitted.history[-1].validation_accuracy == fitted.validate(*held_out)
    fitted.temperature = 1.0
    chosen = fitted.predict_proba(held_out[0])[np.arange(20), held_out[1]]
    assert fitted.history[-1].validation_loss == pytest.approx(-np.log(chosen).mean(), rel=1e-5)


def test_history_has_a_record_for_each_epoch():
    """The very records that `on_epoch` is called with, as their epochs end."""
    told = []
    fitted = network(epochs=4, schedule="cosine", warmup_epochs=1, learning_rate=0.4)
    fitted.fit(*examples(), examples(10), on_epoch=told.append)
    assert fitted.history == told
    assert [epoch.number for epoch in told] == [1, 2, 3, 4]
    # Three batches an epoch: the rate is that of the last of them.
    rates = [learning_rate(0.4, "cosine", step, 12, 3) for step in (2, 5, 8, 11)]
    assert [epoch.learning_rate for epoch in told] == rates
    assert all(epoch.seconds > 0 for epoch in told)
    with pytest.raises(dataclasses.FrozenInstanceError):
        told[0].loss = 0.0


def test_without_validation_data_there_are_no_validation_figures():
    epoch = network(epochs=1).fit(*examples()).history[0]
    assert isinstance(epoch, Epoch)
    assert epoch.validation_loss is None
    assert epoch.validation_accuracy is None


def test_a_network_may_be_asked_in_mid_training():
    """Predictions are those after each epoch, and do not change the training."""
    images, labels = examples()
    answers = []
    asked = network(**RANDOM)
    asked.fit(images, labels, on_epoch=lambda epoch: answers.append(asked.predict_proba(images)))
    assert len(np.unique(answers, axis=0)) == 3
    assert asked.to_bytes() == network(**RANDOM).fit(images, labels).to_bytes()
    assert (answers[-1] == asked.predict_proba(images)).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_divergence_names_epoch_batch_and_learning_rate(threads, small_trainings_share):
    """The first step throws the weights out, so that the second batch has no finite loss."""
    rate = 1e30
    network_ = network(
        activation="relu", learning_rate=rate, warmup_epochs=1, epochs=2, threads=threads
    )
    at = learning_rate(rate, "constant", 1, 6, 3)
    with pytest.raises(
        DivergedError, match=r"in epoch 1, batch 2, at learning rate 5e\+29"
    ) as raised:
        network_.fit(*examples())
    assert (raised.value.epoch, raised.value.batch, raised.value.learning_rate) == (1, 2, at)
    assert network_.history == []


def test_divergence_is_found_in_the_epoch_and_batch_where_it_happens(monkeypatch):
    """A loss that is not finite for one example is enough."""

    def rate(member, step, usual=Member.learning_rate):
        return 1e32 if step >= 2 * member.steps_per_epoch else usual(member, step)

    monkeypatch.setattr(Member, "learning_rate", rate)
    victim = network(epochs=3, batch_size=8, activation="relu")
    with pytest.raises(DivergedError) as raised:
        victim.fit(*examples(40))
    assert (raised.value.epoch, raised.value.batch) == (3, 2)
    assert [epoch.number for epoch in victim.history] == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"dropout": 0.5},
        {"label_smoothing": 0.2},
        {"skipping": 0.5},
        {"distortion": RANDOM["distortion"]},
        {"style": RANDOM["style"]},
        {"schedule": "cosine"},
        {"warmup_epochs": 1},
        {"l2": 1.0},
        {"optimizer": "adam"},
        {"initializer": "he"},
        {"seed": 2},
        {"batch_size": 7},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_parameter_of_a_training_makes_a_difference(change):
    data = examples()
    assert (network(**change).fit(*data).weights[1] != network().fit(*data).weights[1]).any()


@pytest.mark.parametrize("threads", [1, 2])
def test_each_epoch_takes_every_example_once_in_an_order_of_its_own(
    threads, small_trainings_share, monkeypatch
):
    """Which the seed decides, and nothing else that is drawn at random."""
    orders = []

    def noted(batches, order, generators, progress, call=Batches.__call__):
        orders.append(order)
        return call(batches, order, generators, progress)

    monkeypatch.setattr(Batches, "__call__", noted)
    for params in ({}, {**RANDOM, "skipping": 0.0}, {"seed": 2}):
        network(**params, threads=threads).fit(*examples())
    assert all((np.sort(order) == np.arange(EXAMPLES)).all() for order in orders)
    first, randomly, otherwise = orders[:3], orders[3:6], orders[6:]
    assert all((one == other).all() for one, other in zip(first, randomly, strict=True))
    assert len({order.tobytes() for order in first + otherwise}) == 6


def test_dropout_is_for_training_alone():
    """A fitted network leaves nothing out: it gives the same answer every time."""
    images, labels = examples()
    fitted = network(dropout=0.5).fit(images, labels)
    kept = NeuralNetwork.from_params(fitted.get_params() | {"dropout": 0.0})
    kept.fit(images, labels)
    for ours, theirs in zip(_layers(kept), _layers(fitted), strict=True):
        ours[...] = theirs
    assert (kept.predict_proba(images) == fitted.predict_proba(images)).all()


def test_hyperparameters_are_all_told_of():
    """A training that is begun from them elsewhere is the same."""
    names = {field.name for field in dataclasses.fields(Hyperparameters)}
    assert set(network(**RANDOM).get_params()) == names
    again = NeuralNetwork.from_params(network(**RANDOM).get_params())
    assert again.get_params() == network(**RANDOM).get_params()
    data = examples()
    first, second = again.fit(*data), network(**RANDOM).fit(*data)
    assert first.to_bytes() == second.to_bytes()
    assert without_seconds(first.history) == without_seconds(second.history)
