"""The parameters of a network, each within its domain."""

import inspect
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn import Distortion, InvalidParameterError, NeuralNetwork, Style
from nn.activations import ACTIVATIONS
from nn.initializers import INITIALIZERS
from nn.objectives import LOSSES, OUTPUTS
from nn.optimizers import OPTIMIZERS
from nn.schedules import SCHEDULES

NOT_NUMBERS = [float("nan"), float("inf"), "much", None, True, 1j]
NOT_WHOLE = [0.5, "many", True, float("nan")]

OUTSIDE = {
    "sizes": [
        (784,),
        (),
        (784, 0, 10),
        (784, 2.5, 10),
        (784, True, 10),
        (784, -1),
        784,
        "ab",
        None,
    ],
    "views": [(), "plain", ("plain", "sideways"), [1], None, ("plain", ["plain"])],
    "activation": ["swish", ["relu"], None, "Relu"],
    "output": ["linear", 1],
    "loss": ["hinge", None],
    "initializer": ["zeros", ()],
    "optimizer": ["rmsprop", None],
    "learning_rate": [0, -0.1, *NOT_NUMBERS],
    "schedule": ["linear", None],
    "warmup_epochs": [-1, *NOT_NUMBERS],
    "batch_size": [0, -1, None, *NOT_WHOLE],
    "epochs": [0, -1, None, *NOT_WHOLE],
    "l2": [-0.1, *NOT_NUMBERS],
    "dropout": [-0.1, 1, 1.5, *NOT_NUMBERS],
    "label_smoothing": [-0.1, 1, *NOT_NUMBERS],
    "skipping": [-0.1, 1, *NOT_NUMBERS],
    "distortion": [True, "strong", {"rotation": 1}, 0],
    "style": [True, "european", {"bar": 1}, 0],
    "seed": [-1, *NOT_WHOLE],
    "threads": [0, -1, *NOT_WHOLE],
}

_DATA = (np.random.default_rng(0).random((9, 4)), np.arange(9) % 2)


def _small(**changes):
    return NeuralNetwork(**{"sizes": (4, 5, 2), "epochs": 1, "seed": 1, **changes})


def test_every_parameter_has_a_domain():
    names = set(inspect.signature(NeuralNetwork).parameters)
    assert names == set(OUTSIDE) == set(NeuralNetwork().get_params())


@pytest.mark.parametrize(
    ("parameter", "value"),
    [(parameter, value) for parameter, values in OUTSIDE.items() for value in values],
)
def test_a_parameter_outside_its_domain_is_named(parameter, value):
    with pytest.raises(InvalidParameterError, match=f"^{parameter}: expected .*, got ") as raised:
        NeuralNetwork(**{parameter: value})
    assert raised.value.name == parameter
    assert raised.value.got is value
    assert repr(value) in str(raised.value)
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [(parameter, value) for parameter, values in OUTSIDE.items() for value in values],
)
def test_a_parameter_assigned_outside_its_domain_is_named_by_fit(parameter, value):
    """Nothing is trained: an earlier fit stays as it is."""
    network = _small().fit(*_DATA)
    before, history = network.to_bytes(), network.history
    setattr(network, parameter, value)
    with pytest.raises(InvalidParameterError, match=f"^{parameter}: expected .*, got ") as raised:
        network.fit(*_DATA)
    assert raised.value.name == parameter
    assert network.to_bytes() == before
    assert network.history is history


@pytest.mark.parametrize("assigned", [{"activation": "tanh"}, {"epochs": 3}, {"sizes": (4, 3, 2)}])
def test_an_assigned_parameter_counts_from_the_next_fit(assigned):
    """Until then predictions, accuracy and bytes are those of the last one."""
    network = _small().fit(*_DATA)
    before, probabilities = network.to_bytes(), network.predict_proba(_DATA[0])
    for name, value in assigned.items():
        setattr(network, name, value)
    assert network.to_bytes() == before
    assert (network.predict_proba(_DATA[0]) == probabilities).all()
    assert network.validate(*_DATA) == _small().fit(*_DATA).validate(*_DATA)
    expected = NeuralNetwork.from_params(_small().get_params() | assigned).fit(*_DATA).to_bytes()
    assert network.fit(*_DATA).to_bytes() == expected != before


