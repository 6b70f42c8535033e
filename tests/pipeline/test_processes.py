"""Calls on several cores, whatever happens to the processes that make them."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import worker_calls

from pipeline.stages.processes import spawned_map, worker_processes

SUPPORT = Path(worker_calls.__file__).parent


@pytest.fixture
def start_map(tmp_path_factory):
    """Start processes that map a function of `worker_calls`; they are killed after the test.

    Each leads a process group, so its workers can be counted.
    """
    started = []

    def start(function, calls, *, method="forked", cores=2):
        command = [sys.executable, "-m", "worker_calls", function, method, str(cores), str(calls)]
        environment = {**os.environ, "PYTHONPATH": f"{SUPPORT}:{os.environ.get('PYTHONPATH', '')}"}
        if cores > 1:
            environment[worker_calls.WORKS] = str(tmp_path_factory.mktemp("workers") / "works")
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        for each in worker_calls.processes_of(process.pid):
            os.kill(each, signal.SIGKILL)
        process.communicate()


def _numbers(out):
    """Return each line as a list of numbers; the first is the number of the call."""
    return [[int(word) for word in line.split()] for line in out.splitlines()]


def _wait_for_worker(process):
    while process.stdout.readline() != "in a worker\n":
        assert process.poll() is None


def _wait_until_none_is_left(group):
    while worker_calls.processes_of(group):
        time.sleep(0.02)


METHODS = pytest.mark.parametrize("method", ["forked", "spawned"])


@METHODS
@pytest.mark.parametrize(("calls", "cores"), [(0, 4), (1, 4), (3, 4), (12, 3), (4, 1)])
def test_no_more_workers_are_started_than_there_are_other_cores_and_other_calls(
    start_map, method, calls, cores
):
    process = start_map("count_processes", calls, method=method, cores=cores)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    results = _numbers(out)
    assert sorted(number for number, _ in results) == list(range(calls))
    # `spawned_map` has made one call before it starts any.
    workers = min(cores - 1, max(0, calls - (1 if method == "forked" else 2)))
    # The process that maps, and the one that forks workers or tracks resources of spawned ones.
    others = 2 if (cores > 1 if method == "forked" else workers) else 1
    most = max((count for _, count in results), default=0)
    assert most <= others + workers
    if method == "forked" and workers:
        assert most > others
    _wait_until_none_is_left(process.pid)


@METHODS
def test_calls_are_shared_with_other_processes(start_map, method):
    """Each is made once, and the process that maps makes some as well."""
    process = start_map("with_process", 60, method=method, cores=3)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    results = _numbers(out)
    assert sorted(number for number, _ in results) == list(range(60))
    makers = {maker for _, maker in results}
    assert process.pid in makers
    assert len(makers) > 1


@METHODS
def test_the_call_of_a_killed_worker_is_repeated_in_another(start_map, method, tmp_path):
    """A worker is killed in each call that is made for the first time."""
    process = start_map(f"killed_once:{tmp_path}", 40, method=method)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert sorted(number for number, *_ in _numbers(out)) == list(range(40))
    assert list(tmp_path.iterdir())
    assert "A worker process was killed; its call is repeated in a new one." in err
    assert "Traceback" not in err
    _wait_until_none_is_left(process.pid)


@METHODS
def test_a_call_that_kills_two_workers_is_one_clear_error(start_map, method):
    process = start_map("always_killed", 40, method=method)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "WorkerError: Two worker processes were killed in the same call of always_killed" in err
    assert "BrokenPipe" not in err
    _wait_until_none_is_left(process.pid)


@METHODS
def test_workers_end_with_the_process_that_started_them_however_it_ends(start_map, method):
    """Even in the middle of a call that takes an hour."""
    process = start_map("an_hour_in_workers", 1000, method=method)
    _wait_for_worker(process)
    process.kill()
    process.wait()
    _wait_until_none_is_left(process.pid)


def test_workers_end_with_the_process_that_forks_them(start_map):
    """No new worker can then be forked, so the call cannot be repeated."""
    process = start_map("an_hour_in_workers", 1000)
    _wait_for_worker(process)
    (server,) = worker_calls.children_of(process.pid)
    os.kill(server, signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "WorkerError: Two worker processes were killed" in err
    _wait_until_none_is_left(process.pid)


@METHODS
def test_after_ctrl_c_workers_finish_their_calls_and_start_no_other(start_map, method, tmp_path):
    """Ctrl-C is sent to all processes of a terminal; workers ignore it."""
    process = start_map(f"half_done:{tmp_path}", 1000, method=method)
    while not any(tmp_path.glob("*.worker.begun")):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert err.count("Traceback") == 1
    assert err.rstrip().endswith("KeyboardInterrupt")
    _wait_until_none_is_left(process.pid)
    in_workers = {path for path in tmp_path.iterdir() if "worker" in path.name}
    begun = {path.stem for path in in_workers if path.suffix == ".begun"}
    assert begun == {path.stem for path in in_workers if path.suffix == ".done"}
    assert len(begun) < 100


@METHODS
@pytest.mark.parametrize("function", ["fails", "fails_in_workers"])
def test_an_error_in_a_call_is_raised(start_map, method, function):
    process = start_map(function, 40, method=method)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.rstrip().endswith("ValueError: no such number")
    assert "def fails" not in err
    _wait_until_none_is_left(process.pid)


def test_an_error_that_cannot_be_pickled_keeps_its_message(start_map):
    _, err = start_map("fails_with_two_arguments", 40).communicate()
    assert err.rstrip().endswith("Error: 1 and 2")


def test_if_there_are_threads_nothing_is_forked():
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    before = worker_calls.children_of(os.getpid())
    with worker_processes() as runner:
        assert worker_calls.children_of(os.getpid()) == before
        results = list(runner.map(worker_calls.with_process, [(n,) for n in range(2)]))
        assert results == [(n, os.getpid()) for n in range(2)]
    ended.set()
    thread.join()


def test_little_work_starts_no_other_process():
    results = list(spawned_map(worker_calls.with_process, [(n,) for n in range(3)]))
    assert results == [(n, os.getpid()) for n in range(3)]
    assert list(spawned_map(worker_calls.with_process, [])) == []
