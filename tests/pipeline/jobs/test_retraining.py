"""Retraining as a plain function, on the sample of MNIST."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import pytest
from mnist_sample import SAMPLE
from processes import until
from stage_runners import around

from nn import DivergedError, NeuralNetwork, expected_calibration_error
from pipeline import files, open_registry, retrain
from pipeline.data import parquet
from pipeline.data.splits import training_and_validation
from pipeline.errors import InvalidParameterError, NoMirrorLeftError
from pipeline.images.encoding import png
from pipeline.jobs.ingestion import ingest
from pipeline.settings import load_settings
from pipeline.training import lineage, training
from pipeline.training.outcome import Refused, Unchanged
from pipeline.training.presets import PRESETS
from registry import DamagedBlobError, MissingBlobError, NotFoundError

pytestmark = pytest.mark.usefixtures("sources", "brief_training")

COMMAND = ("retrain", "--preset", "quick", "--min-accuracy", "0.3", "--direct")


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
    first, second, other = _retrain(), _retrain(force=True), _retrain(seed=1)
    assert first.version.sha256 == second.version.sha256 != other.version.sha256
    assert [r.version.number for r in (first, second, other)] == [1, 2, 3]
    assert len(_files(home / "blobs" / "sha256")) == 2


def test_a_refusal_registers_nothing_and_keeps_the_champion_and_the_reason(home, retrained):
    before = _files(home / "blobs")
    done = _retrain(min_accuracy=0.99, seed=1)
    assert isinstance(done, Refused)
    assert not done.verdict.passed
    accuracy = done.candidate.metrics["validation_accuracy"]
    assert done.verdict.reason == f"validation_accuracy {accuracy:.4f} < 0.9900"
    with open_registry() as registry:
        assert registry.versions() == [retrained]
        assert registry.get("mnist@champion") == retrained
        event = registry.history("mnist")[0]
    assert _files(home / "blobs") == before
    assert event.kind == "refused"
    told = event.details["candidate"]
    assert (told["sha256"], told["parent"]) == (done.candidate.sha256, "mnist/1")
    assert told["inputs"] == done.candidate.inputs
    assert told["params"]["gate"]["min_accuracy"] == 0.99
    record = json.loads((done.directory / "record.json").read_text())
    assert (record["outcome"], record["version"]) == ("refused", None)
    assert record["gate"] == told["gate"] == [asdict(check) for check in done.verdict.checks]
    assert record["gate"][0] == {
        "name": "validation_accuracy",
        "figure": accuracy,
        "threshold": 0.99,
        "passed": False,
    }
    assert record["metrics"] == done.candidate.metrics


def test_without_promotion_the_champion_stays(retrained):
    done = _retrain(promote=False, seed=1)
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
    assert json.loads((done.directory / "record.json").read_text())["version"] == "mnist/1"
    assert _files(home / "runs") == {
        done.directory / name for name in ("record.json", "report.html")
    }


def _stopped_after_two_epochs(monkeypatch, **changes):
    """A retraining that is stopped; return where it left its state."""
    told = []

    def stop(_what, done, _of, *_remark):
        told.append(done)
        if done == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "report", stop)
        with pytest.raises(KeyboardInterrupt):
            _retrain(**changes)
    assert told == [0, 1, 2]
    (work,) = (path for path in load_settings().unfinished.iterdir() if path.is_dir())
    return work


def test_a_training_that_was_stopped_goes_on_where_it_was(home, monkeypatch):
    """In the next retraining of the same, to the same bytes, as the same run."""
    undisturbed = _retrain(seed=3, promote=False).version.sha256
    work = _stopped_after_two_epochs(monkeypatch, seed=3, run_id="night-1")

    told = []
    monkeypatch.setattr(training, "report", lambda _what, done, *_: told.append(done))
    version = _retrain(seed=3, run_id="night-2").version
    assert version.sha256 == undisturbed
    assert version.run_id == "night-1"
    assert told == [0, 3, 4]
    assert not work.exists()


def test_a_stricter_gate_does_not_train_again_and_is_another_run(home, monkeypatch):
    work = _stopped_after_two_epochs(monkeypatch, run_id="night-1")
    done = _retrain(min_accuracy=1.0, run_id="night-2")
    assert (done.outcome, done.run_id) == ("refused", "night-2")
    assert not work.exists()


@pytest.mark.parametrize("found", ["garbage", "another learning rate"])
def test_the_state_of_another_training_is_replaced(home, monkeypatch, caplog, found):
    undisturbed = _retrain(promote=False).version.sha256
    checkpoint = _stopped_after_two_epochs(monkeypatch) / "checkpoint.safetensors"
    checkpoint.write_bytes(b"garbage")
    if found != "garbage":
        checkpoint.unlink()
        network = NeuralNetwork(**{**PRESETS["quick"], "learning_rate": 0.2}, seed=0)
        network.fit(np.zeros((10, 784)), np.arange(10), checkpoint=checkpoint)
    with caplog.at_level("WARNING"):
        assert _retrain().version.sha256 == undisturbed
    assert "Training starts from the beginning" in caplog.text
    assert "expected a checkpoint of this training" in caplog.text


def test_what_nobody_asked_for_again_is_swept_after_a_week(home, monkeypatch):
    work = _stopped_after_two_epochs(monkeypatch)
    _retrain(seed=1)
    assert work.exists()
    week_ago = time.time() - 8 * 24 * 3600
    os.utime(work, (week_ago, week_ago))
    _retrain(seed=2)
    assert not work.exists()


def test_a_retraining_of_the_same_is_unchanged(retrained):
    again = _retrain()
    assert (again.outcome, again.version) == ("unchanged", retrained)
    assert isinstance(again, Unchanged)
    with open_registry() as registry:
        assert len(registry.history("mnist")) == 2
    assert _retrain(force=True).version.number == 2


def test_a_version_that_was_taken_back_is_not_trained_again(home):
    """The next night does not undo a rollback."""
    _retrain(seed=1)
    _retrain()
    with open_registry() as registry:
        registry.rollback("mnist")
    again = _retrain()
    assert (again.outcome, again.version.number) == ("unchanged", 1)
    assert again.reason.startswith("mnist/2, made of the same inputs")
    assert _retrain(force=True).version.number == 3
    # What was overtaken, not taken back, may be tried again.
    assert _retrain(seed=1).version.number == 4


def test_what_was_refused_is_not_trained_again_against_the_same_champion(retrained):
    assert _retrain(seed=1, min_accuracy=1.0).outcome == "refused"
    again = _retrain(seed=1, min_accuracy=1.0)
    assert again.outcome == "unchanged"
    assert "was refused on 20" in again.reason
    _retrain(seed=2)
    assert _retrain(seed=1, min_accuracy=1.0).outcome == "refused"


@pytest.mark.parametrize("changed", ["seed", "gate", "code", "preset", "inputs"])
def test_whatever_is_changed_is_trained_on(retrained, monkeypatch, tmp_path, changed):
    parameters = {}
    if changed == "seed":
        parameters = {"seed": 1}
    elif changed == "gate":
        parameters = {"min_accuracy": 0.2}
    elif changed == "code":
        monkeypatch.setattr(lineage, "code_version", lambda: "0.1.0+of-tomorrow")
    elif changed == "preset":
        monkeypatch.setitem(PRESETS, "quick", {**PRESETS["quick"], "learning_rate": 0.11})
    else:
        _own_images(tmp_path / "own")
        parameters = {"labelled": str(tmp_path / "own")}
    assert _retrain(**parameters).version.number == 2


def _own_images(directory, count=30):
    """Images of each digit, of lines that are nobody else's."""
    rng = np.random.default_rng(0)
    for n in range(count):
        image = np.zeros((28, 28), np.uint8)
        image[4:24, 8:20] = rng.integers(0, 2, (20, 12)) * 255
        path = directory / str(n % 10) / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))


