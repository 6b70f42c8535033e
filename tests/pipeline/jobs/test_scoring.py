"""Scoring real files with a registered version."""

import contextlib
import csv
import json
import os
import shutil
import unicodedata
import uuid

import cv2
import mnist_sample
import numpy as np
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mnist_sample import SAMPLE
from stage_runners import around
from threadpoolctl import threadpool_limits

from nn import NeuralNetwork
from pipeline import open_registry, sample, score
from pipeline.errors import DiskFullError, InputError, InvalidParameterError, OutputError
from pipeline.images.decoding import decode
from pipeline.images.encoding import png
from pipeline.jobs.planning import plan_scoring
from pipeline.metrics.novelty import NoveltyScore
from pipeline.scoring import specimens
from pipeline.scoring.predictions import SCHEMA
from registry import Check, DamagedBlobError, InvalidArgumentError, NotFoundError, RunRecord

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
            registry.register("mnist", network.to_bytes(), RunRecord(gate=PASSED))
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
    return pq.read_table(output / "predictions").to_pylist()


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
    assert pq.read_schema(done.path / "part-000000.parquet").equals(SCHEMA)
    assert (done.counts.files, done.counts.errors, done.version) == (20, {}, champion)
    assert done.counts.digits.sum() == done.counts.histogram.sum() == 20
    assert done.counts.accuracy is None


def test_files_that_are_like_mnist_are_predicted_as_their_arrays_are(champion, tmp_path, networks):
    """One by one, and as certain: nothing is done to them on the way."""
    images = np.concatenate(
        [mnist_sample.arrays(split)[0] for split in (SAMPLE.train, SAMPLE.test)]
    )
    (tmp_path / "in").mkdir()
    for number, image in enumerate(images):
        (tmp_path / "in" / f"{number:03}.png").write_bytes(png(image))
    score(tmp_path / "in", tmp_path / "out", probabilities=True)
    rows = _rows(tmp_path / "out")
    probabilities = np.array([row["probabilities"] for row in rows], np.float32)
    # To the last bit only with as many threads of BLAS as scoring uses.
    with threadpool_limits(1):
        assert [row["prediction"] for row in rows] == list(networks[0].predict(images))
        assert (probabilities == networks[0].predict_proba(images)).all()


