"""Weights as bytes."""

import errno
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from nn import Distortion, NeuralNetwork, WeightsError
from nn import weights as weights_format


def _fitted(**changes):
    rng = np.random.default_rng(0)
    network = NeuralNetwork(
        **{"sizes": (6, 5, 3), "activation": "tanh", "epochs": 1, "seed": 4, **changes}
    )
    return network.fit(rng.random((9, 6)), rng.integers(0, 3, 9))


FITTED = _fitted()
DATA = FITTED.to_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"output": "sigmoid", "loss": "quadratic", "l2": 0.5},
        {
            "optimizer": "adam",
            "schedule": "cosine",
            "warmup_epochs": 0.5,
            "dropout": 0.1,
            "label_smoothing": 0.1,
            "skipping": 0.5,
        },
    ],
)
def test_what_was_saved_is_what_is_loaded(changes):
    """Sizes, activation and every other parameter included; predictions to the bit."""
    network = _fitted(**changes)
    again = NeuralNetwork.from_bytes(network.to_bytes())
    x = np.random.default_rng(1).random((7, 6))
    # The threads that were used stand where it was left open how many.
    assert again.get_params() == network.get_params() | {"threads": 1}
    assert (again.predict_proba(x) == network.predict_proba(x)).all()
    assert again.to_bytes() == network.to_bytes()


def test_distortion_is_saved_as_well():
    rng = np.random.default_rng(0)
    network = NeuralNetwork((16, 3), epochs=1, seed=1, distortion=Distortion(shift=2, sigma=4))
    network.fit(rng.random((9, 16)), rng.integers(0, 3, 9))
    assert NeuralNetwork.from_bytes(network.to_bytes()).distortion == network.distortion


def test_files_hold_the_same_bytes(tmp_path):
    FITTED.save(tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").read_bytes() == DATA
    assert NeuralNetwork.load(tmp_path / "weights.safetensors").to_bytes() == DATA


def test_a_full_disk_leaves_the_file_that_was_there(monkeypatch, tmp_path):
    path = tmp_path / "weights.safetensors"
    FITTED.save(path)

    def write_half(self, data, write=Path.write_bytes):
        write(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(OSError, match="No space"):
        _fitted(seed=5).save(path)
    assert NeuralNetwork.load(path).to_bytes() == DATA
    assert list(tmp_path.iterdir()) == [path]


def test_the_library_reads_them():
    tensors = safetensors.numpy.load(DATA)
    assert set(tensors) == {"weights.1", "biases.1", "weights.2", "biases.2"}
    for layer in (1, 2):
        assert (tensors[f"weights.{layer}"] == FITTED.weights[layer]).all()
        assert (tensors[f"biases.{layer}"] == FITTED.biases[layer]).all()


def test_equal_content_gives_equal_bytes_in_whatever_order_it_comes():
    tensors = {"b": np.ones(2, np.float32), "a": np.zeros((2, 3), np.float32)}
    metadata = {"y": "1", "x": "2"}
    backwards = dict(reversed(tensors.items())), dict(reversed(metadata.items()))
    assert weights_format.write(tensors, metadata) == weights_format.write(*backwards)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_weights_are_refused(data):
    with pytest.raises(WeightsError):
        NeuralNetwork.from_bytes(data)


@given(st.integers(0, len(DATA) - 1))
def test_truncated_weights_are_refused(length):
    with pytest.raises(WeightsError):
        NeuralNetwork.from_bytes(DATA[:length])


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_changed_byte_gives_a_whole_network_or_is_refused(position, change):
    """Which of the two is for the format; that the bytes are the right ones, for a digest."""
    changed = bytearray(DATA)
    changed[position] ^= change
    try:
        network = NeuralNetwork.from_bytes(bytes(changed))
    except WeightsError:
        return
    shapes = [w.shape for w in network.weights[1:]]
    assert shapes == list(zip(network.sizes[1:], network.sizes[:-1], strict=True))
    assert all(np.isfinite(values).all() for values in network.weights + network.biases)


def test_a_pickle_is_refused_unread():
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("the pickle was read",)

    with pytest.raises(WeightsError):
        NeuralNetwork.from_bytes(pickle.dumps(Bomb()))


def _changed(tensors=(), **metadata):
    kept, written = weights_format.read(DATA)
    return weights_format.write({**kept, **dict(tensors)}, {**written, **metadata})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_changed(format="other"), "expected the format 'digits-network', got 'other'"),
        (
            _changed(format_version="5"),
            "expected format version 1, 2, 3, 4, got 5; a newer release",
        ),
        (_changed(params="{"), "parameters cannot be read"),
        (_changed(params="[]"), "parameters cannot be read"),
        (_changed(params="[" * 100_000), "parameters cannot be read"),
        (_changed(params="7"), "parameters cannot be read"),
        (_changed(params=json.dumps({"sizes": [6, 5]})), "require tensors"),
        (_changed(params=json.dumps({"sizes": [6, -5, 3]})), "parameters cannot be read"),
        (
            _changed(params=json.dumps({"sizes": [6, 5, 3], "depth": 2})),
            "parameters cannot be read",
        ),
        (_changed(params=json.dumps({"distortion": {"bend": 1}})), "parameters cannot be read"),
        (_changed(params=json.dumps({"distortion": [1]})), "parameters cannot be read"),
        (_changed(temperature="warm"), "parameters cannot be read"),
        (_changed(temperature="nan"), "parameters cannot be read"),
        (_changed(temperature="0"), "parameters cannot be read"),
        (_changed({"extra": np.zeros(1, np.float32)}), "require tensors"),
        (_changed({"biases.1": np.zeros(6, np.float32)}), "require tensors"),
        (_changed({"biases.1": np.full(5, np.inf, np.float32)}), "not finite"),
        (safetensors.numpy.save({"a": np.zeros(2, np.int64)}), "expected F32"),
        (safetensors.numpy.save({"a": np.zeros(2, np.float32)}), "expected the format"),
    ],
)
def test_weights_that_contradict_themselves_are_refused(data, reason):
    with pytest.raises(WeightsError, match=reason):
        NeuralNetwork.from_bytes(data)


