"""The inbox: each file is scored once."""

import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import inbox_process
import numpy as np
import pyarrow.parquet as pq
import pytest

from nn import NeuralNetwork
from pipeline import open_registry, score_inbox
from pipeline.errors import InputError, InvalidParameterError, OutputError
from pipeline.images.encoding import png
from registry import Check, NotFoundError, RunRecord

PASSED = (Check("validation_accuracy", 0.98, 0.97, passed=True),)


@pytest.fixture
def inbox(tmp_path):
    directory = tmp_path / "inbox"
    directory.mkdir()
    return directory


@pytest.fixture
def outbox(tmp_path):
    return tmp_path / "outbox"


@pytest.fixture
def champion(home):
    network = NeuralNetwork((784, 5, 10), epochs=1, seed=1)
    network.fit(np.zeros((10, 784), np.uint8), np.arange(10))
    with open_registry() as registry:
        registry.register("mnist", network.to_bytes(), RunRecord(gate=PASSED))
        registry.register("mnist", network.to_bytes(), RunRecord(gate=PASSED))
        return registry.set_alias("mnist", "champion", 1)


class Scanner:
    """Drops files, no two of which are equal, under names that come again."""

    def __init__(self, inbox):
        self.inbox = inbox
        self.dropped = []
        self._random = np.random.default_rng(1)

    def drop(self, name):
        """Move a whole file in."""
        content = png(self._random.integers(0, 256, (28, 28), np.uint8))
        place = self.inbox / name
        place.parent.mkdir(exist_ok=True)
        # No link: a scanner that finds its last file still there waits for it to be fetched.
        if not place.exists():
            hidden = place.with_name(f".{place.name}")
            hidden.write_bytes(content)
            hidden.rename(place)
            self.dropped.append(content)


def _batches(outbox):
    return sorted(path for path in outbox.iterdir() if path.is_dir())


def _scored(outbox):
    """What is in the images that have a row, once for each row."""
    contents = []
    for batch in _batches(outbox):
        assert (batch / "summary.json").exists()
        rows = pq.read_table(batch / "predictions").to_pylist()
        contents += [(batch / "images" / row["path"]).read_bytes() for row in rows]
        assert len(rows) == sum(path.is_file() for path in (batch / "images").rglob("*"))
    return contents


def test_files_are_moved_and_have_their_rows_beside_them(champion, inbox, outbox):
    scanner = Scanner(inbox)
    for name in ("a.png", "b.PNG", "monday/a.png"):
        scanner.drop(name)
    (inbox / "c.jpg").write_text("no image")
    (inbox / "notes.txt").write_text("not for us")
    (inbox / ".d.png").write_text("not yet")
    (inbox / ".hidden").mkdir()
    (inbox / ".hidden" / "e.png").write_text("not yet")
    (scoring,) = score_inbox(inbox, outbox, settle=0)
    (batch,) = _batches(outbox)
    assert scoring.path == batch / "predictions"
    rows = {row["path"]: row for row in pq.read_table(scoring.path).to_pylist()}
    assert set(rows) == {"a.png", "b.PNG", "c.jpg", "monday/a.png"}
    assert rows["c.jpg"]["error"] == "not an image"
    assert all((batch / "images" / path).exists() for path in rows)
    assert json.loads((batch / "summary.json").read_text())["model"] == "mnist/1"
    left = {str(path.relative_to(inbox)) for path in inbox.rglob("*")}
    assert left == {"notes.txt", ".d.png", ".hidden", ".hidden/e.png", "monday"}


def test_a_file_is_scored_once_and_a_new_file_of_the_same_name_again(champion, inbox, outbox):
    scanner = Scanner(inbox)
    assert score_inbox(inbox, outbox, settle=0) == []
    assert _batches(outbox) == []
    for _ in range(2):
        scanner.drop("a.png")
        assert len(score_inbox(inbox, outbox, settle=0)) == 1
        assert score_inbox(inbox, outbox, settle=0) == []
    assert len(_batches(outbox)) == 2
    assert Counter(_scored(outbox)) == Counter(scanner.dropped)


def test_a_file_stays_in_the_inbox_until_it_is_complete(champion, inbox, outbox):
    """Its modification time does not matter: the writer's clock may differ from ours."""
    content = png(np.full((28, 28), 200, np.uint8))
    ended = threading.Event()

    def write():
        with (inbox / "slow.png").open("wb", buffering=0) as stream:
            for byte in content:
                stream.write(bytes((byte,)))
                os.utime(inbox / "slow.png", (1, 1))
                if ended.wait(0.02):
                    break

    Scanner(inbox).drop("whole.png")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not (inbox / "slow.png").exists():
            time.sleep(0.01)
        (scoring,) = score_inbox(inbox, outbox, settle=0.5)
    finally:
        ended.set()
        writer.join()
    assert pq.read_table(scoring.path)["path"].to_pylist() == ["whole.png"]
    (inbox / "slow.png").write_bytes(content)
    (scoring,) = score_inbox(inbox, outbox, settle=0.1)
    (row,) = pq.read_table(scoring.path).to_pylist()
    assert row["path"] == "slow.png"
    assert row["error"] != "truncated image"


def test_without_a_champion_the_files_stay_in_the_inbox(home, inbox, outbox):
    Scanner(inbox).drop("a.png")
    with pytest.raises(NotFoundError):
        score_inbox(inbox, outbox, settle=0)
    assert (inbox / "a.png").exists()
    assert _batches(outbox) == []


