"""The look into the inbox with which `digits serve` begins."""

import os
from types import SimpleNamespace

import forked_commands
import numpy as np
import pytest

from pipeline import open_registry
from pipeline.images.encoding import png

# Looks once for each argument: until the batch is scored, until the image is seen, or until the
# look has ended.
PROGRAM = """
import multiprocessing, psutil, time
from pathlib import Path
from pipeline.flows.first_look import first_look

inbox, outbox = Path({inbox!r}), Path({outbox!r})
with first_look({{"inbox": inbox, "outbox": outbox, "settle": {settle}}}):
    (look,) = multiprocessing.active_children()
    # The process is collected by itself.
    while psutil.pid_exists(look.pid) and not {until}:
        time.sleep(0.1)
assert not psutil.pid_exists(look.pid)
"""


@pytest.fixture
def looked(home, tmp_path):
    """Return a function that looks into an inbox with one image for the first time.

    It returns the number of scored batches, the outcomes of the recorded runs, and standard error.
    """
    boxes = SimpleNamespace(inbox=tmp_path / "inbox", outbox=tmp_path / "outbox")
    boxes.inbox.mkdir()
    (boxes.inbox / "1.png").write_bytes(png(np.full((28, 28), 200, np.uint8)))

    def look(settle, until="False"):
        program = PROGRAM.format(
            inbox=str(boxes.inbox), outbox=str(boxes.outbox), settle=settle, until=until
        )
        ended = forked_commands.python(program, os.environ)
        assert ended.status == 0, ended.err
        batches = len(list(boxes.outbox.glob("2*/summary.json")))
        with open_registry() as registry:
            outcomes = [run.outcome for run in registry.job_runs.read("score-inbox")]
        return batches, outcomes, ended.err

    return look


def test_the_images_that_wait_are_scored_without_a_flow(retrained, looked):
    assert looked(settle=0)[:2] == (1, ["completed"])


def test_a_look_ends_with_serve_and_is_no_crash(retrained, looked):
    has_begun = "any(outbox.glob('.*'))"
    assert looked(settle=3600, until=has_begun)[:2] == (0, ["stopped"])


def test_a_look_that_fails_is_one_line(version, looked, monkeypatch):
    """The flow looks again."""
    with open_registry() as registry:
        registry.delete_alias("mnist", "champion")
    batches, outcomes, err = looked(settle=0)
    assert (batches, outcomes) == (0, ["failed"])
    assert err.startswith("The first look into the inbox failed: ")
    assert err.count("\n") == 1
