"""Retraining as a plain function, on the sample of MNIST."""

import json
import os
import signal
import time

import numpy as np
import pytest
from mnist_sample import SAMPLE

from nn import DivergedError, NeuralNetwork, expected_calibration_error
from pipeline import open_registry, parquet, retrain, training
from pipeline.errors import NoSourceLeftError, SettingsError
from pipeline.gate import judge
from pipeline.ingestion import ingest
from pipeline.splits import training_and_validation
from pipeline.training import PRESETS
from registry import NotFoundError

pytestmark = pytest.mark.usefixtures("sources")


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """The network of the quick preset, for fewer epochs."""
    monkeypatch.setitem(PRESETS, "quick", {**PRESETS["quick"], "epochs": 4})


def _retrain(**changes):
    return retrain(**{"preset": "quick", "min_accuracy": 0.3, **changes})


def _files(directory):
    return {path for path in directory.rglob("*") if path.is_file()}


def test_a_retraining_ends_with_a_verified_champion(home):
    done = _retrain()
    assert done.outcome == "promoted"
    assert done.verdict.passed
    assert (done.version.reference, done.version.aliases) == ("mnist/1", ("champion",))
    with open_registry() as registry:
        version = registry.get("mnist@champion")
        network = NeuralNetwork.from_bytes(registry.load("mnist@champion"))
    assert version == done.version
    assert version.run_id == done.run_id
    assert version.inputs["train_images"] == SAMPLE.train.images.sha256
    assert version.params["preset"] == "quick"
    assert version.params["sizes"] == list(PRESETS["quick"]["sizes"])
    assert network.get_params()["epochs"] == 4


def test_the_figures_are_those_of_the_weights(home):
    """Recomputed from the registered bytes, on the split and the test set themselves."""
    version = _retrain().version
    data = ingest()
    with open_registry() as registry:
        network = NeuralNetwork.from_bytes(registry.load(version.reference))
    train = parquet.read(data.train.path, SAMPLE.train)
    test = parquet.read(data.test.path, SAMPLE.test)
    _, validation = training_and_validation(train.labels)
    assert version.metrics["validation_accuracy"] == network.validate(
        train.images[validation], train.labels[validation]
    )
    assert version.metrics["test_accuracy"] == network.validate(test.images, test.labels)
    assert version.metrics["test_calibration_error"] == expected_calibration_error(
        network.predict_proba(test.images), test.labels
    )
    assert network.temperature != 1


def test_equal_seeds_give_equal_weights_and_each_run_its_version(home):
    first, second, other = _retrain(), _retrain(), _retrain(seed=1)
    assert first.version.sha256 == second.version.sha256 != other.version.sha256
    assert [r.version.number for r in (first, second, other)] == [1, 2, 3]
    assert len(_files(home / "blobs")) == 2


def test_a_refusal_registers_nothing_and_keeps_the_champion_and_the_reason(home):
    champion = _retrain().version
    before = _files(home / "blobs")
    done = _retrain(min_accuracy=0.99, seed=1)
    assert (done.outcome, done.version) == ("refused", None)
    assert not done.verdict.passed
    accuracy = done.candidate.metrics["validation_accuracy"]
    assert done.verdict.reason == f"validation_accuracy {accuracy:.4f} < 0.9900"
    with open_registry() as registry:
        assert registry.versions() == [champion]
        assert registry.get("mnist@champion") == champion
    assert _files(home / "blobs") == before
    record = json.loads(done.record.read_text())
    assert record["outcome"] == "refused"
    assert record["version"] is None
    assert record["gate"] == [
        {
            "name": "validation_accuracy",
            "figure": accuracy,
            "threshold": 0.99,
            "passed": False,
        }
    ]
    assert record["metrics"] == done.candidate.metrics


def test_without_promotion_the_champion_stays(home):
    _retrain()
    done = _retrain(promote=False)
    assert (done.outcome, done.version.reference, done.version.aliases) == (
        "registered",
        "mnist/2",
        (),
    )
    with open_registry() as registry:
        assert registry.get("mnist@champion").number == 1


def test_a_first_retraining_without_promotion_makes_no_champion(home):
    _retrain(promote=False)
    with open_registry() as registry, pytest.raises(NotFoundError):
        registry.get("mnist@champion")


def test_the_record_names_the_version_and_nothing_else_is_left_of_a_run(home):
    done = _retrain()
    assert json.loads(done.record.read_text())["version"] == "mnist/1"
    assert _files(home / "runs") == {done.record}


