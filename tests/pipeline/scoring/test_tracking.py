"""Progress of a scoring moves by images, whoever scores the shards."""

import threading

import pytest
from PIL import Image

from pipeline.images.reading import Reader
from pipeline.inputs.image_files import ImageFiles
from pipeline.progress import counted, counting_to, reporting_to
from pipeline.scoring import tracking
from pipeline.scoring.tracking import ScoringProgress, track_shard


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(tracking, "_INTERVAL", 0.0)


def test_images_are_counted_when_they_were_dealt_with():
    done = []
    with counting_to(done.append):
        seen = [(image, len(done)) for image in counted("abc")]
    assert seen == [("a", 0), ("b", 1), ("c", 2)]
    assert done == [1, 1, 1]
    assert list(counted("abc")) == ["a", "b", "c"]


def test_a_shard_says_how_far_it_is(tmp_path):
    shard = tmp_path / "000000"
    progress = ScoringProgress("Score", tmp_path, 100)
    reports = []
    with reporting_to(lambda *report: reports.append(report)):
        progress.report()
        progress.add(10, is_resumed=True)
        with track_shard(shard) as tracker:
            tracker.count(5)
            progress.report()
            tracker.reach(20)
            progress.report()
            progress.report()
        assert list(tmp_path.iterdir()) == []
        progress.add(30, is_resumed=False)
        progress.add(1000, is_resumed=False)
    assert [report[:3] for report in reports] == [
        ("Score", done, 100) for done in (0, 10, 15, 30, 40, 100)
    ]
    assert [report[3] for report in reports[:2]] == ["", ""]
    assert reports[-1][3].endswith(" a second")


def test_the_files_of_a_batch_are_counted_one_by_one(tmp_path):
    """Those with several pages too."""
    first, *others = [Image.new("L", (28, 28)) for _ in range(3)]
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    for name in "bc":
        (tmp_path / name).write_text("no image")
    counts = []
    with counting_to(counts.append):
        files = ImageFiles("", str(tmp_path), "", confined=True)
        (batch,) = files.batches(["a.tif", "b", "c"], 10, Reader())
    assert counts == [1, 1, 1]
    assert (len(batch.paths), batch.images_read) == (5, 3)


def test_progress_is_reported_while_a_shard_is_scored(tmp_path):
    """By another thread than the one that waits; listeners are those of the waiting one."""
    progress = ScoringProgress("Score", tmp_path, 10)
    reached = threading.Event()

    def listen(activity, done, total, remark):
        if done == 7:
            reached.set()

    with reporting_to(listen), progress.watching(), track_shard(tmp_path / "000000") as tracker:
        tracker.count(7)
        assert reached.wait(60)


def test_a_file_that_is_being_written_does_not_matter(tmp_path):
    (tmp_path / "000000.done").write_text("")
    (tmp_path / "000001.done").write_text("3")
    reports = []
    with reporting_to(lambda *report: reports.append(report[1])):
        ScoringProgress("Score", tmp_path, 10).report()
    assert reports == [3]
