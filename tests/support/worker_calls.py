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


def is_worker():
    """Whether this process is a worker."""
    return parent_process() is not None


def count_processes(number):
    """Return how many processes the group has."""
    time.sleep(0.1)
    return number, len(processes_of(os.getpgid(0)))


def with_process(number):
    """Return which process this is."""
    time.sleep(0.02)
    return number, os.getpid()


def killed_once(directory, number):
    """Kill the worker at the first attempt."""
    try:
        (Path(directory) / str(number)).touch(exist_ok=False)
    except FileExistsError:
        return (number,)
    if is_worker():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return (number,)


def always_killed(number):
    """Kill the worker."""
    if is_worker():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    return (number,)


def an_hour_in_workers(number):
    """Take an hour in a worker."""
    if is_worker():
        _write_line("in a worker")
        time.sleep(3600)
    time.sleep(0.02)
    return ()


def half_done(directory, number):
    """Record the beginning and the end in files."""
    name = f"{number}.{'worker' if is_worker() else 'first'}"
    (Path(directory) / f"{name}.begun").touch()
    time.sleep(0.5 if is_worker() else 0.02)
    (Path(directory) / f"{name}.done").touch()
    return (number,)


def fails(number):
    """Fail in any process."""
    raise ValueError("no such number")


def fails_in_workers(number):
    """Fail in a worker."""
    time.sleep(0.02)
    if is_worker():
        raise ValueError("no such number")
    return (number,)


class TwoArgumentsError(Exception):
    """An error that pickle cannot restore."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def fails_with_two_arguments(number):
    """Fail in a worker, with an error that pickle cannot restore."""
    time.sleep(0.02)
    if is_worker():
        raise TwoArgumentsError(1, 2)
    return (number,)


def main(function, method, cores, calls):
    """Map a function over numbers."""
    # By name, since spawned workers import the functions from there.
    import worker_calls

    from pipeline import processes

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
