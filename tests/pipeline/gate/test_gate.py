"""The gate: each check passes at its threshold, fails beyond it, and names the digit."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from nn import NeuralNetwork
from pipeline.data.splits import training_and_validation
from pipeline.errors import SettingsError
from pipeline.gate import judging
from pipeline.gate.checks import at_least
from pipeline.gate.judging import judge, share_of_lost
from pipeline.gate.panels import Panel, PanelEvaluation, PanelResult
from pipeline.jobs.ingestion import ingest
from pipeline.metrics.evaluation import Evaluation, evaluate
from pipeline.metrics.novelty import NoveltyScore
from pipeline.settings import Thresholds, load_settings
from registry import ModelVersion

LENIENT = Thresholds(
    min_accuracy=0,
    min_recall=0,
    max_calibration_error=1,
    max_calibration_error_of_digit=1,
    margin=1,
    significance=0,
    max_milliseconds_per_image=1000,
)


def _network(seed=0, epochs=4):
    return NeuralNetwork((784, 30, 10), seed=seed, epochs=epochs)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    from mnist_sample import DIRECTORY, SAMPLE

    from pipeline.settings import Settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.data.mnist.MNIST", SAMPLE)
        home = tmp_path_factory.mktemp("home")
        return ingest(settings=Settings(home=home, mirrors=(str(DIRECTORY),)))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The weights of a network that knows some of the digits."""
    from pipeline.data import parquet

    examples = parquet.read(data.train.path, data.train.split)
    indices, _ = training_and_validation(examples.labels)
    network = _network(epochs=30).fit(examples.images[indices], examples.labels[indices])
    path = tmp_path_factory.mktemp("weights") / "candidate.safetensors"
    path.write_bytes(network.to_bytes())
    return path


def _judged(data, path, thresholds, champion=None, blobs="", labelled=None):
    return judge(data, labelled, path, champion, blobs, thresholds)


def _check(verdict, name):
    (check,) = (check for check in verdict.checks if check.name == name)
    return check


def test_a_first_candidate_is_only_held_against_thresholds(data, trained):
    verdict = _judged(data, trained, LENIENT)
    names = [check.name for check in verdict.checks]
    assert verdict.passed
    assert names[0] == "validation_accuracy"
    assert {n for n in names if not n.rstrip("0123456789").endswith("_of_")} == {
        "validation_accuracy",
        "validation_calibration_error",
        "milliseconds_per_image",
    }
    assert len(names) == 5
    assert (verdict.champion, verdict.validation.champion, verdict.held_out) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "threshold", "lowest"),
    [
        ("validation_accuracy", "min_accuracy", True),
        ("validation_calibration_error", "max_calibration_error", False),
    ],
)
def test_a_check_passes_at_its_threshold_and_fails_beyond(data, trained, name, threshold, lowest):
    figure = _check(_judged(data, trained, LENIENT), name).figure
    beyond = math.nextafter(figure, math.inf if lowest else -math.inf)
    assert _judged(data, trained, LENIENT.model_copy(update={threshold: figure})).passed
    verdict = _judged(data, trained, LENIENT.model_copy(update={threshold: beyond}))
    assert [check.name for check in verdict.checks if not check.passed] == [name]
    assert verdict.reason.startswith(f"{name} ")


@pytest.mark.parametrize(
    ("prefix", "threshold"),
    [("recall_of_", "min_recall"), ("calibration_error_of_", "max_calibration_error_of_digit")],
)
def test_the_digits_that_fail_are_named(data, trained, prefix, threshold):
    """If all pass, only the closest is named; if some fail, each of them is named."""
    lenient = _judged(data, trained, LENIENT)
    (nearest,) = (check for check in lenient.checks if check.name.startswith(prefix))
    strict = 1.0 if prefix == "recall_of_" else 0.0
    verdict = _judged(data, trained, LENIENT.model_copy(update={threshold: strict}))
    failed = {c.name: c.figure for c in verdict.checks if not c.passed}
    recall = lenient.validation.candidate.recall
    if prefix == "recall_of_":
        expected = {f"{prefix}{d}": r for d, r in enumerate(recall) if r is not None and r < 1}
        assert failed == expected
    assert failed[nearest.name] == nearest.figure
    assert nearest.figure == (min if strict else max)(failed.values())


def test_digits_that_the_novelty_score_would_lose_are_counted(data, trained, tmp_path):
    """By a score that answers alike for all: either all digits are lost, or none is."""
    network = NeuralNetwork.from_bytes(trained.read_bytes())
    one, hidden = np.ones(1, np.float32), network.sizes[-2]
    for calibrated, lost in ((2, 0.0), (0, 1.0)):
        score = NoveltyScore(
            scale=np.ones(hidden, np.float32),
            weights=np.zeros((1, hidden), np.float32),
            biases=one,
            output=one,
            calibration=np.full(200, calibrated, np.float32),
        )
        score.attach(network)
        path = tmp_path / "candidate.safetensors"
        path.write_bytes(network.to_bytes())
        check = _check(_judged(data, path, LENIENT), "lost_digits")
        assert check.figure == pytest.approx(lost, abs=0.15)
        assert check.threshold == LENIENT.max_lost_digits
        assert check.passed == (lost == 0)