def test_own_images_join_and_are_on_record(home, tmp_path):
    _own_images(tmp_path / "own")
    done = _retrain(labelled=tmp_path / "own")
    collection = done.labelled
    assert collection.training + collection.held_out == 30
    assert collection.held_out > 0
    assert done.version.inputs["labelled"] == collection.reference.sha256
    assert done.verdict.held_out.candidate.images == collection.held_out
    assert done.version.metrics["held_out_accuracy"] == done.verdict.held_out.candidate.accuracy
    assert done.version.sha256 != _retrain(promote=False).version.sha256
    assert _retrain(labelled=tmp_path / "own").outcome == "unchanged"


@pytest.mark.parametrize(("used", "given"), [(9, 9), (12, 25), (0, 30)])
def test_labels_that_are_of_no_use_stop_a_retraining(retrained, digits, tmp_path, used, given):
    """It would end as unchanged or promoted, as if all were well."""
    own = tmp_path / "own"
    _own_images(own, given)
    for number in range(used, given):
        (own / str(number % 10) / f"{number}.png").write_bytes(b"no image")
    ended = digits(*COMMAND, "--labelled", own)
    assert ended.status == 2
    assert f"Error: {own}: expected at least 10 labelled images" in ended.err
    assert f"got {used} of {given}" in ended.err
    assert used == given or f"(left out: {given - used} not an image)" in ended.err
    with open_registry() as registry:
        assert len(registry.versions()) == 1