def test_rows_say_what_was_removed_and_ink_may_be_told(champion, tmp_path):
    """Boxed cells: their lines go. Told that ink is light, another image is seen."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(10):
        cell = specimens.boxed(IMAGES[number], rng)
        (tmp_path / "in" / f"{number}.png").write_bytes(png(cell))
    score(tmp_path / "in", tmp_path / "out")
    notes = [row["notes"] for row in _rows(tmp_path / "out")]
    assert sum("lines removed" in (note or "") for note in notes) >= 8
    score(tmp_path / "in", tmp_path / "out", ink="light")
    assert [row["notes"] for row in _rows(tmp_path / "out")] != notes
    with pytest.raises(InvalidParameterError, match="ink: expected one of auto, dark, light"):
        score(tmp_path / "in", tmp_path / "out", ink="grey")


@pytest.fixture
def scored_with_novelty(home, networks):
    """A champion with a novelty score that takes every second image for no digit."""
    network = NeuralNetwork.from_bytes(networks[0].to_bytes())
    hidden = network.predict_with_hidden(IMAGES[:20])[1]
    # It answers by one neuron, whatever that has learnt; half of the calibration lies below.
    neuron = int((hidden.std(axis=0)).argmax())
    weights = np.eye(hidden.shape[1], dtype=np.float32)[neuron : neuron + 1]
    one = np.ones(1, np.float32)
    scale = np.full(hidden.shape[1], hidden.max(), np.float32)
    score = NoveltyScore(scale, weights, 0 * one, one, np.zeros(0, np.float32))
    median = np.full(199, np.median(score.answers(hidden)), np.float32)
    NoveltyScore(scale, weights, 0 * one, one, median).attach(network)
    with open_registry() as registry:
        version = registry.register("mnist", network.to_bytes(), RunRecord(gate=PASSED))
        registry.set_alias("mnist", "champion", version.number)
    return network


def test_what_is_not_one_digit_may_be_rejected(scored_with_novelty, directory, tmp_path):
    done = score(directory, tmp_path / "out")
    rows = _rows(tmp_path / "out")
    novel = [row["novelty"] < 0.02 for row in rows]
    assert all(row["prediction"] is not None for row in rows)
    assert 0 < sum(novel) < len(rows)
    assert done.counts.novel == sum(row["novelty"] < 0.01 for row in rows)
    done = score(directory, tmp_path / "out", reject=0.02)
    for row, before, is_novel in zip(_rows(tmp_path / "out"), rows, novel, strict=True):
        assert row["novelty"] == before["novelty"]
        assert row["prediction"] == (None if is_novel else before["prediction"])
        assert row["error"] == ("not one digit" if is_novel else None)
    assert done.counts.errors == {"not one digit": sum(novel)}
    assert done.counts.digits.sum() == len(rows) - sum(novel)
    with pytest.raises(InvalidParameterError, match="reject: expected a fraction"):
        score(directory, tmp_path / "out", reject=2)


def test_a_version_without_a_novelty_score_rejects_nothing(champion, directory, tmp_path):
    done = score(directory, tmp_path / "out", reject=0.5)
    rows = _rows(tmp_path / "out")
    assert all(row["novelty"] is None and row["prediction"] is not None for row in rows)
    assert done.counts.novel == 0


def test_fields_are_cut_into_their_digits(champion, tmp_path):
    """A row for each digit, and the number in a table."""
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    cut = [specimens.enlarged(IMAGES[number], 4) for number in range(3)]
    sheet = np.zeros((120, sum(part.shape[1] + 15 for part in cut) + 40))
    left = 20
    for part in cut:
        sheet[20 : 20 + part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + 15
    (tmp_path / "in" / "field.png").write_bytes(png(specimens.printed(sheet, rng)))
    (tmp_path / "in" / "white.png").write_bytes(png(np.full((50, 90), 240, np.uint8)))
    done = score(tmp_path / "in", tmp_path / "out", split=0)
    rows = _rows(tmp_path / "out")
    assert [row["path"] for row in rows] == [
        "field.png#1",
        "field.png#2",
        "field.png#3",
        "white.png",
    ]
    number = "".join(str(row["prediction"]) for row in rows[:3])
    with (tmp_path / "out" / "numbers.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [(row["path"], row["number"], row["digits"]) for row in table] == [
        ("field.png", number, "3"),
        ("white.png", "?", "0"),
    ]
    assert float(table[0]["confidence"]) == min(row["confidence"] for row in rows[:3])
    assert done.counts.files == 2
    with pytest.raises(InvalidParameterError, match="split: expected a number of digits"):
        score(tmp_path / "in", tmp_path / "out", split=-1)


def test_a_version_can_be_named(champion, directory, tmp_path):
    for model in ("mnist/2", "2"):
        assert score(directory, tmp_path / "out", model=model).version.number == 2
    with open_registry() as registry:
        registry.set_alias("mnist", "challenger", 2)
    assert score(directory, tmp_path / "out", model="@challenger").version.number == 2


def test_a_promotion_meanwhile_changes_nothing(champion, directory, tmp_path):
    """The reference is resolved once."""

    def run(stage, /, *args, **kwargs):
        result = stage(*args, **kwargs)
        with open_registry() as registry:
            registry.set_alias("mnist", "champion", 2)
        return result

    with around(run):
        assert score(directory, tmp_path / "out").version.number == 1
    assert {row["model_version"] for row in _rows(tmp_path / "out")} == {1}


def test_batches_do_not_show(champion, directory, tmp_path, monkeypatch):
    score(directory, tmp_path / "whole")
    monkeypatch.setattr("pipeline.scoring.scorer._BATCH_SIZE", 7)
    score(directory, tmp_path / "parts")
    for whole, part in zip(_rows(tmp_path / "whole"), _rows(tmp_path / "parts"), strict=True):
        assert whole.pop("confidence") == pytest.approx(part.pop("confidence"), rel=1e-5)
        assert whole == part


def test_files_that_cannot_be_scored_have_a_row_with_the_reason(champion, directory, tmp_path):
    (directory / "cut.png").write_bytes(png(IMAGES[0])[:60])
    (directory / "empty.jpg").write_bytes(b"")
    (directory / "text.png").write_text("not an image")
    (directory / "blank.jpeg").write_bytes(
        cv2.imencode(".jpg", np.full((30, 40), 200, np.uint8))[1].tobytes()
    )
    (directory / "one.png").write_bytes(png(np.zeros((1, 1), np.uint8)))
    (directory / "gone.png").symlink_to(tmp_path / "images" / "nowhere.png")
    (tmp_path / "outside.png").write_bytes(png(IMAGES[0]))
    (directory / "out.png").symlink_to(tmp_path / "outside.png")
    (directory / "in.png").symlink_to(directory / "1.png")
    os.mkfifo(directory / "pipe.png")
    done = score(directory, tmp_path / "out")
    rows = {row["path"]: row for row in _rows(tmp_path / "out")}
    assert {path: row["error"] for path, row in rows.items() if row["error"]} == {
        "cut.png": "truncated image",
        "empty.jpg": "empty file",
        "text.png": "not an image",
        "blank.jpeg": "blank image",
        "one.png": "blank image",
        "gone.png": "cannot be opened",
        "out.png": "link out of the directory",
        "pipe.png": "not a file",
    }
    assert rows["in.png"]["prediction"] == rows["1.png"]["prediction"]
    assert done.counts.files == len(rows) == 29
    assert done.counts.errors["blank image"] == 2
    assert done.counts.errors.total() == 8
    for row in rows.values():
        assert (row["error"] is None) == (row["prediction"] is not None)
        assert (row["error"] is None) == (row["confidence"] is not None)


def test_a_directory_of_nothing_but_bad_files_is_still_scored(champion, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("")
    assert score(tmp_path / "in", tmp_path / "out").counts.errors == {"empty file": 1}
    assert len(_rows(tmp_path / "out")) == 1


def test_probabilities_are_kept_where_they_are_asked_for(champion, directory, tmp_path, networks):
    (directory / "a.png").write_text("")
    score(directory, tmp_path / "out", probabilities=True)
    rows = [row for row in _rows(tmp_path / "out") if row["error"] is None]
    expected = networks[0].predict_proba(IMAGES[:20])
    np.testing.assert_allclose([row["probabilities"] for row in rows], expected, rtol=1e-5)
    [bad] = [row for row in _rows(tmp_path / "out") if row["error"]]
    assert bad["probabilities"] is None


def test_what_is_less_certain_is_listed_for_a_person(champion, directory, tmp_path):
    (directory / "a.png").write_text("")
    score(directory, tmp_path / "out")
    assert not (tmp_path / "out" / "review.csv").exists()
    rows = [row for row in _rows(tmp_path / "out") if row["error"] is None]
    limit = sorted(row["confidence"] for row in rows)[7]
    done = score(directory, tmp_path / "out", min_confidence=limit)
    with (tmp_path / "out" / "review.csv").open(newline="") as stream:
        failed, *listed = csv.DictReader(stream)
    assert failed == {"path": "a.png", "prediction": "", "confidence": "", "error": "empty file"}
    assert [(row["path"], int(row["prediction"])) for row in listed] == [
        (row["path"], row["prediction"]) for row in rows if row["confidence"] < limit
    ]
    assert done.review == len(listed) + 1 == 8
    assert done.resumed == 21
    score(directory, tmp_path / "out")
    assert not (tmp_path / "out" / "review.csv").exists()
    with pytest.raises(InvalidParameterError, match="min_confidence: expected a fraction"):
        score(directory, tmp_path / "out", min_confidence=95)


def test_edits_of_the_list_to_review_are_kept(champion, directory, tmp_path, caplog):
    """Whatever the next run is asked for; the new list has another name."""
    output = tmp_path / "out"
    (directory / "a.png").write_text("")

    def review(name):
        return (output / name).read_text()

    assert score(directory, output, min_confidence=0.9).review_path == output / "review.csv"
    untouched = review("review.csv")
    score(directory, output, min_confidence=0.9)
    assert caplog.text == ""
    edited = untouched + "mine\n"
    (output / "review.csv").write_text(edited)
    score(directory, output)
    assert review("review.csv") == edited
    for _ in range(2):
        done = score(directory, output, min_confidence=0.9)
        assert done.review_path == output / "review-2.csv"
        assert (review("review.csv"), review("review-2.csv")) == (edited, untouched)
    assert "review.csv was edited and stays; the new list is review-2.csv" in caplog.text
    score(directory, output)
    assert sorted(path.name for path in output.glob("review*")) == ["review.csv"]
    (directory / "b.png").write_text("")
    score(directory, output, model="2", min_confidence=0.5)
    assert review("review.csv") == edited


def test_what_failed_is_named(champion, directory, tmp_path, digits):
    """The first in the terminal and the summary, all in a table, which goes when none failed."""
    for number in range(12):
        (directory / f"bad-{number:02}.png").write_text("text" if number else "")
    ended = digits("score", directory, "--output", tmp_path / "out", "--direct")
    assert "bad-00.png: empty file" in ended.out
    assert "bad-04.png: not an image" in ended.out
    assert "bad-05.png" not in ended.out
    assert f"all in {tmp_path / 'out' / 'failed.csv'}" in ended.out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    expected = [f"bad-{number:02}.png" for number in range(12)]
    assert [row["path"] for row in summary["failed"]] == expected[:10]
    with (tmp_path / "out" / "failed.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["path"] for row in rows] == expected
    assert [row["error"] for row in rows] == ["empty file", *["not an image"] * 11]
    for name in expected:
        (directory / name).unlink()
    score(directory, tmp_path / "out")
    assert not (tmp_path / "out" / "failed.csv").exists()


def test_no_cell_is_a_formula_and_paths_stay_paths(champion, directory, tmp_path):
    names = [f"{character}1.png" for character in "=+-@\t\r"]
    for name in names:
        (directory / name).write_text("")
    output = tmp_path / "out"
    score(directory, output, split=1, min_confidence=1.0)
    for table in ("failed.csv", "review.csv", "numbers.csv"):
        with (output / table).open(newline="") as stream:
            paths = [row["path"] for row in csv.DictReader(stream)]
        assert {f"./{name}" for name in names} <= set(paths)
        assert not any(path.startswith(tuple("=+-@\t\r")) for path in paths)


def test_normalisation_is_for_what_is_not_like_mnist(champion, directory, tmp_path, networks):
    """Never: other sizes have a reason. Always: even MNIST's own is made anew."""
    (directory / "large.png").write_bytes(png(255 - cv2.resize(IMAGES[3], (112, 140))))

    def large(normalize):
        output = tmp_path / normalize
        score(directory, output, normalize=normalize)
        return {row["path"]: row for row in _rows(output)}["large.png"]

    assert large("auto")["prediction"] == large("always")["prediction"]
    assert large("never")["error"] == "not 28×28 pixels"
    with pytest.raises(InvalidParameterError, match=r"normalize: expected one of auto,.*got 'no'"):
        large("no")


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
    assert (done.counts.labelled, done.counts.correct, done.counts.accuracy) == (
        10,
        right,
        right / 10,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "line 1: expected the columns path and label, got 'a,b'"),
        ("", "line 1: expected the columns path and label, got ''"),
        ("path,label\n0.png,x\n", "line 2: expected a path and a label from 0 to 9, got '0.png'"),
        ("path,label\n0.png,10\n", "line 2: expected a path and a label from 0 to 9, got '0.png'"),
        ("path,label\n\n,1\n", "line 3: expected a path and a label from 0 to 9, got ''"),
        ("path,label\na\0b,1\n", "line 2: expected a path and a label from 0 to 9, got 'a"),
        (f"path,label\n{'x' * 200_000},1\n", "line 2: cannot be read"),
        ("path,label\n\udce4.png,1\n", "expected UTF-8 text .* as `CSV UTF-8`"),
        ("path,label\na.png,1\n./a.png,2\n", "line 3: expected one label for each path, got 2"),
    ],
)
def test_labels_that_are_none_are_refused_with_their_line(
    champion, directory, tmp_path, text, message
):
    (directory / "labels.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=f"labels.csv.*{message}"):
        score(directory, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_match_as_paths_and_what_matches_nothing_is_told(
    champion, directory, tmp_path, caplog
):
    """Also as macOS and spreadsheets spell names; a path without a label is told."""
    shutil.copy(directory / "0.png", directory / unicodedata.normalize("NFD", "\xe4.png"))
    rows = ["./0.png;1.0", "below//1.PNG; 2", "\xe4.png;3", "2.png;", "gone.png;4", ";"]
    text = "\r\n".join(
        ["Note; Label ;FileName", *(f";{r.split(';')[1]};{r.split(';')[0]}" for r in rows)]
    )
    (directory / "labels.csv").write_text(text, encoding="utf-8-sig", newline="")
    assert score(directory, tmp_path / "out").counts.labelled == 3
    assert "labels.csv: 1 of 4 labels name no image here, such as 'gone.png'." in caplog.text
    assert "labels.csv: 1 paths have no label." in caplog.text


@pytest.fixture
def small_shards(monkeypatch):
    """Three files in a shard."""
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", 3)


def _no_space(*_arguments, **_options):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("killed_at", range(7))
def test_a_run_that_was_stopped_goes_on_where_it_was(
    champion, directory, tmp_path, small_shards, killed_at
):
    """No finished shard is scored again, and the rows are those of a run in one go."""
    score(directory, tmp_path / "whole")

    def counting(stage, calls):
        for call in calls:
            if len(scored) == killed_at:
                raise KeyboardInterrupt
            result = stage(*call)
            if not result.is_resumed:
                scored.append(result.shard)
            yield result

    scored = []
    with around(map_calls=counting), pytest.raises(KeyboardInterrupt):
        score(directory, tmp_path / "out")
    scored, first = [], scored
    killed_at = 1000
    with around(map_calls=counting):
        done = score(directory, tmp_path / "out")
    assert sorted(first + scored) == list(range(7))
    assert done.resumed == 3 * len(first)
    assert _rows(tmp_path / "out") == _rows(tmp_path / "whole")
    whole, parts = (
        json.loads((tmp_path / n / "summary.json").read_text()) for n in ("whole", "out")
    )
    for summary in (whole, parts):
        assert summary.pop("seconds") > 0
        assert summary.pop("per_second") > 0
    assert whole == parts
    with around(map_calls=counting):
        assert score(directory, tmp_path / "out").resumed == 20


def test_what_a_lost_worker_had_scored_is_of_the_same_run(
    champion, directory, tmp_path, small_shards
):
    """Its shards are called again, and found done."""

    def twice(stage, calls):
        for call in calls:
            assert not stage(*call).is_resumed
            yield stage(*call)

    with around(map_calls=twice):
        done = score(directory, tmp_path / "out")
    assert (done.resumed, done.counts.files) == (0, 20)
    assert score(directory, tmp_path / "out").resumed == 20


def _cut(path):
    path.write_bytes(path.read_bytes()[:-50])


def _put_last(directory):
    (directory / "~").mkdir()
    (directory / "~" / "no image.png").write_text("")


def _zero(path):
    data = bytearray(path.read_bytes())
    data[40:80] = bytes(40)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "kept", "told"),
    [
        (lambda out: shutil.rmtree(out / ".shards"), 20, False),
        (lambda out: (out / ".shards" / "000001").write_text("["), 20, False),
        (lambda out: _cut(out / "predictions" / "part-000001.parquet"), 17, True),
        (lambda out: _zero(out / "predictions" / "part-000001.parquet"), 17, True),
        (lambda out: (out / "predictions" / "part-000001.parquet").write_bytes(b""), 17, True),
        (lambda out: (out / "predictions" / "part-000001.parquet").unlink(), 17, False),
        (lambda out: shutil.rmtree(out / "predictions"), 0, False),
        (lambda out: (out / "run.json").write_text("["), 0, False),
    ],
    ids=["no list", "bad list", "cut", "zeros", "empty", "no part", "no parts", "bad run file"],
)
def test_a_copied_or_damaged_output_is_finished(
    champion, directory, tmp_path, small_shards, caplog, damage, kept, told
):
    """What is missing or damaged is made again, and only that; the hidden list too."""
    score(directory, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "out")
    damage(tmp_path / "out")
    (tmp_path / "out" / "predictions" / "part-000002.parquet").unlink(missing_ok=True)
    done = score(directory, tmp_path / "out")
    assert done.resumed == max(kept - 3, 0)
    assert _rows(tmp_path / "out") == _rows(tmp_path / "whole")
    assert ("cannot be read as predictions" in caplog.text) == told


