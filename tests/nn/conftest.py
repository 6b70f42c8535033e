"""Fixtures of the tests of the network."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import mnist_sample
import pytest
import small_training

import nn.session


@pytest.fixture(scope="session")
def train():
    """Images and labels of the sample of MNIST."""
    return mnist_sample.arrays(mnist_sample.SAMPLE.train)


@pytest.fixture(scope="session")
def test():
    """Test images and labels of the sample of MNIST."""
    return mnist_sample.arrays(mnist_sample.SAMPLE.test)


@pytest.fixture
def small_trainings_share(monkeypatch):
    """Small trainings use as many processes as `threads` allows."""
    for name in small_training.THRESHOLDS:
        monkeypatch.setattr(nn.session, name, 1)


@pytest.fixture
def worker_processes(small_trainings_share, monkeypatch):
    """The worker processes started so far; they are killed at the end of the test."""
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr("nn.parallel.workers.subprocess.Popen", Recorded)
    yield started
    for process in started:
        process.kill()
        process.communicate()


class TrainingProcess:
    """A small training in another process."""

    def __init__(self, halt, checkpoint=None, **params):
        task = {"params": params, "halt": halt, "checkpoint": checkpoint and str(checkpoint)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "small_training", json.dumps(task)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, point):
        """Wait until the training reaches a point."""
        for line in self._process.stdout:
            if line.strip() == point:
                return
        pytest.fail(f"the training ended before {point!r}: {self._process.stderr.read()}")

    def kill(self):
        """Kill this process, but not its workers."""
        self._process.kill()

    def interrupt(self):
        """Interrupt all its processes, as Ctrl-C does."""
        os.killpg(self._process.pid, signal.SIGINT)

    def wait(self):
        """Wait for it and its workers, which keep its output open; return its error output."""
        return self._process.communicate(timeout=120)[1]

    def remove(self):
        """Kill and wait for all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@pytest.fixture
def start_training():
    """Start small trainings in other processes; they are killed at the end of the test."""
    started = []

    def start(*args, **kwargs):
        started.append(TrainingProcess(*args, **kwargs))
        return started[-1]

    yield start
    for process in started:
        process.remove()