def test_labels_that_name_no_file_count_as_left_out(retrained, digits, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    _own_images(own / "all", 30)
    for number, path in enumerate(sorted((own / "all").rglob("*.png"))):
        path.rename(own / f"{number}.png")
    names = [f"{number}.png" if number < 12 else f"own/{number}.png" for number in range(30)]
    table = "".join(f"{name},{number % 10}\n" for number, name in enumerate(names))
    (own / "labels.csv").write_text("path,label\n" + table)
    ended = digits(*COMMAND, "--labelled", own)
    assert ended.status == 2
    assert "got 12 of 30 (left out: 18 cannot be opened)" in ended.err


def test_the_terminal_says_every_time_what_own_images_were_used(retrained, digits, tmp_path):
    own = tmp_path / "own"
    _own_images(own)
    (own / "0" / "again.png").write_bytes((own / "0" / "0.png").read_bytes())
    (own / "0" / "text.png").write_bytes(b"no image")
    first = digits(*COMMAND, "--labelled", own)
    again = digits(*COMMAND, "--labelled", own)
    assert "unchanged" in again.out
    for ended in (first, again):
        assert ended.status == 0
        line = next(line for line in ended.out.splitlines() if "own images" in line)
        assert "held out, 1 duplicate file; left out: 1 not an image" in line


def test_beside_another_retraining_one_leaves_if_it_is_to(home, digits, monkeypatch):
    monkeypatch.setenv("DIGITS_WHEN_BUSY", "leave")
    with files.locked(load_settings().unfinished):
        ended = digits(*COMMAND)
    assert ended.status == 1
    assert ended.err.startswith("Error: Another retraining runs under ")


def test_of_two_retrainings_at_once_one_waits(home, caplog):
    """The lock is that of an open file, so a thread waits as another process does."""
    with ThreadPoolExecutor(1) as pool, files.locked(load_settings().unfinished):
        other = pool.submit(_retrain)
        until(lambda: "Waiting: another retraining runs" in caplog.text or other.done())
        with pytest.raises(TimeoutError):
            other.result(0.5)
    assert other.result().outcome == "promoted"


def test_who_moves_the_champion_meanwhile_is_not_overruled(retrained, caplog):
    def run(stage, *args, **kwargs):
        result = stage(*args, **kwargs)
        if stage.__name__ == "register":
            with open_registry() as registry:
                registry.set_alias("mnist", "champion", 1)
        return result

    with around(run):
        done = _retrain(seed=1)
    assert (done.outcome, done.version.reference) == ("registered", "mnist/2")
    assert "mnist/2 was not promoted: mnist@champion was expected at" in caplog.text
    with open_registry() as registry:
        assert registry.get("mnist@champion").number == 1


def test_a_protected_champion_is_not_moved_but_proposed(retrained, caplog):
    with open_registry() as registry:
        registry.protect("mnist", "champion")
    done = _retrain(seed=1)
    assert (done.outcome, done.version.reference) == ("registered", "mnist/2")
    assert "mnist/2 is proposed: mnist@champion is protected and needs 1" in caplog.text
    with open_registry() as registry:
        assert registry.get("mnist@champion").number == 1
        [proposal] = registry.proposals("mnist")
    assert proposal.version == "mnist/2"
    assert proposal.reason.startswith("seed 1 instead of 0; validation accuracy 0.")


def test_a_run_repeated_under_its_name_registers_nothing_twice(home):
    for _ in range(2):
        assert _retrain(run_id="night-1").version.number == 1
    with open_registry() as registry:
        assert len(registry.versions()) == 1


def test_a_training_that_diverges_registers_nothing(home, monkeypatch):
    monkeypatch.setitem(PRESETS, "quick", {**PRESETS["quick"], "learning_rate": 1e30})
    with pytest.raises(DivergedError):
        _retrain()
    with open_registry() as registry:
        assert registry.versions() == []
    assert not (home / "runs").exists()


def test_without_a_source_nothing_is_registered(home, monkeypatch, tmp_path):
    monkeypatch.setenv("DIGITS_MIRRORS", str(tmp_path / "gone"))
    with pytest.raises(NoMirrorLeftError):
        _retrain()
    with open_registry() as registry:
        assert registry.versions() == []
        assert [run.outcome for run in registry.job_runs.read()] == ["failed"]
        assert [message.kind for message in registry.messages.read()] == ["job.failed"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("preset", "fast"), ("min_accuracy", 97), ("min_accuracy", -0.1), ("seed", -1)],
)
def test_a_parameter_outside_its_domain_is_told_before_any_work(home, parameter, value):
    with pytest.raises(InvalidParameterError, match=f"^{parameter}: expected .*, got "):
        _retrain(**{parameter: value})
    assert not home.exists()