def test_a_parameter_assigned_while_training_does_not_change_that_training():
    network = _small(epochs=3)

    def spoil(epoch):
        network.learning_rate = -1
        network.epochs = 1

    network.fit(*_DATA, on_epoch=spoil)
    assert network.to_bytes() == _small(epochs=3).fit(*_DATA).to_bytes()


@pytest.mark.parametrize(
    ("parameter", "choices"),
    [
        ("activation", ACTIVATIONS),
        ("output", OUTPUTS),
        ("loss", LOSSES),
        ("initializer", INITIALIZERS),
        ("optimizer", OPTIMIZERS),
        ("schedule", SCHEDULES),
    ],
)
def test_a_word_that_is_not_known_is_answered_with_those_that_are(parameter, choices):
    with pytest.raises(InvalidParameterError) as raised:
        NeuralNetwork(**{parameter: "unheard of"})
    assert raised.value.expected == "one of " + ", ".join(sorted(choices))
    for choice in choices:
        assert getattr(NeuralNetwork(**{parameter: choice}), parameter) == choice


def test_only_sizes_go_without_their_name():
    with pytest.raises(TypeError):
        NeuralNetwork((784, 10), "relu")
    with pytest.raises(TypeError, match="hidden"):
        NeuralNetwork(hidden=3)


HYPERPARAMETERS = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.integers(1, 1000), min_size=2, max_size=5),
        "activation": st.sampled_from(sorted(ACTIVATIONS)),
        "output": st.sampled_from(sorted(OUTPUTS)),
        "loss": st.sampled_from(LOSSES),
        "initializer": st.sampled_from(sorted(INITIALIZERS)),
        "optimizer": st.sampled_from(sorted(OPTIMIZERS)),
        "learning_rate": st.floats(0, 1e9, exclude_min=True) | st.just(np.float32(0.25)),
        "schedule": st.sampled_from(sorted(SCHEDULES)),
        "warmup_epochs": st.floats(0, 10) | st.integers(0, 5),
        "batch_size": st.integers(1, 10_000) | st.just(np.int64(7)),
        "epochs": st.integers(1, 1000) | st.just(np.uint8(9)),
        "l2": st.floats(0, 100),
        "dropout": st.floats(0, 1, exclude_max=True),
        "label_smoothing": st.floats(0, 1, exclude_max=True),
        "skipping": st.floats(0, 1, exclude_max=True),
        "distortion": st.none()
        | st.builds(Distortion, rotation=st.floats(0, 90) | st.just(np.float32(2)))
        | st.builds(Distortion, shift=st.integers(0, 9) | st.just(np.int64(3))),
        "style": st.none() | st.builds(Style, bar=st.floats(0, 1) | st.just(np.float32(0.5))),
        "seed": st.none() | st.integers(0, 2**128),
        "threads": st.none() | st.integers(1, 64),
    }
)


@given(HYPERPARAMETERS)
def test_params_pass_through_json_and_make_an_equal_network(params):
    """Numbers may be of any type."""
    network = NeuralNetwork(**params)
    told = json.loads(json.dumps(network.get_params()))
    assert told == network.get_params()
    again = NeuralNetwork.from_params(told)
    assert again.get_params() == network.get_params()
    assert (again.distortion, again.style) == (network.distortion, network.style)
    for name, value in params.items():
        assert getattr(network, name) == (tuple(value) if name == "sizes" else value)


@given(HYPERPARAMETERS)
def test_repr_makes_an_equal_network(params):
    network = NeuralNetwork(**params)
    names = {"NeuralNetwork": NeuralNetwork, "Distortion": Distortion, "Style": Style}
    again = eval(repr(network), names)
    assert again.get_params() == network.get_params()


def test_what_is_not_told_has_its_default():
    assert NeuralNetwork.from_params({"sizes": [4, 2]}).get_params() == {
        **NeuralNetwork().get_params(),
        "sizes": [4, 2],
    }