def test_a_training_that_was_stopped_goes_on_where_it_was(home, monkeypatch):
    """In the next retraining with this preset and seed, to the same bytes."""
    undisturbed = _retrain().version.sha256
    told = []

    def stop(_what, done, _of, *_remark):
        told.append(done)
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "report", stop)
    with pytest.raises(KeyboardInterrupt):
        _retrain()
    assert told == [0, 1, 2]
    assert [path.name for path in _files(home / "checkpoints")] == ["quick-0.safetensors"]

    told.clear()
    monkeypatch.setattr(training, "report", lambda _what, done, *_: told.append(done))
    assert _retrain().version.sha256 == undisturbed
    assert told == [0, 3, 4]
    assert not _files(home / "checkpoints")


@pytest.mark.parametrize("found", ["garbage", "another learning rate"])
def test_the_state_of_another_training_is_replaced(home, monkeypatch, caplog, found):
    undisturbed = _retrain().version.sha256
    checkpoint = home / "checkpoints" / "quick-0.safetensors"
    if found == "garbage":
        checkpoint.write_bytes(b"garbage")
    else:
        network = NeuralNetwork(**{**PRESETS["quick"], "learning_rate": 0.2}, seed=0)
        network.fit(np.zeros((10, 784)), np.arange(10), checkpoint=checkpoint)
    with caplog.at_level("WARNING"):
        assert _retrain().version.sha256 == undisturbed
    assert "Starting from the beginning" in caplog.text
    assert "expected a checkpoint of this training" in caplog.text


def test_a_run_repeated_under_its_name_registers_nothing_twice(home):
    for _ in range(2):
        assert _retrain(run_id="night-1").version.number == 1
    with open_registry() as registry:
        assert len(registry.versions()) == 1


def test_a_training_that_diverges_registers_nothing(home, monkeypatch):
    monkeypatch.setitem(PRESETS, "quick", {**PRESETS["quick"], "learning_rate": 1e30})
    with pytest.raises(DivergedError):
        _retrain()
    assert not (home / "registry.db").exists()
    assert not (home / "runs").exists()


def test_without_a_source_nothing_is_registered(home, monkeypatch, tmp_path):
    monkeypatch.setenv("DIGITS_MIRRORS", str(tmp_path / "gone"))
    with pytest.raises(NoSourceLeftError):
        _retrain()
    assert not (home / "registry.db").exists()


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("preset", "fast"), ("min_accuracy", 97), ("min_accuracy", -0.1), ("seed", -1)],
)
def test_a_parameter_outside_its_domain_is_told_before_any_work(home, parameter, value):
    with pytest.raises(SettingsError, match=f"^{parameter}: expected .*, got "):
        _retrain(**{parameter: value})
    assert not home.exists()


def test_the_gate_passes_at_its_threshold_and_looks_at_validation_only():
    assert judge({"validation_accuracy": 0.97, "test_accuracy": 0.1}, 0.97).passed
    assert not judge({"validation_accuracy": 0.9699, "test_accuracy": 1.0}, 0.97).passed


@pytest.mark.parametrize("delay", [0.0, 0.25, 0.5, 0.75, 0.9, 0.97])
def test_a_retraining_killed_at_any_time_leaves_a_whole_registry(
    home, start_digits, digits_apart, delay
):
    """`delay` is the share of an undisturbed run's time after which `kill -9` comes."""
    command = ("retrain", "--preset", "quick", "--min-accuracy", "0.3", "--direct")
    started = time.monotonic()
    assert digits_apart(*command).status == 0
    whole = time.monotonic() - started

    process = start_digits(*command)
    time.sleep(whole * delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    _every_version_has_its_weights()
    ended = digits_apart(*command)
    assert ended.status == 0, ended.err
    versions = _every_version_has_its_weights()
    assert versions[0].aliases == ("champion",)
    assert versions[0].sha256 == versions[-1].sha256
    assert len(versions) in (2, 3)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("stage", ["download", "convert", "train", "judge", "register"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_retraining_killed_around_any_stage_can_be_run_again(home, stage, when):
    def run(function, /, *args, **kwargs):
        named = function.__name__ == stage
        if named and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if named:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    child = os.fork()
    if not child:
        try:
            _retrain(run=run)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])

    registered = (stage, when) == ("register", "after")
    assert len(_every_version_has_its_weights()) == registered
    assert _retrain().version.number == 1 + registered
    assert _every_version_has_its_weights()[0].aliases == ("champion",)


def _every_version_has_its_weights():
    with open_registry() as registry:
        versions = registry.versions()
        for version in versions:
            NeuralNetwork.from_bytes(registry.load(version.reference))
    return versions
