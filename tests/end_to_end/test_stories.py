"""Three stories of users, each a script of at most five commands that need no guess.

The commands run in this process, on the sample of MNIST.
"""

import csv
import shlex
import sys
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mnist_sample
import numpy as np
import pytest
from homes import use_sources
from mnist_sample import SAMPLE
from processes import Ended
from small_images import write_labelled

from pipeline.cli.app import main
from pipeline.images.encoding import png
from pipeline.training.presets import PRESETS

STORIES = Path(__file__).parent / "stories"
MOST_COMMANDS = 5
IMAGES, _ = mnist_sample.arrays(SAMPLE.test)


@pytest.fixture
def story(home, monkeypatch, tmp_path, capsys):
    """Run the commands of a story one after another; yield what each prints."""
    use_sources(monkeypatch)
    monkeypatch.setenv("DIGITS_GATE__MIN_ACCURACY", "0.3")
    monkeypatch.setitem(PRESETS, "quick", {**PRESETS["quick"], "epochs": 3})
    monkeypatch.chdir(tmp_path)

    def tell(name):
        lines = (STORIES / f"{name}.sh").read_text().splitlines()
        commands = [shlex.split(line) for line in lines if not line.startswith("#")]
        assert len(commands) <= MOST_COMMANDS
        for command in commands:
            assert command[0] == "digits"
            monkeypatch.setattr(sys, "argv", command)
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
            out, err = capsys.readouterr()
            assert not ended.value.code, err
            yield Ended(0, out, err)

    return tell


def test_every_story_is_told():
    source = Path(__file__).read_text()
    for path in STORIES.iterdir():
        assert f'story("{path.stem}")' in source


def test_a_team_trains_on_its_own_images_every_night(story, tmp_path):
    write_labelled(tmp_path / "own", np.random.default_rng(0), 60)
    first, plan, second, explained = story("own_images_nightly")
    assert "mnist/1 promoted" in first.out
    assert "60 new labelled images" in plan.out
    assert "mnist/2 promoted" in second.out
    assert "trained on" in second.out
    assert "60 new labelled images; validation accuracy 0." in explained.out
    assert "own held-out images 0." in explained.out


def test_a_person_gets_a_spreadsheet_of_scans(story, tmp_path):
    (tmp_path / "scans").mkdir()
    for number in range(20):
        (tmp_path / "scans" / f"{number}.png").write_bytes(png(255 - IMAGES[number]))
    _, read, scored = story("spreadsheet")
    file, digit, confidence = read.out.split()
    assert (file, len(digit)) == ("scans/0.png", 1)
    assert 0 < float(confidence) <= 1
    assert "scores/predictions.xlsx" in scored.out
    assert zipfile.is_zipfile(tmp_path / "scores" / "predictions.xlsx")
    with (tmp_path / "scores" / "review.csv").open(newline="") as stream:
        review = [row["path"] for row in csv.DictReader(stream)]
    assert f"{len(review)} to review: scores/review.csv" in scored.out


def test_somebody_asks_what_was_in_production_last_tuesday(story, monkeypatch):
    """A version on Monday the 23rd, and another on Wednesday."""
    monday = datetime(2026, 11, 23, 3, tzinfo=UTC)
    days = iter((0, 2, 3, 3, 3))
    now = monday

    def clock():
        return round(now.timestamp() * 1e9)

    monkeypatch.setattr(time, "time_ns", clock)
    told = story("last_tuesday")
    outputs = []
    for day in days:
        now = monday + timedelta(days=day)
        outputs.append(next(told).out)
    _, _, explained, shown, rolled_back = outputs
    lines = [line.strip() for line in explained.splitlines()]
    assert lines[0] == "mnist@champion at 2026-11-24 23:59:59 UTC"
    assert lines[1].startswith("version      mnist/1, validation accuracy 0.")
    assert lines[2].startswith("since        2026-11-23 03:00:00 UTC by ")
    assert lines[3].startswith("until        2026-11-25 03:00:00 UTC, followed by mnist/2")
    assert lines[4].startswith("why it came  the first champion; validation accuracy 0.")
    assert lines[5].startswith("why it went  seed 1 instead of 0; validation accuracy 0.")
    assert shown.startswith("mnist/1\n")
    assert rolled_back == "mnist@champion is mnist/1 now (before: mnist/2).\n"
