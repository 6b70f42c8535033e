"""Functions to be called in worker processes, and a process that maps one of them.

Run as ``python -m worker_calls FUNCTION METHOD CORES CALLS``; it prints each result.
"""

import os
import signal
import sys
import time
from functools import partial
from multiprocessing import parent_process
from pathlib import Path

WORKS = "WORKER_CALLS_WORKS"
"""Environment variable: a file that exists as soon as a worker works."""


def _write_line(*words):
    os.write(1, f"{' '.join(map(str, words))}\n".encode())


def _stat(process):
    """Return the fields of ``/proc/PID/stat`` from the state on."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _processes(field, value):
    """Return the running processes whose field has this value."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                stat = _stat(path.name)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if stat[0] not in "ZX" and int(stat[field]) == value:
                found.append(int(path.name))
    return found


def processes_of(group):
    """Return the processes of a process group."""
    return _processes(2, group)


def children_of(parent):
    """Return the child processes of a process."""
    return _processes(1, parent)


def _is_worker(number):
    """Return whether this process is a worker. The one that maps waits here for a worker to work.

    Otherwise it would make all calls by itself on a machine that is too busy to start a worker
    meanwhile. It does not wait in the first call, before which no worker may be started.
    """
    works = Path(os.environ.get(WORKS, os.devnull))
    if parent_process() is not None:
        works.touch()
        return True
    while number and not works.exists():
        time.sleep(0.02)
    return False


def count_processes(number):
    """Return how many processes the group has."""
    _is_worker(number)
    time.sleep(0.1)
    return number, len(processes_of(os.getpgid(0)))


def with_process(number):
    """Return which process this is."""
    _is_worker(number)
    time.sleep(0.02)
    return number, os.getpid()


def killed_once(directory, number):
    """Kill the worker at the first attempt."""
    try:
        (Path(directory) / str(number)).touch(exist_ok=False)
    except FileExistsError:
        return (number,)
    if _is_worker(number):
        os.kill(os.getpid(), signal.SIGKILL)
    return (number,)


def always_killed(number):
    """Kill the worker."""
    if _is_worker(number):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    return (number,)


def an_hour_in_workers(number):
    """Take an hour in a worker."""
    if _is_worker(number):
        _write_line("in a worker")
        time.sleep(3600)
    time.sleep(0.02)
    return ()


def half_done(directory, number):
    """Record the beginning and the end in files."""
    in_worker = _is_worker(number)
    name = f"{number}.{'worker' if in_worker else 'first'}"
    (Path(directory) / f"{name}.begun").touch()
    time.sleep(0.5 if in_worker else 0.02)
    (Path(directory) / f"{name}.done").touch()
    return (number,)


def fails(number):
    """Fail in any process."""
    raise ValueError("no such number")


def fails_in_workers(number):
    """Fail in a worker."""
    if _is_worker(number):
        raise ValueError("no such number")
    return (number,)


class TwoArgumentsError(Exception):
    """An error that pickle cannot restore."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def fails_with_two_arguments(number):
    """Fail in a worker, with an error that pickle cannot restore."""
    if _is_worker(number):
        raise TwoArgumentsError(1, 2)
    return (number,)


def main(function, method, cores, calls):
    """Map a function over numbers."""
    # By name, since spawned workers import the functions from there.
    import worker_calls

    from pipeline.stages import processes

    processes.available_cores = lambda: int(cores)
    name, *directory = function.split(":")
    mapped = partial(getattr(worker_calls, name), *directory)
    mapped.__name__ = name
    numbers = [(number,) for number in range(int(calls))]
    if method == "spawned":
        for result in processes.spawned_map(mapped, numbers, worthwhile=0):
            _write_line(*result)
        return
    with processes.worker_processes() as runner:
        for result in runner.map(mapped, numbers):
            _write_line(*result)
        assert list(runner.map(mapped, [])) == []


if __name__ == "__main__":
    main(*sys.argv[1:])
