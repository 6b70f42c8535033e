"""How many calls a task makes."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.flows.stage_runner import _calls_of_a_task


@given(st.integers(0, 10_000))
def test_tasks_are_few_but_enough_for_the_workers(calls):
    """Of few shards each is a task; a task that is repeated repeats few."""
    size = _calls_of_a_task(calls)
    tasks = -(-calls // size)
    assert 1 <= size <= 8
    assert tasks >= min(calls, 16)
    assert tasks <= max(32, -(-calls // 8))
