"""A training that was stopped resumes from its checkpoint as if it had not been stopped."""

import json

import numpy as np
import pytest
from small_training import RANDOM, examples, network, without_seconds

from nn import CheckpointError, Distortion, NeuralNetwork
from nn import weights as weights_format
from nn.optimizers import OPTIMIZERS


class StoppedError(Exception):
    """Stops a training early."""


def _stopper(number):
    def stop(epoch):
        if epoch.number == number:
            raise StoppedError

    return stop


# Adam stands for all with two processes: it has the most state, and workers start slowly.
@pytest.mark.parametrize(
    ("optimizer", "threads"), [*((name, 1) for name in OPTIMIZERS), ("adam", 2)]
)
def test_a_training_stopped_after_any_epoch_ends_as_if_it_never_was(
    optimizer, threads, small_trainings_share, tmp_path
):
    """To the byte, with everything random."""
    params = {**RANDOM, "optimizer": optimizer, "threads": threads}
    data = examples()
    whole = network(**params).fit(*data, examples(9))
    for last in range(1, whole.epochs + 1):
        checkpoint = tmp_path / f"after-{last}"
        with pytest.raises(StoppedError):
            network(**params).fit(
                *data, examples(9), checkpoint=checkpoint, on_epoch=_stopper(last)
            )
        told = []
        resumed = network(**params).fit(
            *data, examples(9), checkpoint=checkpoint, on_epoch=told.append
        )
        assert resumed.to_bytes() == whole.to_bytes()
        assert without_seconds(resumed.history) == without_seconds(whole.history)
        assert told == resumed.history[last:]


def test_a_training_may_be_stopped_again_and_again(tmp_path):
    data, checkpoint = examples(), tmp_path / "checkpoint"
    whole = network(**RANDOM).fit(*data)
    for last in (1, 2):
        with pytest.raises(StoppedError):
            network(**RANDOM).fit(*data, checkpoint=checkpoint, on_epoch=_stopper(last))
    resumed = network(**RANDOM).fit(*data, checkpoint=checkpoint)
    assert resumed.to_bytes() == whole.to_bytes()


def test_what_fit_chose_by_itself_is_in_the_checkpoint(
    small_trainings_share, monkeypatch, tmp_path
):
    """A training without a seed resumes with the seed it drew, and as many threads."""
    params = {**RANDOM, "seed": None, "threads": None}
    data, checkpoint = examples(), tmp_path / "checkpoint"
    monkeypatch.setattr("nn.fitting.available_cores", lambda: 2)
    with pytest.raises(StoppedError):
        network(**params).fit(*data, checkpoint=checkpoint, on_epoch=_stopper(2))
    monkeypatch.setattr("nn.fitting.available_cores", lambda: 1)
    resumed = network(**params).fit(*data, checkpoint=checkpoint)
    used = NeuralNetwork.from_bytes(resumed.to_bytes())
    assert used.threads == 2
    assert resumed.seed is None
    whole = network(**{**params, "seed": used.seed, "threads": 2}).fit(*data)
    assert resumed.to_bytes() == whole.to_bytes()


def test_a_network_too_small_for_its_threads_goes_on_as_well(tmp_path):
    data, checkpoint = examples(), tmp_path / "checkpoint"
    whole = network(threads=2).fit(*data, checkpoint=checkpoint)
    assert network(threads=2).fit(*data, checkpoint=checkpoint).to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_that_was_killed_ends_as_if_it_never_was(
    threads, start_training, small_trainings_share, tmp_path
):
    """Twice, by SIGKILL, when an epoch has ended."""
    checkpoint = tmp_path / "checkpoint"
    params = {"optimizer": "adam", "dropout": 0.3, "threads": threads, "epochs": 6}
    for point in ("epoch 2", "epoch 4"):
        # It waits there: where files are in memory, it would end before it is killed.
        training = start_training(point, checkpoint, **params)
        training.wait_for(point)
        training.kill()
        training.wait()
    told = []
    resumed = network(**params).fit(*examples(), checkpoint=checkpoint, on_epoch=told.append)
    assert resumed.to_bytes() == network(**params).fit(*examples()).to_bytes()
    assert [epoch.number for epoch in told] in ([4, 5, 6], [5, 6])


def test_a_file_is_whole_whenever_its_writer_is_killed(start_training, tmp_path):
    """It has a temporary name until all of it is on disk."""
    checkpoint = tmp_path / "checkpoint"
    writer = start_training("write 1", checkpoint)
    writer.wait_for("write 1")
    assert not checkpoint.exists()
    writer.kill()
    writer.wait()
    assert not checkpoint.exists()

    writer = start_training("write 2", checkpoint)
    writer.wait_for("epoch 1")
    kept = checkpoint.read_bytes()
    writer.wait_for("write 2")
    writer.kill()
    writer.wait()
    assert checkpoint.read_bytes() == kept
    told = []
    network().fit(*examples(), checkpoint=checkpoint, on_epoch=told.append)
    assert [epoch.number for epoch in told] == [2, 3]