@pytest.mark.parametrize(
    ("change", "resumed"),
    [
        (lambda directory: os.utime(directory / "0.png", (1, 1)), 17),
        (lambda directory: (directory / "0.png").unlink(), 0),
        (lambda directory: _put_last(directory), 18),
        (lambda directory: [file.unlink() for file in sorted(directory.glob("*.*"))[4:]], 3),
        (lambda directory: (directory / "labels.csv").write_text("path,label\n0.png,1\n"), 0),
    ],
    ids=["one changed", "the first removed", "one added at the end", "most removed", "labels"],
)
def test_only_the_shards_whose_files_changed_are_scored_anew(
    champion, directory, tmp_path, small_shards, caplog, change, resumed
):
    score(directory, tmp_path / "out", formats="csv")
    change(directory)
    plan = plan_scoring(directory, tmp_path / "out")
    assert (plan.scored_before, plan.starts_over) == (resumed, False)
    done = score(directory, tmp_path / "out")
    score(directory, tmp_path / "whole")
    assert (done.resumed, plan.images) == (resumed, done.counts.files)
    assert _rows(tmp_path / "out") == _rows(tmp_path / "whole")
    assert not (tmp_path / "out" / "predictions.csv").exists()
    assert caplog.text == ""


def _killed_after(count):
    """Make so many calls of a stage, and then be interrupted."""

    def some(stage, calls):
        for index, call in enumerate(calls):
            if index == count:
                raise KeyboardInterrupt
            yield stage(*call)

    return around(map_calls=some)


