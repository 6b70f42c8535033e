"""The artifact of a flow run's progress: few requests, and nothing that matters is left out."""

import ast
import os

import forked_commands

# Prefect is not imported here, but in a process of its own. The clock is ours there.
_PROGRAM = """
import uuid
from pipeline.flows import progress_artifacts

shown, now = [], [0.0]

def create(percent, *, key, description):
    shown.append((percent, description))
    return uuid.uuid4()

def update(_, percent, *, description):
    shown.append((percent, description))

progress_artifacts.create_progress_artifact = create
progress_artifacts.update_progress_artifact = update
progress_artifacts.time.monotonic = lambda: now[0]
listener = progress_artifacts.ProgressArtifact("progress")
for activity in ("Verify", "Train"):
    for done in range(1001):
        now[0] += 0.01
        listener(activity, done, 1000, "")
print(shown)
"""


def test_updates_are_a_second_apart_but_each_activity_begins_and_ends():
    ended = forked_commands.python(_PROGRAM, os.environ)
    assert ended.status == 0, ended.err
    shown = ast.literal_eval(ended.out)
    assert [line for line in shown if line[0] in (0, 100)] == [
        (0, "Verify"),
        (100, "Verify"),
        (0, "Train"),
        (100, "Train"),
    ]
    assert 20 <= len(shown) <= 24
    assert len(set(shown)) == len(shown)
