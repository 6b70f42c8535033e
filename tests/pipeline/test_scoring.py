"""Scoring real files with a registered version."""

import csv
import os
import shutil

import cv2
import mnist_sample
import numpy as np
import pyarrow.parquet as pq
import pytest
from mnist_sample import SAMPLE

from nn import NeuralNetwork
from pipeline import open_registry, sample, score
from pipeline.errors import InputError, OutputError, SettingsError
from pipeline.images import UnreadableImageError, png, read_image
from pipeline.scoring import SCHEMA
from pipeline.stages import directly
from registry import Check, DamagedBlobError, InvalidArgumentError, NotFoundError

PASSED = (Check("validation_accuracy", 0.98, 0.97, passed=True),)

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)


@pytest.fixture(scope="module")
def networks():
    images, labels = mnist_sample.arrays(SAMPLE.train)
    return [
        NeuralNetwork((784, 20, 10), epochs=3, seed=seed).fit(images, labels) for seed in (1, 2)
    ]


@pytest.fixture
def champion(home, networks):
    with open_registry() as registry:
        for network in networks:
            registry.register("mnist", network.to_bytes(), gate=PASSED)
        return registry.set_alias("mnist", "champion", 1)


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "images"
    (directory / "below").mkdir(parents=True)
    for number in range(10):
        (directory / f"{number}.png").write_bytes(png(IMAGES[number]))
        (directory / "below" / f"{number}.PNG").write_bytes(png(IMAGES[10 + number]))
    (directory / "notes.txt").write_text("no image")
    return directory


def _rows(output):
    return pq.read_table(output / "predictions.parquet").to_pylist()


def test_every_image_gets_what_predict_says(champion, directory, tmp_path, networks):
    """In the order of their paths, those in directories below included."""
    done = score(directory, tmp_path / "out")
    rows = _rows(tmp_path / "out")
    assert [row["path"] for row in rows] == [
        *(f"{n}.png" for n in range(10)),
        *(f"below/{n}.PNG" for n in range(10)),
    ]
    probabilities = networks[0].predict_proba(IMAGES[:20])
    assert [row["prediction"] for row in rows] == list(probabilities.argmax(axis=1))
    np.testing.assert_allclose(
        [row["confidence"] for row in rows], probabilities.max(axis=1), rtol=1e-6
    )
    for row in rows:
        assert row["error"] is None
        assert (row["model_name"], row["model_version"]) == ("mnist", 1)
        assert row["model_sha256"] == champion.sha256
    assert pq.read_schema(done.path).equals(SCHEMA)
    assert (done.files, done.errors, done.version) == (20, {}, champion)
    assert sum(digit.count for digit in done.digits.values()) == 20
    assert done.accuracy is None


def test_a_version_can_be_named(champion, directory, tmp_path):
    for model in ("mnist/2", "2"):
        assert score(directory, tmp_path / "out", model=model).version.number == 2
    with open_registry() as registry:
        registry.set_alias("mnist", "challenger", 2)
    assert score(directory, tmp_path / "out", model="@challenger").version.number == 2


def test_a_promotion_meanwhile_changes_nothing(champion, directory, tmp_path):
    """The reference is resolved once."""

    def run(stage, /, *args, **kwargs):
        result = directly(stage, *args, **kwargs)
        with open_registry() as registry:
            registry.set_alias("mnist", "champion", 2)
        return result

    assert score(directory, tmp_path / "out", run=run).version.number == 1
    assert {row["model_version"] for row in _rows(tmp_path / "out")} == {1}


def test_batches_do_not_show(champion, directory, tmp_path, monkeypatch):
    score(directory, tmp_path / "whole")
    monkeypatch.setattr("pipeline.scoring._BATCH", 7)
    score(directory, tmp_path / "parts")
    for whole, part in zip(_rows(tmp_path / "whole"), _rows(tmp_path / "parts"), strict=True):
        assert whole.pop("confidence") == pytest.approx(part.pop("confidence"), rel=1e-5)
        assert whole == part


def test_files_that_cannot_be_scored_have_a_row_with_the_reason(champion, directory, tmp_path):
    (directory / "cut.png").write_bytes(png(IMAGES[0])[:60])
    (directory / "empty.jpg").write_bytes(b"")
    (directory / "text.png").write_text("not an image")
    (directory / "large.jpeg").write_bytes(
        cv2.imencode(".jpg", np.zeros((30, 40), np.uint8))[1].tobytes()
    )
    (directory / "gone.png").symlink_to(tmp_path / "nowhere")
    done = score(directory, tmp_path / "out")
    reasons = {row["path"]: row["error"] for row in _rows(tmp_path / "out") if row["error"]}
    assert reasons == {
        "cut.png": "not an image",
        "empty.jpg": "not an image",
        "text.png": "not an image",
        "large.jpeg": "40×30 pixels, expected 28×28",
        "gone.png": "cannot be opened",
    }
    assert done.files == 25
    assert done.errors == {
        "not an image": 3,
        "40×30 pixels, expected 28×28": 1,
        "cannot be opened": 1,
    }
    for row in _rows(tmp_path / "out"):
        assert (row["error"] is None) == (row["prediction"] is not None)
        assert (row["error"] is None) == (row["confidence"] is not None)