def _of_version_1(**params):
    """As the first release wrote them: no temperature, and these parameters alone."""
    params = {
        "sizes": [6, 5, 3],
        "activation": "tanh",
        "output": "softmax",
        "loss": "cross_entropy",
        "initializer": "scaled",
        "learning_rate": 0.5,
        "batch_size": 10,
        "epochs": 1,
        "l2": 0.0,
        "seed": 4,
        **params,
    }
    metadata = {"format": "digits-network", "format_version": "1", "params": json.dumps(params)}
    return weights_format.write(weights_format.read(DATA)[0], metadata)


def test_weights_of_version_1_still_open():
    """Parameters that version lacks have their defaults."""
    network = NeuralNetwork.from_bytes(_of_version_1(l2=0.25))
    x = np.random.default_rng(1).random((7, 6))
    assert (network.predict_proba(x) == FITTED.predict_proba(x)).all()
    assert network.temperature == 1
    assert network.l2 == 0.25
    assert network.activation == "tanh"
    assert network.optimizer == "sgd"
    assert network.schedule == "constant"
    assert network.dropout == network.label_smoothing == network.warmup_epochs == 0
    assert network.distortion is None


def test_weights_of_version_1_become_those_of_version_2_when_written_again():
    again = NeuralNetwork.from_bytes(NeuralNetwork.from_bytes(_of_version_1()).to_bytes())
    assert (again.weights[1] == FITTED.weights[1]).all()
    _, metadata = weights_format.read(again.to_bytes())
    assert metadata["format_version"] == "2"
    assert metadata["temperature"] == "1.0"


def test_attached_tensors_are_kept_with_the_weights_and_change_no_prediction():
    network = NeuralNetwork.from_bytes(DATA)
    network.attached["score.of"] = np.arange(6, dtype=np.float32).reshape(2, 3)
    again = NeuralNetwork.from_bytes(network.to_bytes())
    assert list(again.attached) == ["score.of"]
    assert (again.attached["score.of"] == network.attached["score.of"]).all()
    images = np.random.default_rng(0).random((9, network.sizes[0]), np.float32)
    assert (again.predict_proba(images) == FITTED.predict_proba(images)).all()
    assert again.to_bytes() == network.to_bytes()
    again.attached.clear()
    assert again.to_bytes() == DATA


def test_the_layer_before_the_last_gives_the_probabilities():
    images = np.random.default_rng(0).random((9, FITTED.sizes[0]), np.float32)
    probabilities, hidden = FITTED.predict_with_hidden(images)
    assert (probabilities == FITTED.predict_proba(images)).all()
    assert hidden.shape == (9, FITTED.sizes[-2])
    logits = hidden @ FITTED.weights[-1].T + FITTED.biases[-1].ravel()
    assert (logits.argmax(axis=1) == probabilities.argmax(axis=1)).all()
