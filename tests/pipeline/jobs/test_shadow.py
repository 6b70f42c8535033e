"""A shadow looks at the same images, and decides on nothing."""

import json

import mnist_sample
import numpy as np
import pyarrow.parquet as pq
import pytest
from champion_and_challenger import register_both, train_for
from mnist_sample import SAMPLE

from pipeline import open_registry, score, score_inbox
from pipeline.images.encoding import png
from registry import NotFoundError

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)


@pytest.fixture(scope="module")
def networks():
    return train_for((3, 1))


@pytest.fixture
def two(home, networks):
    """A champion, and a challenger that is worse."""
    register_both(networks)


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "images"
    directory.mkdir()
    for number in range(40):
        (directory / f"{number:02}.png").write_bytes(png(IMAGES[number]))
    lines = [f"{number:02}.png,{LABELS[number]}" for number in range(30)]
    (directory / "labels.csv").write_text("\n".join(["path,label", *lines]))
    (directory / "empty.png").touch()
    return directory


def _parts(output):
    return [path.read_bytes() for path in sorted((output / "predictions").iterdir())]


def test_the_disagreements_are_a_table_and_the_rows_stay(two, directory, tmp_path, networks):
    score(directory, tmp_path / "alone")
    done = score(directory, tmp_path / "out", shadow="challenger")
    assert _parts(tmp_path / "out") == _parts(tmp_path / "alone")
    first, second = (network.predict(IMAGES[:40]) for network in networks)
    differs = first != second
    assert 0 < differs.sum() < 40
    rows = pq.read_table(tmp_path / "out" / "shadow").to_pylist()
    assert [row["path"] for row in rows] == [f"{n:02}.png" for n in np.flatnonzero(differs)]
    assert [row["prediction"] for row in rows] == first[differs].tolist()
    assert [row["shadow_prediction"] for row in rows] == second[differs].tolist()
    assert [row["label"] for row in rows] == [
        int(LABELS[n]) if n < 30 else None for n in np.flatnonzero(differs)
    ]
    figures = done.shadow.comparison
    known = LABELS[:30]
    assert (figures.compared, figures.disagreements) == (40, differs.sum())
    assert figures.only_scorer_right == ((first[:30] == known) & (second[:30] != known)).sum()
    assert figures.only_shadow_right == ((first[:30] != known) & (second[:30] == known)).sum()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())["shadow"]
    assert (summary["model"], summary["disagreements"]) == ("mnist/2", differs.sum())
    with open_registry() as registry:
        batch = registry.batches(limit=1)[0]
    assert (batch.shadow.version, batch.shadow.disagreements) == ("mnist/2", differs.sum())


def test_a_scoring_that_is_done_is_compared_later(two, directory, tmp_path):
    score(directory, tmp_path / "out")
    before = _parts(tmp_path / "out")
    assert score(directory, tmp_path / "out", shadow="mnist/2").resumed == 0
    assert score(directory, tmp_path / "out", shadow="mnist/2").resumed == 41
    assert _parts(tmp_path / "out") == before
    # What was said of other images is gone.
    (directory / "empty.png").unlink()
    score(directory, tmp_path / "out")
    assert list((tmp_path / "out" / "shadow").iterdir()) == []


def test_a_version_is_not_its_own_shadow(two, directory, tmp_path):
    assert score(directory, tmp_path / "out", shadow="champion").shadow is None


def test_a_missing_shadow_is_an_error_but_for_an_inbox(two, directory, tmp_path):
    """Not always has a challenger, and the inbox goes on."""
    with pytest.raises(NotFoundError, match="nobody"):
        score(directory, tmp_path / "out", shadow="nobody")
    (done,) = score_inbox(directory, tmp_path / "outbox", settle=0, shadow="nobody")
    assert done.shadow is None
    (directory / "new.png").write_bytes(png(IMAGES[0]))
    (done,) = score_inbox(directory, tmp_path / "outbox", settle=0, shadow="challenger")
    assert done.shadow.comparison.compared == 1


def test_the_command_line_tells_the_disagreements(two, digits, directory, tmp_path):
    ended = digits(
        "score", directory, "--output", tmp_path / "out", "--shadow", "challenger", "--direct"
    )
    assert ended.status == 0, ended.err
    assert "mnist/2 predicts" in ended.out
    assert "of 40 differently" in ended.out