def test_a_directory_of_nothing_but_bad_files_is_still_scored(champion, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("")
    assert score(tmp_path / "in", tmp_path / "out").errors == {"not an image": 1}
    assert len(_rows(tmp_path / "out")) == 1


def test_names_that_are_no_utf8_have_a_row_too(champion, directory, tmp_path):
    shutil.copy(directory / "0.png", os.fsencode(directory) + b"/\xff\n.png")
    score(directory, tmp_path / "out")
    assert "\\xff\n.png" in [row["path"] for row in _rows(tmp_path / "out")]


def test_known_labels_give_an_accuracy(champion, directory, tmp_path, networks):
    with (directory / "labels.csv").open("w") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label"])
        rows.writerows([[f"{n}.png", LABELS[n]] for n in range(10)])
        rows.writerow(["not-there.png", 3])
    done = score(directory, tmp_path / "out")
    right = int((networks[0].predict(IMAGES[:10]) == LABELS[:10]).sum())
    assert (done.labelled, done.correct, done.accuracy) == (10, right, right / 10)


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "path,label\n0.png,x\n", "path,label\n0.png,10\n", "path,label\n,1\n"]
)
def test_labels_that_are_none_are_refused_with_their_line(champion, directory, tmp_path, text):
    (directory / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=r"labels.csv, line 2: expected columns path and label"):
        score(directory, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_second_scoring_replaces_the_first_whole(champion, directory, tmp_path):
    score(directory, tmp_path / "out")
    (directory / "0.png").unlink()
    score(directory, tmp_path / "out", model="2")
    rows = _rows(tmp_path / "out")
    assert len(rows) == 19
    assert {row["model_version"] for row in rows} == {2}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.parquet"]


def test_a_scoring_that_fails_leaves_what_was_there(champion, directory, tmp_path, monkeypatch):
    score(directory, tmp_path / "out")
    before = (tmp_path / "out" / "predictions.parquet").read_bytes()
    (directory / "1.png").unlink()

    def fail(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.scoring._table", fail)
    with pytest.raises(OSError, match="No space left"):
        score(directory, tmp_path / "out")
    assert (tmp_path / "out" / "predictions.parquet").read_bytes() == before
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_what_cannot_be_scored_at_all_is_one_clear_error(champion, directory, tmp_path):
    (tmp_path / "empty").mkdir()
    for bad, got in (
        (tmp_path / "gone", "nothing there"),
        (directory / "0.png", "a file"),
        (tmp_path / "empty", "none"),
    ):
        with pytest.raises(InputError, match=f"{bad}: expected .* got {got}"):
            score(bad, tmp_path / "out")
    with pytest.raises(OutputError, match=r"notes.txt: expected a directory, got a file"):
        score(directory, directory / "notes.txt")
    with pytest.raises(NotFoundError, match="mnist@challenger"):
        score(directory, tmp_path / "out", model="@challenger")
    with pytest.raises(InvalidArgumentError, match="name@alias or name/number"):
        score(directory, tmp_path / "out", model="the best")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_the_ones_registered_score_nothing(
    champion, directory, tmp_path, home
):
    blob = home / "blobs" / "sha256" / champion.sha256[:2] / champion.sha256
    damaged = bytearray(blob.read_bytes())
    damaged[-1] ^= 1
    blob.unlink()
    blob.write_bytes(damaged)
    with pytest.raises(DamagedBlobError):
        score(directory, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "convert",
    [
        lambda grey: cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR),
        lambda grey: cv2.cvtColor(grey, cv2.COLOR_GRAY2BGRA),
        lambda grey: grey.astype(np.uint16) * 257,
    ],
    ids=["colour", "alpha", "16 bit"],
)
def test_colours_and_depths_of_png_come_out_grey(tmp_path, convert):
    path = tmp_path / "x.png"
    path.write_bytes(cv2.imencode(".png", convert(IMAGES[0]))[1].tobytes())
    assert (read_image(path) == IMAGES[0]).all()


def test_jpeg_comes_out_nearly_the_same(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(cv2.imencode(".jpg", IMAGES[0], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
    assert np.abs(read_image(path).astype(int) - IMAGES[0]).mean() < 3


def test_png_holds_the_very_pixels(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(png(IMAGES[3]))
    assert (read_image(path) == IMAGES[3]).all()
    with pytest.raises(UnreadableImageError, match="cannot be opened"):
        read_image(tmp_path)


@pytest.mark.usefixtures("sources")
def test_a_sample_is_the_test_set_with_its_labels(tmp_path):
    assert sample(50, tmp_path / "out") == 50
    with (tmp_path / "out" / "labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 50
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "labels.csv",
        *(row["path"] for row in rows),
    }
    for row in rows:
        index = int(row["path"].removesuffix(".png"))
        assert (read_image(tmp_path / "out" / row["path"]) == IMAGES[index]).all()
        assert int(row["label"]) == LABELS[index]


@pytest.mark.usefixtures("sources")
def test_a_sample_can_be_drawn_again_into_its_directory_and_no_other(tmp_path):
    sample(20, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    sample(20, tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    with pytest.raises(OutputError, match="expected an empty directory"):
        sample(10, tmp_path / "out")
    with pytest.raises(OutputError, match="got a file"):
        sample(10, tmp_path / "out" / "labels.csv")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize("count", [0, mnist_sample.TEST + 1])
def test_a_sample_larger_than_the_test_set_is_refused(tmp_path, count):
    with pytest.raises(SettingsError, match=f"expected 1 to {mnist_sample.TEST}, got {count}"):
        sample(count, tmp_path / "out")
    assert not (tmp_path / "out").exists()