def test_results_of_all_images_go_before_the_first_prediction_changes(
    champion, directory, tmp_path, small_shards
):
    score(directory, tmp_path / "out", formats="csv")
    os.utime(directory / "0.png", (1, 1))
    results = [tmp_path / "out" / name for name in ("summary.json", "predictions.csv")]
    for count, are_there in ((0, True), (1, False)):
        with _killed_after(count), pytest.raises(KeyboardInterrupt):
            score(directory, tmp_path / "out")
        assert [result.exists() for result in results] == [are_there] * 2


_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["put", "remove", "label", "nothing"]), st.integers(0, 9), st.integers(0, 9)
    ),
    min_size=1,
    max_size=4,
)


@given(steps=st.lists(st.tuples(_CHANGES, st.integers(0, 6)), min_size=1, max_size=3))
@settings(max_examples=examples(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_changed_and_however_often_it_was_killed_the_rows_are_those_of_a_new_run(
    champion, tmp_path, small_shards, steps
):
    """Files come, go and change, and runs are killed in between."""
    root = tmp_path / uuid.uuid4().hex
    (root / "in").mkdir(parents=True)
    (root / "in" / "5.png").write_bytes(png(IMAGES[5]))
    for changes, count in steps:
        for change, number, image in changes:
            file = root / "in" / f"{number}.png"
            if change == "put":
                file.write_bytes(png(IMAGES[image]))
            elif change == "remove" and number != 5:
                file.unlink(missing_ok=True)
            elif change == "label":
                (root / "in" / "labels.csv").write_text(f"path,label\n5.png,{image}\n")
        with contextlib.suppress(KeyboardInterrupt), _killed_after(count):
            score(root / "in", root / "out")
    done = score(root / "in", root / "out")
    shutil.rmtree(root / "new", ignore_errors=True)
    new = score(root / "in", root / "new")
    assert _rows(root / "out") == _rows(root / "new")
    assert done.counts.as_json() == new.counts.as_json()
    assert score(root / "in", root / "out").resumed == done.counts.files


def test_another_version_or_another_way_is_scored_anew(champion, directory, tmp_path, caplog):
    score(directory, tmp_path / "out")
    score(directory, tmp_path / "out", model="2")
    assert {row["model_version"] for row in _rows(tmp_path / "out")} == {2}
    assert "changed since the last run: model, sha256." in caplog.text
    score(directory, tmp_path / "out", model="2", normalize="never")
    assert "changed since the last run: normalize." in caplog.text


def test_a_full_disk_leaves_whole_shards(champion, directory, tmp_path, small_shards, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr("pipeline.scoring.predictions.pq.write_table", _no_space)
        with pytest.raises(DiskFullError, match=f"{tmp_path}/out/predictions: no space is left"):
            score(directory, tmp_path / "out")
    assert list((tmp_path / "out" / "predictions").iterdir()) == []
    score(directory, tmp_path / "out")
    assert len(_rows(tmp_path / "out")) == 20


def test_directories_called_by_digits_are_labels(champion, tmp_path, networks):
    for number in range(30):
        place = tmp_path / "in" / str(LABELS[number])
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.png").write_bytes(png(IMAGES[number]))
    counts = score(tmp_path / "in", tmp_path / "out").counts
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (LABELS[:30], networks[0].predict(IMAGES[:30])), 1)
    assert (counts.confusion == expected).all()
    assert counts.accuracy == np.trace(expected) / 30


@pytest.mark.parametrize(
    ("names", "inputs", "labelled"),
    [
        (["3/a.png", "7/b.png", "x.png"], "", 2),
        (["3/a.png", "7/b.png", ".cache/x.png"], "", 2),
        (["train/3/a.png", "test/7/b.png"], "", 2),
        (["3/a.png", "7/b.png", "unsorted/x.png"], "", 0),
        (["3/a.png", "7/b.png", "unsorted/x.png"], "[0-9]/*.png", 2),
        (["3/a.png", "10/b.png"], "", 0),
        (["2026/11/3/a.png", "2026/11/4/b.png"], "", 0),
        (["2026/11/3/a.png", "2026/11/4/b.png"], "2026/11", 0),
        (["2026/11/3/a.png", "2026/11/4/b.png"], "2026/*/*/*", 0),
        (["2026/3/4/a.png"], "", 0),
    ],
)
def test_directories_are_labels_only_if_all_beside_them_are(
    champion, tmp_path, names, inputs, labelled
):
    """Days and months are not."""
    for number, name in enumerate(names):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(IMAGES[number]))
    done = score(tmp_path / "in" / inputs, tmp_path / "out")
    assert done.counts.labelled == labelled


def test_what_cannot_be_scored_at_all_is_one_clear_error(champion, directory, tmp_path):
    (tmp_path / "empty").mkdir()
    for bad, problem in (
        (tmp_path / "gone", "no such file or directory"),
        (tmp_path / "empty", "no images in there"),
    ):
        with pytest.raises(InputError, match=f"{bad}: {problem}. Expected image files"):
            score(bad, tmp_path / "out")
    with pytest.raises(OutputError, match=r"notes.txt: expected a directory, got a file"):
        score(directory, directory / "notes.txt")
    with pytest.raises(NotFoundError, match="mnist@challenger"):
        score(directory, tmp_path / "out", model="@challenger")
    with pytest.raises(InvalidArgumentError, match="name@alias, name/number"):
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
        assert (decode((tmp_path / "out" / row["path"]).read_bytes()) == IMAGES[index]).all()
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
    with pytest.raises(
        InvalidParameterError, match=f"expected 1 to {mnist_sample.TEST}, got {count}"
    ):
        sample(count, tmp_path / "out")
    assert not (tmp_path / "out").exists()