@pytest.mark.parametrize(
    ("inbox_is", "outbox_is", "error", "message"),
    [
        ("none", "out", InputError, "expected a directory as the inbox, got nothing there"),
        ("file", "out", InputError, "expected a directory as the inbox, got a file"),
        ("in", "file", OutputError, "expected a directory as the outbox, got a file"),
        ("in", "in", OutputError, "expected an outbox outside the inbox"),
        ("in", "in/out", OutputError, "expected an outbox outside the inbox"),
        ("in", "elsewhere", OutputError, "expected an outbox on the file system of the inbox"),
    ],
)
def test_an_inbox_or_outbox_that_cannot_be_used_is_an_error(
    champion, tmp_path, inbox_is, outbox_is, error, message
):
    if outbox_is == "elsewhere":
        outbox_is = _on_another_file_system(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(error, match=message):
        score_inbox(tmp_path / inbox_is, tmp_path / outbox_is, settle=0)
    with pytest.raises(InvalidParameterError, match="settle: expected seconds"):
        score_inbox(tmp_path / "in", tmp_path / "out", settle=-1)


def _on_another_file_system(directory):
    """A directory that exists, on a file system that is not that of a directory."""
    for other in map(Path, ("/dev/shm", "/tmp", Path.cwd())):
        if other.is_dir() and other.stat().st_dev != directory.stat().st_dev:
            return other
    pytest.skip("no second file system")


def test_a_batch_that_is_done_stays_with_the_version_that_scored_it(champion, inbox, outbox):
    """Killed right before its end is written down, it is not scored anew after a promotion."""
    Scanner(inbox).drop("a.png")
    score_inbox(inbox, outbox, settle=0)
    (batch,) = _batches(outbox)
    (outbox / ".under-way").write_text(batch.name)
    summary = (batch / "summary.json").read_bytes()
    with open_registry() as registry:
        registry.set_alias("mnist", "champion", 2)
    assert score_inbox(inbox, outbox, settle=0) == []
    assert (batch / "summary.json").read_bytes() == summary
    assert not (outbox / ".under-way").exists()


def test_killed_before_any_action_on_files_it_goes_on_and_loses_nothing(
    champion, inbox, outbox, settings, torture
):
    """Every file has one row in the end, and the batches are what the runs found."""
    scanner = Scanner(inbox)
    killed = 0
    for number in itertools.count(1, 1 if torture else 61):
        if not torture or number % 20 == 1:
            scanner.drop(f"again/{number % 2}.png")
            for place in range(8):
                scanner.drop(f"{number}-{place}.png")
        process = inbox_process.start(settings, inbox, outbox, dies_before=number)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        killed += 1
    assert killed > 5
    score_inbox(inbox, outbox, settle=0)
    assert not any(path.is_file() for path in inbox.rglob("*"))
    assert Counter(_scored(outbox)) == Counter(scanner.dropped)


@pytest.mark.long
def test_killed_at_any_moment_while_files_drop_in_it_loses_nothing(
    champion, inbox, outbox, settings, torture
):
    scanner = Scanner(inbox)
    moments = random.Random(1)
    ended = threading.Event()

    def drop():
        for number in itertools.count():
            scanner.drop(f"{number % 7}/{number % 40}.png")
            if ended.wait(0.01):
                return

    scans = threading.Thread(target=drop)
    scans.start()
    try:
        started = time.monotonic()
        inbox_process.start(settings, inbox, outbox, settle=0.01).join()
        whole = time.monotonic() - started
        for _ in range(150 if torture else 8):
            process = inbox_process.start(settings, inbox, outbox, settle=0.01)
            process.join(moments.uniform(0, 1.2 * whole))
            process.kill()
            process.join()
    finally:
        ended.set()
        scans.join()
    score_inbox(inbox, outbox, settle=0)
    assert len(_batches(outbox)) > 1
    assert Counter(_scored(outbox)) == Counter(scanner.dropped)


@pytest.mark.parametrize("new", [None, b"another file"])
def test_a_file_that_changes_just_before_its_move_goes_back(
    champion, inbox, outbox, monkeypatch, new
):
    """It is scored when it is complete; a file that came under its name meanwhile stays."""
    scanner = Scanner(inbox)
    scanner.drop("1.png")
    scanner.drop("2.png")
    whole = (inbox / "2.png").read_bytes()
    mkdir = Path.mkdir

    def meanwhile(path, *arguments, **options):
        mkdir(path, *arguments, **options)
        if path.name == "images" and (inbox / "1.png").exists():
            with (inbox / "2.png").open("wb") as stream:
                stream.write(whole[:30])

    rename = Path.rename

    def renamed(path, target):
        moved = rename(path, target)
        if new and path == inbox / "2.png":
            path.write_bytes(new)
        return moved

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", meanwhile)
        patch.setattr(Path, "rename", renamed)
        (done,) = score_inbox(inbox, outbox, settle=0)
    assert (inbox / "2.png").read_bytes() == (new or whole[:30])
    assert done.counts.files == (2 if new else 1)
    (inbox / "2.png").write_bytes(whole)
    (done,) = score_inbox(inbox, outbox, settle=0)
    assert (done.counts.files, done.counts.errors) == (1, {})


def test_images_are_recognized_by_content_as_in_a_scoring(champion, inbox, outbox):
    image = png(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8))
    files = {"scan": image, "scan.dat": image, ".hidden": image, "a.txt": b"a", "README": b"a"}
    for name, content in files.items():
        (inbox / name).write_bytes(content)
    (done,) = score_inbox(inbox, outbox, settle=0)
    assert (done.counts.files, done.counts.errors) == (2, {})
    assert sorted(path.name for path in inbox.iterdir()) == [".hidden", "README", "a.txt"]