def test_a_few_lost_digits_prove_nothing():
    """Three of 43 reviewed images are no reason to refuse a candidate; 300 of 4,300 are one."""
    assert share_of_lost(3, 43) < Thresholds().max_lost_digits < share_of_lost(300, 4300)
    assert share_of_lost(0, 43) == 0


def test_confused_labels_of_a_digit_show_in_its_calibration_error():
    """Recall stays 1, but the mean probability of the digit drops."""
    labels = np.repeat(np.arange(10), 50).astype(np.uint8)
    probabilities = np.full((500, 10), 0.001, np.float32)
    probabilities[np.arange(500), labels] = 0.991
    probabilities[labels == 7] = 0.0125
    probabilities[labels == 7, 7] = 0.8875
    images = np.zeros((500, 28, 28), np.uint8)
    evaluation = evaluate(probabilities, images, labels, str)
    result = PanelResult(
        Panel(images, labels, str), (probabilities,), PanelEvaluation(evaluation, None)
    )
    checks = list(judging._absolute_checks(result, Thresholds()))
    failed = [check.name for check in checks if not check.passed]
    assert failed == ["calibration_error_of_7"]


def _version(network, blobs, number=1):
    from datetime import UTC, datetime

    from registry import open_blobs

    data = network.to_bytes()
    sha256 = open_blobs(str(blobs)).put(data)
    empty: dict = {}
    return ModelVersion(
        "mnist", number, "ready", sha256, len(data), empty, empty, empty, empty, empty, (), (),
        None, None, None, datetime.now(UTC), None,
    )  # fmt: skip


def test_a_candidate_is_held_against_the_champion_on_the_same_images(data, trained, tmp_path):
    good = NeuralNetwork.load(trained)
    poor = _network(epochs=1).fit(np.zeros((10, 784), np.uint8), np.arange(10))
    (tmp_path / "poor").write_bytes(poor.to_bytes())
    strict = LENIENT.model_copy(update={"margin": 0.002, "significance": 0.05})

    beaten = _judged(data, tmp_path / "poor", strict, _version(good, tmp_path), str(tmp_path))
    assert {check.name for check in beaten.checks if not check.passed} == {
        "accuracy_above_champion",
        "mcnemar_p",
    }
    better = _judged(data, trained, strict, _version(poor, tmp_path), str(tmp_path))
    assert better.passed
    assert better.champion == "mnist/1"
    evaluation = better.validation
    difference = (
        evaluation.champion.wrong - evaluation.candidate.wrong
    ) / evaluation.champion.images
    assert difference > 0.3
    assert _check(better, "accuracy_above_champion").figure == difference
    assert f"({difference:+.4f} against mnist/1)" in better.summary
    same = _judged(data, trained, strict, _version(good, tmp_path), str(tmp_path))
    assert same.passed
    assert _check(same, "mcnemar_p").figure == 1


@pytest.mark.parametrize(("wrong", "passed"), [(57, True), (58, False)])
def test_a_candidate_may_be_worse_by_the_whole_margin(wrong, passed):
    """Not by what is left of 0.9886 - 0.9906 + 0.002 in floating point, which is below 0."""

    def evaluation(wrong):
        return Evaluation((), (), bytes(wrong) + b"\1" * (5_000 - wrong))

    panels = PanelEvaluation(evaluation(wrong), evaluation(47))
    check = at_least("accuracy_above_champion", panels.change, -Thresholds().margin).record
    assert check.passed == passed
    assert str(check) == (
        "accuracy_above_champion -0.0020 ≥ -0.0020"
        if passed
        else "accuracy_above_champion -0.0022 < -0.0020"
    )


def test_the_thresholds_come_from_the_environment(home, monkeypatch):
    assert load_settings().gate == Thresholds()
    monkeypatch.setenv("DIGITS_GATE__MIN_RECALL", "0.95")
    assert load_settings().gate == Thresholds(min_recall=0.95)
    monkeypatch.setenv("DIGITS_GATE__MARGIN", "2")
    with pytest.raises(SettingsError, match=r"^DIGITS_GATE__MARGIN: .*less than or equal to 1"):
        load_settings()
    monkeypatch.delenv("DIGITS_GATE__MARGIN")
    monkeypatch.setenv("DIGITS_GATE__MARGE", "0.1")
    with pytest.raises(SettingsError, match=r"^DIGITS_GATE__MARGE: "):
        load_settings()


def test_a_threshold_outside_its_domain_is_refused():
    with pytest.raises(ValidationError):
        Thresholds(max_milliseconds_per_image=0)
    with pytest.raises(ValidationError):
        Thresholds(min_recall=float("nan"))
