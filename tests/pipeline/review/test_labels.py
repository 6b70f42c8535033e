"""Decisions as labelled images to train on."""

import shutil

import pytest

from pipeline import InputError, load_settings, retrain
from pipeline.data.labelled import read
from pipeline.review.labels import write_labels


@pytest.fixture
def drawn(retrained, tmp_path):
    """Images that are not MNIST's, scored, with their labels by path."""
    import numpy as np
    from drifting_images import drifted
    from mnist_sample import SAMPLE

    from pipeline import ingest, score
    from pipeline.data import parquet
    from pipeline.images.encoding import png

    test = parquet.read(ingest().test.path, SAMPLE.test)
    rng = np.random.default_rng(0)
    (tmp_path / "drawn").mkdir()
    for number, image in enumerate(test.images[:30]):
        (tmp_path / "drawn" / f"{number}.png").write_bytes(png(drifted(image, 0.5, rng)))
    score(tmp_path / "drawn", tmp_path / "drawn-scores")
    return tmp_path / "drawn-scores", {f"{n}.png": str(test.labels[n]) for n in range(30)}


def test_a_retraining_takes_the_decisions_as_they_are(drawn, open_queue, decide, tmp_path):
    """Also if the images have been moved or deleted since."""
    directory, labels = drawn
    queue = open_queue(directory)
    items = queue.take("a", "ann", 30)
    for item in items[:20]:
        decide(queue, item, labels[item.path])
    decide(queue, items[20], "n")
    decide(queue, items[21], "3")
    queue.undo("ann", "a", "u")
    decide(queue, items[22], "skip")
    shutil.rmtree(tmp_path / "drawn")
    shutil.rmtree(directory)

    outcome = retrain(preset="quick", min_accuracy=0.3, labelled="reviews")
    assert outcome.labelled.used == 20
    reference = outcome.labelled.reference
    split = read(reference.path, reference.sha256)
    found = sorted([*split.training.labels, *split.held_out.labels])
    assert found == sorted(int(labels[item.path]) for item in items[:20])
    # Nothing was decided meanwhile, so nothing is trained.
    assert (
        type(retrain(preset="quick", min_accuracy=0.3, labelled="reviews")).__name__ == "Unchanged"
    )


def test_a_few_decisions_are_too_few_to_train_on(drawn, open_queue, decide, caplog):
    """But no reason for a nightly retraining to fail."""
    directory, _ = drawn
    queue = open_queue(directory)
    for item in queue.take("a", "ann", 9):
        decide(queue, item, "7")
    outcome = retrain(preset="quick", min_accuracy=0.3, labelled="reviews")
    assert outcome.labelled is None
    assert "Trained without reviews: expected at least 10" in caplog.text


def test_a_directory_named_reviews_is_given_by_its_path(retrained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews").mkdir()
    with pytest.raises(InputError, match="reviews: no images in there"):
        retrain(preset="quick", labelled="./reviews")


def test_the_table_of_labels_follows_the_decisions(scored, open_queue, decide):
    directory, _ = scored
    reviews = load_settings().reviews
    assert write_labels(reviews)[1] == 0
    queue = open_queue(directory)
    first, second = queue.take("a", "ann", 2)
    decide(queue, first, "7")
    decide(queue, second, "n")
    target, count = write_labels(reviews)
    assert count == 1
    assert target.read_text().splitlines() == [
        "path,label",
        f"images/{first.sha256[:2]}/{first.sha256}.png,7",
    ]
    queue.undo("ann", "a", "1")
    queue.undo("ann", "a", "2")
    assert write_labels(reviews)[1] == 0
