"""Which image is given to whom, and what is saved."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import InputError, load_settings, score
from pipeline.images.decoding import decode
from pipeline.review import kept_images
from pipeline.review.claims import SECONDS
from pipeline.review.scored_batch import ScoredBatch


def rows_of(directory):
    return pq.read_table(directory / "predictions").to_pylist()


def test_the_least_certain_come_first_and_every_fifth_is_of_the_sample(scored, open_queue):
    directory, _ = scored
    items = open_queue(directory).take("w", "ann", 60)
    assert len({item.sha256 for item in items}) == 60
    assert [item.group for item in items[4:25:5]] == ["sample"] * 5
    others = [item for item in items if item.group != "sample"]
    groups = [item.group for item in others]
    assert groups == sorted(groups, key=["uncertain", "novel", "other"].index)
    for name in ("uncertain", "other"):
        confidence = [item.confidence for item in others if item.group == name]
        assert confidence == sorted(confidence)
    by_path = {row["path"]: row for row in rows_of(directory)}
    for item in items:
        row = by_path[item.path]
        assert (item.prediction, item.novelty) == (row["prediction"], row["novelty"])
        assert item.confidence == row["confidence"]


def test_what_the_challenger_reads_otherwise_comes_second(scored, open_queue):
    directory, _ = scored
    # The random sample has some of them, but hardly all.
    sure = [row["path"] for row in rows_of(directory) if row["confidence"] >= 0.9]
    unsure = [row["path"] for row in rows_of(directory) if row["confidence"] < 0.9][:2]
    (directory / "shadow").mkdir()
    for part, paths in enumerate((sure, unsure)):
        table = pa.table({"path": paths, "shadow_prediction": [0] * len(paths)})
        pq.write_table(table, directory / "shadow" / f"part-{part:06}.parquet")
    items = open_queue(directory).take("w", "ann", 60)
    groups = {item.path: item.group for item in items if item.group != "sample"}
    assert {groups[path] for path in unsure if path in groups} <= {"uncertain"}
    assert {groups[path] for path in sure if path in groups} == {"disagreement"}
    order = [item.group for item in items if item.group != "sample"]
    assert order == sorted(order, key=["uncertain", "disagreement", "novel", "other"].index)


def test_an_image_is_shown_as_it_came_and_as_the_network_saw_it(scored, open_queue, tmp_path):
    directory, _ = scored
    for item in open_queue(directory).take("w", "ann", 5):
        pixels = decode((tmp_path / "scans" / item.path).read_bytes())
        assert item.sha256 == kept_images.digest(pixels)
        assert np.array_equal(kept_images.load(load_settings().reviews, item.sha256), pixels)
        # Those of MNIST are left as they are.
        assert item.seen == pixels.tobytes()


def test_an_image_is_given_to_one_reviewer_at_a_time(scored, open_queue):
    """Two queues stand for two processes; each has two threads."""
    directory, _ = scored
    queues = [open_queue(directory), open_queue(directory)]
    with ThreadPoolExecutor(4) as pool:
        taken = [
            pool.submit(queues[number % 2].take, f"w{number}", f"r{number}", 15)
            for number in range(4)
        ]
        given = [item.sha256 for each in taken for item in each.result()]
    assert len(given) == len(set(given)) == 60
    assert queues[0].take("w5", "eve", 1) == []


def test_a_claim_that_is_not_renewed_expires(scored, open_queue, monkeypatch):
    directory, _ = scored
    ann, bob = open_queue(directory), open_queue(directory)
    (first,), (second,) = ann.take("a", "ann", 1), ann.take("a2", "ann", 1)
    assert first.sha256 not in {item.sha256 for item in bob.take("b", "bob", 5)}
    clock = time.time()
    monkeypatch.setattr(time, "time", lambda: clock + SECONDS - 1)
    ann.take("a", "ann", 1, shown=[first.sha256])
    monkeypatch.setattr(time, "time", lambda: clock + SECONDS + 1)
    given = {item.sha256 for item in bob.take("c", "eve", 58)}
    assert first.sha256 not in given
    assert second.sha256 in given


def test_a_decision_takes_the_image_out_of_every_queue(scored, open_queue, decide):
    directory, labels = scored
    ann, bob = open_queue(directory), open_queue(directory)
    (item,) = ann.take("a", "ann", 1)
    decision = decide(ann, item, labels[item.path])
    assert (decision.batch, decision.path) == (str(directory), item.path)
    assert (decision.model, decision.prediction) == ("mnist/1", item.prediction)
    given = {each.sha256 for each in bob.take("b", "bob", 60)}
    assert len(given) == 59
    assert item.sha256 not in given
    assert bob.progress().decided == 1


def test_what_was_skipped_is_for_others(scored, open_queue, decide):
    directory, _ = scored
    queue = open_queue(directory)
    (item,) = queue.take("a", "ann", 1)
    decide(queue, item, "skip")
    assert item.sha256 not in {each.sha256 for each in queue.take("a", "ann", 60)}
    assert queue.progress().decided == 0
    assert item.sha256 in {each.sha256 for each in open_queue(directory).take("b", "bob", 1)}


def test_an_undo_gives_the_image_back_to_its_reviewer(scored, open_queue, decide):
    directory, _ = scored
    ann, bob = open_queue(directory), open_queue(directory)
    first, second = ann.take("a", "ann", 2)
    decide(ann, first, "1")
    decide(bob, bob.take("b", "bob", 1)[0], "3", "bob")
    decide(ann, second, "2")
    for expected in (second, first):
        undone = ann.undo("ann", "a", f"undo {expected.sha256}")
        assert undone.item.sha256 == expected.sha256
        assert undone.item.seen == expected.seen
        assert expected.sha256 not in {item.sha256 for item in bob.take("b", "bob", 5)}
    # The same undo sent again takes nothing more back.
    assert ann.undo("ann", "a", f"undo {first.sha256}").item.sha256 == first.sha256
    assert ann.undo("ann", "a", "another") is None
    assert ann.progress().decided == 1


def test_only_what_was_given_can_be_decided_on(scored, open_queue):
    directory, _ = scored
    queue = open_queue(directory)
    with pytest.raises(InputError, match="expected an image that was given"):
        queue.decide(queue.decision_on("", 0, "0" * 64, "7", "ann", "1"))
    for wrong in ({"answer": "undo"}, {"answer": "x"}, {"sha256": "../x"}, {"reviewer": ""}):
        given = {"sha256": "0" * 64, "answer": "7", "reviewer": "ann", **wrong}
        with pytest.raises(ValueError, match=r"undo|decision|sha256|reviewer"):
            queue.decision_on("", 0, decision_id="1", **given)


def test_equal_images_are_decided_on_once(scored, open_queue, decide, tmp_path):
    directory, _ = scored
    shutil.copytree(tmp_path / "scans", tmp_path / "again" / "copies")
    score(tmp_path / "again", tmp_path / "scores2")
    queue = open_queue(directory, tmp_path / "scores2")
    items = queue.take("a", "ann", 120)
    assert len(items) == 60
    for item in items:
        decide(queue, item, "7")
    assert queue.take("a", "ann", 1) == []
    assert queue.progress().decided == 120


def test_images_that_are_gone_are_left_out(scored, open_queue, tmp_path):
    directory, _ = scored
    queue = open_queue(directory)
    first, second = queue.take("a", "ann", 2)
    for each in (tmp_path / "scans").glob("*.png"):
        each.unlink()
    # What was given is kept, and can be decided on.
    assert queue.take("b", "bob", 3) == []
    queue.decide(queue.decision_on(first.batch, first.row, first.sha256, "7", "ann", "1"))
    assert queue.undo("ann", "a", "2").item.seen == first.seen
    assert kept_images.is_kept(load_settings().reviews, second.sha256)


def test_a_batch_that_is_scored_again_keeps_its_decisions(
    scored, open_queue, decide, retrained, tmp_path
):
    directory, labels = scored
    queue = open_queue(directory)
    items = queue.take("a", "ann", 10)
    for item in items[:9]:
        decide(queue, item, labels[item.path])
    shutil.rmtree(directory)
    score(tmp_path / "scans", directory, min_confidence=0.5)
    again = open_queue(directory)
    assert again.progress().decided == 9
    assert np.array_equal(ScoredBatch.open(directory).draw, queue._rows.batches[0].draw)


@pytest.mark.parametrize("kind", ["parquet", "fields", "scans"])
def test_every_kind_of_input_can_be_reviewed(kind, retrained, open_queue, tmp_path):
    from mnist_sample import SAMPLE

    from pipeline import ingest
    from pipeline.data import parquet
    from pipeline.images.encoding import png
    from pipeline.metrics.confidence import softened
    from pipeline.scoring import specimens

    data = ingest()
    images = parquet.read(data.test.path, SAMPLE.test).images
    rng = np.random.default_rng(0)
    inputs, split = tmp_path / "in", None
    if kind == "parquet":
        inputs = data.test.path
    else:
        inputs.mkdir()
        for number in range(2):
            if kind == "fields":
                split = 0
                pixels = specimens.field(images[3 * number : 3 * number + 3], rng)
            else:
                pixels = specimens.tight_crop(images[number], rng)
            (inputs / f"{number}.png").write_bytes(png(pixels))
    score(inputs, tmp_path / "out", split=split)
    rows = rows_of(tmp_path / "out")
    items = open_queue(tmp_path / "out").take("a", "ann", len(rows))
    assert len({item.sha256 for item in items}) == len(items) == len(rows)
    from pipeline.scoring.scorer import load_network

    network = load_network(load_settings().blobs_url, retrained.sha256)
    seen = np.stack([np.frombuffer(item.seen, np.uint8).reshape(28, 28) for item in items])
    is_normalized = np.full(len(seen), kind != "parquet")
    probabilities = softened(network.predict_proba(seen), is_normalized)
    for item, each in zip(items, probabilities, strict=True):
        assert each.argmax() == item.prediction
        assert each.max() == pytest.approx(item.confidence, abs=1e-3)


def test_what_is_no_finished_scoring_is_refused(scored, tmp_path):
    directory, _ = scored
    for name in ("summary.json", "run.json"):
        (directory / name).rename(tmp_path / name)
        with pytest.raises(InputError, match="expected the output of a finished scoring"):
            ScoredBatch.open(directory)
        (tmp_path / name).rename(directory / name)
    run = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps({**run, "later": 1, "model": "x/1"}))
    assert ScoredBatch.open(directory).model == "x/1"
