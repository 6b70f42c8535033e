"""Calls one after another, side by side, and in other processes."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage_runners import around

from nn import available_cores
from pipeline import open_registry
from pipeline.processes import spawned_map, worker_processes
from pipeline.stages import bounded_map, map_stage, serial_map, stage


@given(st.lists(st.tuples(st.integers(), st.integers())), st.integers(1, 5))
def test_bounded_map_is_in_order_and_never_more_at_once(calls, most):
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

    assert list(bounded_map(submit, calls, most)) == [a - b for a, b in calls]
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
    found = list(spawned_map(_slowly, [(n,) for n in range(120)], worthwhile=0))
    assert sorted(number for number, _ in found) == list(range(120))
    assert found[0] == (0, os.getpid())
    if available_cores() > 1:
        assert len({process for _, process in found}) > 1


_FORKING = """
import os, sys, time
from pipeline.processes import worker_processes

def slowly(number):
    time.sleep(0.05)
    if number < 0:
        raise ValueError(number)
    return number, os.getpid()

if __name__ == "__main__":
    calls = [(int(argument),) for argument in sys.argv[1:]]
    with worker_processes() as runner:
        for number, process in runner.map(slowly, calls):
            print(number, process, flush=True)
        print(list(runner.map(slowly, [])))
"""


def _start_forking(*numbers):
    return subprocess.Popen(
        [sys.executable, "-c", _FORKING, *map(str, numbers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_calls_are_shared_with_forks():
    """In a process that has no threads, as those of the tests have."""
    process = _start_forking(*range(40))
    out, err = process.communicate(timeout=60)
    *lines, last = out.splitlines()
    assert (process.returncode, err, last) == (0, "", "[]")
    found = [[int(word) for word in line.split()] for line in lines]
    assert sorted(number for number, _ in found) == list(range(40))
    if available_cores() > 1:
        assert process.pid in {each for _, each in found} != {process.pid}


def test_a_call_that_fails_in_a_fork_is_told():
    _, err = _start_forking(*[-1] * 40).communicate(timeout=60)
    assert err.rstrip().endswith("ValueError: -1")


def test_forks_end_with_the_process_that_made_them():
    """However it ends."""
    process = _start_forking(*range(10_000))
    with process:
        forks = set()
        while available_cores() > 1 and not forks:
            _, pid = process.stdout.readline().split()
            forks = {int(pid)} - {process.pid}
        process.kill()
    for fork in forks:
        while _is_running(fork):
            time.sleep(0.05)


def _is_running(process):
    """Whether it is there, and more than an entry that nobody has asked about."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def test_with_threads_nothing_is_forked():
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    with worker_processes() as runner:
        assert multiprocessing.active_children() == []
        assert list(runner.map(_with_process, [(n,) for n in range(2)])) == [
            (n, os.getpid()) for n in range(2)
        ]
    ended.set()
    thread.join()


def test_little_work_needs_no_other_process():
    assert list(spawned_map(_with_process, [(n,) for n in range(3)])) == [
        (n, os.getpid()) for n in range(3)
    ]
    assert list(spawned_map(_with_process, [])) == []
    assert list(serial_map(_with_process, [(1,)])) == [(1, os.getpid())]


@pytest.mark.parametrize("fails", [0, 1, 100])
def test_a_call_that_fails_is_told(fails):
    calls = [(-1 if n == fails else n,) for n in range(101)]
    with pytest.raises(ValueError, match="-1"):
        list(spawned_map(_slowly, calls, worthwhile=0))


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


def test_a_stage_is_a_plain_function_unless_something_runs_it():
    assert _doubled(3) == 6
    assert list(map_stage(_doubled, [(1,), (2,)])) == [2, 4]
    assert _doubled.__name__ == "_doubled"


def test_a_stage_runner_gets_each_stage_once():
    """A stage that another one calls is part of that one."""
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


def test_a_stage_runner_is_left_even_if_the_job_fails():
    with pytest.raises(ZeroDivisionError), around(lambda stage, *_: 1 // 0):
        _doubled(1)
    assert _doubled(1) == 2