def test_a_full_disk_leaves_the_last_whole_file_and_nothing_else(monkeypatch, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    kept = []

    def fill(epoch):
        kept.append(checkpoint.read_bytes())
        monkeypatch.setattr("os.fsync", _no_space)

    with pytest.raises(OSError, match="No space"):
        network().fit(*examples(), checkpoint=checkpoint, on_epoch=fill)
    assert [checkpoint.read_bytes()] == kept
    assert list(tmp_path.iterdir()) == [checkpoint]


def _no_space(descriptor):
    raise OSError(28, "No space left on device")


def test_a_finished_training_is_in_its_checkpoint(tmp_path):
    """Its directories are created; no epoch is trained or reported again."""
    checkpoint = tmp_path / "new" / "directory" / "checkpoint"
    first = network().fit(*examples(), examples(9), checkpoint=str(checkpoint))
    kept = checkpoint.read_bytes()
    again = network().fit(*examples(), examples(9), checkpoint=checkpoint, on_epoch=pytest.fail)
    assert again.to_bytes() == first.to_bytes()
    assert again.history == first.history
    assert checkpoint.read_bytes() == kept
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


@pytest.fixture
def checkpoint(tmp_path):
    """That of `network()`, trained on `examples()`."""
    path = tmp_path / "checkpoint"
    network().fit(*examples(), checkpoint=path)
    return path


@pytest.mark.parametrize(
    ("changes", "expected", "got"),
    [
        ({"epochs": 4}, "epochs 4", "3"),
        ({"sizes": (36, 9, 3)}, "sizes [36, 9, 3]", "[36, 8, 3]"),
        ({"optimizer": "adam"}, "optimizer 'adam'", "'sgd'"),
        ({"learning_rate": 0.25}, "learning_rate 0.25", "0.5"),
        ({"l2": 0.1}, "l2 0.1", "0.0"),
        ({"seed": 2}, "seed 2", "1"),
        ({"distortion": Distortion(shift=2)}, "distortion {'rotation': 15.0", "None"),
    ],
)
def test_a_checkpoint_of_other_parameters_is_refused(changes, expected, got, checkpoint):
    kept = checkpoint.read_bytes()
    with pytest.raises(CheckpointError) as raised:
        network(**changes).fit(*examples(), checkpoint=checkpoint)
    assert raised.value.path == checkpoint
    assert raised.value.expected.startswith(expected)
    assert raised.value.got == got
    assert str(checkpoint) in str(raised.value)
    assert checkpoint.read_bytes() == kept


def _other_pixel(images, labels):
    images[3, 2, 1] ^= 1
    return images, labels, None


def _other_label(images, labels):
    labels[3] = (labels[3] + 1) % 3
    return images, labels, None


def _fewer(images, labels):
    return images[:-1], labels[:-1], None


def _floats(images, labels):
    return images / 255, labels, None


def _other_shape(images, labels):
    return images.reshape(len(images), 4, 9), labels, None


def _other_validation_data(images, labels):
    return images, labels, examples(9)


@pytest.mark.parametrize(
    "change", [_other_pixel, _other_label, _fewer, _floats, _other_shape, _other_validation_data]
)
def test_a_checkpoint_of_other_data_is_refused(change, checkpoint):
    with pytest.raises(CheckpointError, match=r"with data \w{64}, got \w{64}\."):
        network().fit(*change(*examples()), checkpoint=checkpoint)


def _weights(data):
    return network(epochs=1).fit(*examples()).to_bytes()


def _of_another_version(data):
    tensors, metadata = weights_format.read(data)
    return weights_format.write(tensors, metadata | {"format_version": "7"})


def _with(**changes):
    """Change the metadata; None leaves a part out."""

    def change(data):
        tensors, metadata = weights_format.read(data)
        metadata = {k: v for k, v in (metadata | changes).items() if v is not None}
        return weights_format.write(tensors, metadata)

    return change


def _without_state(data):
    tensors, metadata = weights_format.read(data)
    return weights_format.write({"parameters": tensors["parameters"][:-1]}, metadata)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_with(params="{"), "with params as JSON, a dict, got '{'"),
        (_with(params="[]"), r"with params as JSON, a dict, got '\[\]'"),
        (_with(params=None), "with params as JSON, a dict, got ''"),
        (_with(params="{}"), r"with sizes \[36, 8, 3\], got None"),
        (_with(data=None), r"with data \w{64}, got None"),
        (_with(history="7"), "with history as JSON, a list, got '7'"),
        (_with(history='[{"number": 1}]'), "with a history of epochs, got something else"),
        (_with(history="[7]"), "with a history of epochs, got something else"),
        (_without_state, "with parameters of shape"),
        (lambda data: b"", "expected .* the state of a training, got not a safetensors file"),
        (lambda data: b"PK\x03\x04" * 30, "the state of a training, got not a safetensors file"),
        (lambda data: data[:-1], "the state of a training, got not a safetensors file"),
        (_weights, "with format digits-training, got digits-network"),
        (_of_another_version, "with format_version 1, got 7"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_and_kept(change, message, checkpoint):
    data = change(checkpoint.read_bytes())
    checkpoint.write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        network().fit(*examples(), checkpoint=checkpoint)
    assert checkpoint.read_bytes() == data


def test_a_checkpoint_is_safetensors_and_holds_no_code(checkpoint):
    tensors, metadata = weights_format.read(checkpoint.read_bytes())
    fitted = network().fit(*examples())
    weights = np.concatenate([w.ravel() for w in fitted.weights] + fitted.biases)
    assert (tensors["parameters"] == weights).all()
    assert [epoch["number"] for epoch in json.loads(metadata["history"])] == [1, 2, 3]


def test_bad_data_is_told_before_a_checkpoint_is_looked_at(checkpoint):
    with pytest.raises(ValueError, match=r"^labels: "):
        network().fit(examples()[0], np.zeros(3, int), checkpoint=checkpoint)
