"""Stages: plain calls, calls through a stage runner, and maps."""

import pickle
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage_runners import around

from pipeline import open_registry
from pipeline.stages import bounded_map, map_stage, serial_map, stage


@given(st.lists(st.tuples(st.integers(), st.integers())), st.integers(1, 5))
def test_bounded_map_yields_in_order_and_limits_unfinished_calls(calls, limit):
    unfinished = []

    class Slow(Future):
        def result(self, timeout=None):
            unfinished.remove(self)
            return super().result(timeout)

    def submit(a, b):
        future = Slow()
        future.set_result(a - b)
        unfinished.append(future)
        assert len(unfinished) <= limit
        return future

    assert list(bounded_map(submit, calls, limit)) == [a - b for a, b in calls]
    assert unfinished == []


def test_calls_may_be_made_one_after_another():
    calls = iter([(1, 2), (3, 4)])
    results = serial_map(lambda a, b: a * b, calls)
    assert next(results) == 2
    assert next(calls) == (3, 4)
    assert list(results) == []


def test_a_version_can_be_sent_to_another_process(version):
    sent = pickle.loads(pickle.dumps(version))
    assert sent == version
    with pytest.raises(TypeError):
        sent.metrics["a"] = 1.0
    with open_registry() as registry:
        assert registry.get(sent.reference) == sent


@stage
def _doubled(number):
    return 2 * number


@stage
def _doubled_twice(number):
    return _doubled(_doubled(number))


def test_a_stage_is_a_plain_function_without_a_stage_runner():
    assert _doubled(3) == 6
    assert list(map_stage(_doubled, [(1,), (2,)])) == [2, 4]
    assert _doubled.__name__ == "_doubled"


def test_a_stage_runner_gets_each_stage_once():
    """A stage that is called by another one is part of it."""
    seen = []

    def call(stage, /, *args):
        seen.append((stage.__name__, args))
        return stage(*args)

    with around(call, map_calls=lambda stage, calls: iter(["mapped", *calls])):
        assert _doubled_twice(3) == 12
        assert list(map_stage(_doubled, [(1,)])) == ["mapped", (1,)]
    assert seen == [("_doubled_twice", (3,))]
    assert _doubled(1) == 2
    assert len(seen) == 1


def test_a_stage_runner_is_no_longer_used_after_a_job_failed():
    with pytest.raises(ZeroDivisionError), around(lambda stage, *_: 1 // 0):
        _doubled(1)
    assert _doubled(1) == 2
