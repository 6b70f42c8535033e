"""kill -9 at random moments of a retraining: the one after it ends as if there had been none."""

import random
import shutil
import signal
import subprocess
import time
from collections import Counter

import numpy as np
import pytest
from brief_retrainings import VARIABLE
from small_images import write_labelled

from pipeline import open_registry
from pipeline.settings import load_settings

KILLS, SAMPLE = 50, 2

COMMAND = ("retrain", "--preset", "quick", "--min-accuracy", "0.3", "--direct")


@pytest.fixture
def brief(torture):
    """Variables of the environment with which retrainings are brief, except in the full torture."""
    return {} if torture else {VARIABLE: "without pictures"}


@pytest.fixture(params=["the first", "the next, with own images"])
def case(request, tmp_path, home, digits_apart, brief):
    """The command, and what there is under the home before it."""
    before = tmp_path / "before"
    if request.param == "the first":
        before.mkdir()
        return COMMAND, before
    assert digits_apart(*COMMAND, "--seed", 1, **brief).status == 0
    home.rename(before)
    write_labelled(tmp_path / "own", np.random.default_rng(0), 40)
    return (*COMMAND, "--labelled", str(tmp_path / "own")), before


@pytest.mark.long
def test_killed_at_any_moment_and_run_again(
    case, home, start_digits, digits_apart, brief, torture, measured, request
):
    """A clean end, the bytes of a run that nobody killed, no version and no event twice."""
    command, before = case
    shutil.copytree(before, home)
    started = time.monotonic()
    process = start_digits(*command, **brief)
    _, err = process.communicate()
    whole = time.monotonic() - started
    assert process.returncode == 0, err
    undisturbed = _what_there_is(home)
    assert undisturbed["temporary"] == undisturbed["findings"] == []
    assert "champion" in undisturbed["versions"][0]["aliases"]

    moments = random.Random(0)
    found = Counter()
    while found.total() < (KILLS if torture else SAMPLE) // 2:
        shutil.rmtree(home)
        shutil.copytree(before, home)
        started = time.monotonic()
        process = start_digits(*command, **brief)
        try:
            process.communicate(timeout=moments.uniform(0, whole))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        if process.returncode != -signal.SIGKILL:
            # It was faster than that: nobody was killed.
            whole = time.monotonic() - started
            continue
        found[_how_far(home, len(undisturbed["versions"]))] += 1
        ended = digits_apart(*command, **brief)
        assert ended.status == 0, ended.err
        assert _what_there_is(home) == undisturbed
    measured(
        f"retrain, {request.node.callspec.id}: {found.total()} kills within {whole:.1f} s: "
        + ", ".join(f"{count} {where}" for where, count in found.most_common())
    )


def _what_there_is(home):
    """All that a retraining leaves but times, the names of runs, and what follows from them."""
    settings = load_settings()
    with open_registry() as registry:
        versions = registry.versions()
        history = registry.history("mnist")
        # Of the database itself it says how good its release is.
        findings = [found for found in registry.verify() if found.subject != "database"]
    run_ids = [version.run_id for version in versions]
    assert len(set(run_ids)) == len(run_ids)
    assert {path.name for path in settings.runs.iterdir()} == set(run_ids)
    return {
        "versions": [
            {
                "number": version.number,
                "sha256": version.sha256,
                "aliases": version.aliases,
                "inputs": version.inputs,
                "params": version.params,
                "parent": version.parent,
                "test_accuracy": version.metrics["test_accuracy"],
                "validation_accuracy": version.metrics["validation_accuracy"],
            }
            for version in versions
        ],
        "history": [(event.kind, event.alias, event.number) for event in history],
        "findings": findings,
        "blobs": sorted(p.name for p in (home / "blobs" / "sha256").rglob("*") if p.is_file()),
        "records": len(list(settings.runs.rglob("*.json"))),
        "unfinished": sorted(path.name for path in settings.unfinished.iterdir()),
        "temporary": [path for path in home.rglob(".*.tmp") if "blobs" not in path.parts],
    }


def _how_far(home, versions):
    """What a run that was killed had come to."""
    unfinished = home / "unfinished"
    work = [path for path in unfinished.glob("*") if path.is_dir()]
    if not (home / "registry.db").exists():
        return "before or while there was data to get"
    with open_registry() as registry:
        is_registered = len(registry.versions()) == versions
    if is_registered:
        return "after it was registered" if work else "after its last step"
    if not work:
        return "before training"
    return "after training" if list(unfinished.glob("*/candidate.json")) else "in training"
