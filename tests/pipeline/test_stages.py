"""Calls one after another, side by side, and in other processes."""

import os
import pickle
import time
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import open_registry
from pipeline.processes import available_cores, in_processes
from pipeline.stages import in_turn, side_by_side


@given(st.lists(st.tuples(st.integers(), st.integers())), st.integers(1, 5))
def test_side_by_side_is_in_order_and_never_more_at_once(calls, most):
    under_way = []

    class Slow(Future):
        def result(self, timeout=None):
            under_way.remove(self)
            return super().result(timeout)

    def submit(a, b):
        future = Slow()
        future.set_result(a - b)
        under_way.append(future)
        assert len(under_way) <= most
        return future

    assert list(side_by_side(submit, calls, most)) == [a - b for a, b in calls]
    assert under_way == []


def _with_process(number):
    if number < 0:
        raise ValueError(number)
    return number, os.getpid()


def _slowly(number):
    time.sleep(0.05)
    return _with_process(number)


def test_calls_are_shared_with_other_processes():
    """Each is made once; this process does not wait until the others have started."""
    found = list(in_processes(_slowly, [(n,) for n in range(120)], worthwhile=0))
    assert sorted(number for number, _ in found) == list(range(120))
    assert found[0] == (0, os.getpid())
    if available_cores() > 1:
        assert len({process for _, process in found}) > 1


def test_little_work_needs_no_other_process():
    assert list(in_processes(_with_process, [(n,) for n in range(3)])) == [
        (n, os.getpid()) for n in range(3)
    ]
    assert list(in_processes(_with_process, [])) == []
    assert list(in_turn(_with_process, [(1,)])) == [(1, os.getpid())]


@pytest.mark.parametrize("fails", [0, 1, 100])
def test_a_call_that_fails_is_told(fails):
    calls = [(-1 if n == fails else n,) for n in range(101)]
    with pytest.raises(ValueError, match="-1"):
        list(in_processes(_slowly, calls, worthwhile=0))


def test_a_version_can_be_sent_to_another_process(version):
    sent = pickle.loads(pickle.dumps(version))
    assert sent == version
    with pytest.raises(TypeError):
        sent.metrics["a"] = 1.0
    with open_registry() as registry:
        assert registry.get(sent.reference) == sent
