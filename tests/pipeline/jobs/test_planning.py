"""What --dry-run says of a retraining or a scoring, before anything is trained or written."""

import shutil

import numpy as np
import pytest
from small_images import write_labelled

from pipeline import (
    InputError,
    InvalidParameterError,
    ingest,
    load_settings,
    plan_retraining,
    plan_scoring,
    retrain,
)
from registry import NotFoundError

QUICK = {"preset": "quick", "min_accuracy": 0.3}


@pytest.fixture
def own(retrained, tmp_path):
    """30 labelled images of which the champion knows nothing."""
    write_labelled(tmp_path / "own", np.random.default_rng(0), 30)
    return tmp_path / "own"


def _files():
    home = load_settings().home
    return {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}


def _add(own, count):
    """Write other images."""
    write_labelled(own.parent / "more", np.random.default_rng(1), count)
    for path in (own.parent / "more").rglob("*.png"):
        path.rename(own / path.parent.name / f"new-{path.name}")


def test_own_images_are_read_as_the_retraining_would_and_nothing_is_written(own):
    (own / "0" / "text.png").write_bytes(b"no image")
    shutil.copy(own / "1" / "1.png", own / "2" / "the-same.png")
    before = _files()
    plan = plan_retraining(**QUICK, labelled=own)
    assert _files() == before
    assert plan.unchanged is None
    assert plan.labelled.left_out == {"several labels": 1, "not an image": 1}
    assert plan.labelled_change == "29 new labelled images"
    lines = plan.summary()
    assert lines["since mnist/1"] == "29 new labelled images"
    assert lines["own images"].endswith("; left out: 1 several labels, 1 not an image")
    collection = retrain(**QUICK, labelled=own).labelled
    assert (collection.training, collection.held_out, collection.left_out) == (
        plan.labelled.training,
        plan.labelled.held_out,
        plan.labelled.left_out,
    )


def test_the_same_images_would_train_nothing(own):
    retrain(**QUICK, labelled=own)
    before = _files()
    plan = plan_retraining(**QUICK, labelled=own)
    assert _files() == before
    assert plan.unchanged == "mnist/2 was made of the same inputs, configuration and code"
    lines = plan.summary()
    assert lines["would train"] == "nothing"
    assert lines["since mnist/2"] == "the same labelled images"
    assert plan_retraining(**QUICK, labelled=own, force=True).unchanged is None


def test_what_was_added_corrected_and_removed_is_counted(own):
    retrain(**QUICK, labelled=own)
    _add(own, 10)
    (own / "1" / "1.png").rename(own / "7" / "corrected.png")
    (own / "2" / "2.png").unlink()
    plan = plan_retraining(**QUICK, labelled=own)
    assert plan.unchanged is None
    assert plan.labelled_change == (
        "10 new labelled images, 1 corrected labelled image, 1 removed labelled image"
    )


def test_images_that_are_stored_damaged_are_read_again(own):
    retrain(**QUICK, labelled=own)
    (pack,) = load_settings().labelled.glob("images/*.parquet")
    pack.write_bytes(b"damaged")
    before = _files()
    assert plan_retraining(**QUICK, labelled=own).labelled.used == 30
    assert _files() == before


def test_labels_of_no_use_are_refused_as_the_retraining_would(own):
    shutil.rmtree(own / "3")
    for path in list(own.rglob("*.png"))[9:]:
        path.write_bytes(b"no image")
    with pytest.raises(InputError, match="expected at least 10 labelled images"):
        plan_retraining(**QUICK, labelled=own)


def test_without_mnist_the_images_are_only_counted(sources, tmp_path, home):
    write_labelled(tmp_path / "own", np.random.default_rng(0), 12)
    plan = plan_retraining(**QUICK, labelled=tmp_path / "own")
    assert (plan.labelled, plan.needs_download, home.exists()) == (12, True, False)
    assert "12 images" in plan.summary()["own images"]
    ingest()
    assert plan_retraining(**QUICK, labelled=tmp_path / "own").labelled.used == 12


def test_whether_the_champion_would_stay_is_said(own):
    assert "and then" not in plan_retraining(**QUICK, labelled=own).summary()
    plan = plan_retraining(**QUICK, labelled=own, promote=False)
    assert plan.summary()["and then"] == "register it; the champion stays"


def test_a_scoring_is_planned_with_its_tables_and_its_shadow(scored, tmp_path):
    scans = tmp_path / "scans"
    plan = plan_scoring(
        scans, tmp_path / "new", min_confidence=0.9, formats=("xlsx", "csv"), shadow=1
    )
    assert plan.summary()["and write"] == "review.csv, predictions.csv, predictions.xlsx"
    assert plan.summary()["and compare with"] == "mnist/1"
    assert not (tmp_path / "new").exists()
    again = plan_scoring(scans, scored[0])
    assert again.summary()["would score"] == "60 images, all of them scored before"
    with pytest.raises(NotFoundError):
        plan_scoring(scans, scored[0], shadow="nobody")
    with pytest.raises(InvalidParameterError):
        plan_scoring(scans, scored[0], formats="doc")


def test_reviews_are_planned_with_as_well(retrained, caplog):
    plan = plan_retraining(**QUICK, labelled="reviews")
    assert plan.unchanged
    assert "Trained without reviews" in caplog.text