STAGES = (
    "download",
    "convert",
    "find_champion",
    "train",
    "judge",
    "register",
    "promote_version",
    "conclude",
)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("when", "stage"),
    [
        *[("before", stage) for stage in STAGES],
        # Before the next stage, the directories are the same.
        *[pytest.param("after", stage, marks=pytest.mark.long) for stage in STAGES[:-1]],
        ("after", STAGES[-1]),
    ],
)
def test_a_retraining_killed_around_any_stage_goes_on(home, stage, when):
    """It trains once, registers once, and promotes once."""

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
            with around(run):
                _retrain()
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])

    _every_version_has_its_weights()
    trained = STAGES.index(stage) + (when == "after") > STAGES.index("train")
    with pytest.MonkeyPatch.context() as patch:
        if trained:
            patch.setattr(NeuralNetwork, "fit", None)
        done = _retrain()
    assert done.version.number == 1
    assert done.outcome == ("unchanged" if (stage, when) == ("conclude", "after") else "promoted")
    assert _every_version_has_its_weights()[0].aliases == ("champion",)
    with open_registry() as registry:
        kinds = [event.kind for event in registry.history("mnist")]
    assert kinds == ["alias_moved", "registered"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refusal_killed_is_told_once(home, when):
    def run(function, /, *args, **kwargs):
        if function.__name__ == "refuse" and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if function.__name__ == "refuse":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    child = os.fork()
    if not child:
        try:
            with around(run):
                _retrain(min_accuracy=1.0)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert _retrain(min_accuracy=1.0).outcome == "refused"
    with open_registry() as registry:
        assert [event.kind for event in registry.history("mnist")] == ["refused"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_while_it_tidies_up_it_was_done(home):
    """What is half removed is not gone on with, under another name of the run."""

    def remove_half(directory):
        (directory / "run.json").unlink()
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        files.shutil.rmtree = remove_half
        try:
            _retrain()
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])

    assert _retrain().outcome == "unchanged"
    assert [path.name for path in load_settings().unfinished.iterdir()] == [".lock"]


def _every_version_has_its_weights():
    with open_registry() as registry:
        versions = registry.versions()
        for version in versions:
            NeuralNetwork.from_bytes(registry.load(version.reference))
    return versions


def test_missing_weights_of_the_champion_are_said_before_the_training(home, monkeypatch):
    """The gate could not compare with them: an hour of training would end in an error."""
    first = _retrain().version
    path = home / "blobs" / "sha256" / first.sha256[:2] / first.sha256
    path.unlink()
    monkeypatch.setattr(training, "train", lambda *_args, **_kwargs: pytest.fail("it trained"))
    with pytest.raises(MissingBlobError, match=first.sha256):
        _retrain(seed=2)
    path.write_bytes(b"others")
    with pytest.raises(DamagedBlobError):
        _retrain(seed=2, force=True)
