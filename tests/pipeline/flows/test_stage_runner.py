"""How many calls a task makes."""

import json
import os

import forked_commands

PROGRAM = """
import json
from pipeline.flows.stage_runner import _calls_of_a_task
print(json.dumps([_calls_of_a_task(calls) for calls in range(2_000)]))
"""


def test_tasks_are_few_but_enough_for_the_workers():
    """Of few shards each is a task; a task that is repeated repeats few."""
    ended = forked_commands.python(PROGRAM, os.environ)
    assert ended.status == 0, ended.err
    for calls, size in enumerate(json.loads(ended.out)):
        tasks = -(-calls // size)
        assert 1 <= size <= 8
        assert tasks >= min(calls, 8)
        assert tasks <= max(16, -(-calls // 8))
