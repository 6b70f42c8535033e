"""The artifact of a flow run's progress: few requests, and nothing that matters is left out."""

import uuid

import pytest

from pipeline.flows import progress_artifacts
from pipeline.flows.progress_artifacts import ProgressArtifact


@pytest.fixture
def clock(monkeypatch):
    """Seconds, in a list of one, that the artifact takes for the time."""
    now = [0.0]
    monkeypatch.setattr(progress_artifacts.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def shown(monkeypatch):
    """What the server would be asked to show: percentages and descriptions."""
    shown = []

    def create(percent, *, key, description):
        shown.append((percent, description))
        return uuid.uuid4()

    def update(_, percent, *, description):
        shown.append((percent, description))

    monkeypatch.setattr(progress_artifacts, "create_progress_artifact", create)
    monkeypatch.setattr(progress_artifacts, "update_progress_artifact", update)
    return shown


def test_updates_are_a_second_apart_but_each_activity_begins_and_ends(clock, shown):
    listener = ProgressArtifact("progress")
    for activity in ("Verify", "Train"):
        for done in range(1001):
            clock[0] += 0.01
            listener(activity, done, 1000, "")
    assert [line for line in shown if line[0] in (0, 100)] == [
        (0, "Verify"),
        (100, "Verify"),
        (0, "Train"),
        (100, "Train"),
    ]
    assert 20 <= len(shown) <= 24
    assert len(set(shown)) == len(shown)
