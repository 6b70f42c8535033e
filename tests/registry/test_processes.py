"""What the registry promises to several processes, and to one that is killed."""

import multiprocessing
import os
import signal

import pytest
import sqlalchemy as sa

from registry import MissingBlobError, Registry

PROCESSES = 6
EACH = 15

# Each child starts from nothing, as another program would.
spawn = multiprocessing.get_context("spawn")


def _open(directory):
    return Registry(f"sqlite:///{directory}/registry.db", f"{directory}/blobs")


def _register_many(directory, worker, barrier, results):
    barrier.wait()
    with _open(directory) as registry:
        numbers = [
            registry.register("mnist", f"{worker} {i}".encode(), run_id=f"{worker} {i}").number
            for i in range(EACH)
        ]
    results.put((worker, numbers))


def test_processes_that_start_and_register_at_once_share_out_the_numbers(tmp_path):
    """None of them finds a registry; no number is lost, doubled or left out."""
    barrier, results = spawn.Barrier(PROCESSES), spawn.Queue()
    workers = [
        spawn.Process(target=_register_many, args=(tmp_path, worker, barrier, results))
        for worker in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    acknowledged = dict(results.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join()
    numbers = sorted(number for given in acknowledged.values() for number in given)
    assert numbers == list(range(1, PROCESSES * EACH + 1))
    with _open(tmp_path) as registry:
        for worker, given in acknowledged.items():
            for i, number in enumerate(given):
                assert registry.load(f"mnist/{number}") == f"{worker} {i}".encode()


# The calls after each of which the process may be gone. That SQLite's own writes are atomic
# is SQLite's promise; what stands between them and the files is ours.
_CALLS = ("open", "fdopen", "fsync", "close", "mkdir", "link", "replace", "unlink")


def _killed_at(step, directory, action):
    """Run an action in a child that is killed at its `step`th call; tell if it got that far."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    try:
        count = 0

        def counted(function):
            def call(*args, **kwargs):
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return call

        for name in _CALLS:
            setattr(os, name, counted(getattr(os, name)))
        registry = _open(directory)
        engine = registry._database._engine
        for event in ("before_cursor_execute", "commit"):
            sa.event.listen(engine, event, counted(lambda *args: None))
        action(registry)
        os._exit(0)
    except BaseException:
        os._exit(1)


def _check(directory):
    """The registry opens, and every version has its weights."""
    with _open(directory) as registry:
        versions = registry.versions()
        for version in versions:
            registry.load(version.reference)
        assert [v.number for v in versions] == list(range(len(versions), 0, -1))
        return versions


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_any_call_of_a_registration_nothing_is_half_there(tmp_path):
    """And the same registration, tried again with its key, gives the one version."""

    def register(registry):
        registry.register("mnist", b"weights", metrics={"a": 1.0}, idempotency_key="run")

    for step in range(1, 1000):
        directory = tmp_path / str(step)
        if not _killed_at(step, directory, register):
            break
        assert len(_check(directory)) <= 1
        with _open(directory) as registry:
            register(registry)
            assert registry.get("mnist/1").metrics == {"a": 1.0}
        assert len(_check(directory)) == 1
    assert step > 20  # There were that many calls to be killed at.
    assert len(_check(directory)) == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_any_call_of_a_promotion_the_alias_is_where_it_was_or_is_to_be(tmp_path):
    def promote(registry):
        registry.set_alias("mnist", "live", 2)

    with _open(tmp_path) as registry:
        for weights in (b"1", b"2"):
            registry.register("mnist", weights)
    steps = 0
    while True:
        steps += 1
        with _open(tmp_path) as registry:
            registry.set_alias("mnist", "live", 1)
        killed = _killed_at(steps, tmp_path, promote)
        with _open(tmp_path) as registry:
            number = registry.get("mnist@live").number
        if not killed:
            assert number == 2
            break
        assert number in (1, 2)
    assert steps > 5


def test_a_version_without_its_weights_would_be_found(tmp_path):
    """The check above can fail."""
    with _open(tmp_path) as registry:
        digest = registry.register("mnist", b"weights").sha256
    (tmp_path / "blobs" / "sha256" / digest[:2] / digest).unlink()
    with pytest.raises(MissingBlobError):
        _check(tmp_path)
