"""Every scored batch is a row of the registry."""

import json
from pathlib import Path

import mnist_sample
import pytest
from mnist_sample import SAMPLE

from pipeline import open_registry, score
from pipeline.images.encoding import png
from pipeline.jobs.inbox import score_inbox

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)


@pytest.fixture
def directory(tmp_path):
    """Ten images with labels, and a file that is no image."""
    directory = tmp_path / "images"
    directory.mkdir()
    for number in range(10):
        (directory / f"{number}.png").write_bytes(png(IMAGES[number]))
    lines = [f"{number}.png,{LABELS[number]}" for number in range(4)]
    (directory / "labels.csv").write_text("\n".join(["path,label", *lines]))
    (directory / "empty.png").touch()
    return directory


def _batches():
    with open_registry() as registry:
        return registry.batches()


def test_a_scoring_is_recorded(version, directory, tmp_path):
    done = score(directory, tmp_path / "out")
    (batch,) = _batches()
    counts = done.counts
    assert (batch.version, batch.sha256) == ("mnist/1", version.sha256)
    assert batch.inputs == (str(directory),)
    assert batch.output == str(tmp_path / "out")
    assert (batch.files, batch.predicted, sum(batch.failures.values())) == (11, 10, 1)
    assert batch.digits == tuple(counts.digits)
    assert batch.histogram == tuple(counts.histogram)
    assert sum(batch.labels.labelled) == counts.labelled == 4
    assert sum(batch.labels.correct) == counts.correct
    assert batch.confidence == pytest.approx(counts.confidence.sum() / 10)
    assert batch.estimate.low <= batch.confidence == batch.estimate.accuracy <= batch.estimate.high
    assert [(d.what, d.index) for d in batch.drift] == [(d.what, d.index) for d in done.drift]
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["seconds"] == batch.seconds


def test_the_same_scoring_is_recorded_once(version, directory, tmp_path, monkeypatch):
    """Relative or absolute, finished before or not."""
    score(directory, tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    score(directory.name, Path("out"))
    assert len(_batches()) == 1
    score(directory, tmp_path / "out", ink="dark")
    score(directory, tmp_path / "other")
    (directory / "empty.png").unlink()
    score(directory, tmp_path / "other")
    assert [batch.files for batch in _batches()] == [10, 11, 11, 11]


def test_a_batch_without_a_prediction_has_no_estimate(version, tmp_path):
    (tmp_path / "empty.png").touch()
    score(tmp_path / "empty.png", tmp_path / "out")
    (batch,) = _batches()
    assert (batch.files, batch.predicted, batch.confidence, batch.estimate) == (1, 0, None, None)


def test_a_batch_of_the_inbox_is_recorded(version, directory, tmp_path):
    (done,) = score_inbox(directory, tmp_path / "outbox", settle=0)
    (batch,) = _batches()
    assert batch.output == str(done.path.parent)
    assert batch.files == 11


def test_a_registry_that_can_only_be_read_fails_no_scoring(
    version, directory, tmp_path, monkeypatch, caplog
):
    # Root may write everything, so the file is only declared to be read-only.
    monkeypatch.setattr("registry.databases.sqlite.is_read_only", lambda _path: True)
    done = score(directory, tmp_path / "out")
    assert done.counts.predicted == 10
    assert "The batch is not recorded in the registry" in caplog.text
    monkeypatch.undo()
    monkeypatch.setenv("DIGITS_HOME", str(tmp_path / "home"))
    assert _batches() == []
    score(directory, tmp_path / "out")
    assert len(_batches()) == 1
