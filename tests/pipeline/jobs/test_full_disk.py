"""Full disks: one message that names the place, and going on once there is space."""

import os
import shutil

import numpy as np
import pytest
from mnist_sample import SAMPLE
from small_disk import fill, open_files, small_disk

from pipeline import score
from pipeline.data.preparation import download
from pipeline.errors import DiskFullError
from pipeline.files import require_space
from pipeline.images.encoding import png


@pytest.fixture
def disk(tmp_path):
    """A small disk; the tests fill it with a file, and remove the file."""
    with small_disk(tmp_path / "disk", "1m") as directory:
        yield directory


def _place_named(act):
    """Return the place that an error names; None if there was space."""
    try:
        act()
    except DiskFullError as error:
        return error.path
    return None


@pytest.fixture
def images(tmp_path):
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / "in" / f"{number}.png"
        path.write_bytes(png(rng.integers(0, 255, (28, 28), np.uint8)))
    return tmp_path / "in"


def test_a_scoring_names_the_place_and_goes_on(version, images, disk, digits, monkeypatch):
    """Wherever the disk is full: with every number of free pages."""
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", 10)
    outcomes = []
    for free in range(0, 40, 3):
        fill(disk / "filler", free)
        outcomes.append(_place_named(lambda: score(images, disk / "out")))
        # A file that was removed, and is still open, keeps its space.
        assert open_files(disk) == []
        (disk / "filler").unlink()
    full = [place for place in outcomes if place is not None]
    assert len(full) >= 3
    assert all(place.is_relative_to(disk / "out") for place in full)
    assert score(images, disk / "out").counts.files == 60
    shutil.rmtree(disk / "out")
    fill(disk / "filler", 1)
    ended = digits("score", images, "--output", disk / "out", "--direct")
    assert ended.status == 1
    assert ended.err.count("no space is left on the disk") == 1
    assert "Traceback" not in ended.err


def test_a_flow_needs_space_for_its_server_before_it_starts_one(version, images, disk, digits):
    """Prefect would try for minutes."""
    shutil.copytree(os.environ["DIGITS_HOME"], disk / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITS_HOME", str(disk / "home"))
        patch.delenv("PREFECT_API_URL", raising=False)
        ended = digits("score", images, "--output", images.parent / "out")
    assert ended.status == 1
    assert f"Error: {disk}/home: no space is left on the disk" in ended.err
    assert "Starting a Prefect server" not in ended.err


def test_an_ingestion_does_not_blame_the_network(sources, disk):
    for free in (0, 1, 3):
        fill(disk / "filler", free)
        with pytest.raises(DiskFullError, match=f"{disk}/data"):
            download(disk / "data", os.environ["DIGITS_MIRRORS"].split(","), SAMPLE)
        (disk / "filler").unlink()


def test_space_is_tried_and_given_back(disk):
    fill(disk / "filler", 10)
    require_space(disk, 4 * 4096)
    require_space(disk / "new", 4 * 4096)
    with pytest.raises(DiskFullError):
        require_space(disk, 20 * 4096)
    assert os.statvfs(disk).f_bavail >= 9
