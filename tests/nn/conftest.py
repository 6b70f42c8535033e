"""What the tests of the network share."""

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
    """Others, not to be trained on."""
    return mnist_sample.arrays(mnist_sample.SAMPLE.test)


@pytest.fixture
def helped(monkeypatch):
    """Trainings get as many processes as they may have, however small they are."""
    for name in small_training.THRESHOLDS:
        monkeypatch.setattr(nn.session, name, 1)


@pytest.fixture
def helpers(helped, monkeypatch):
    """The helper processes that have been started, a list that grows; trainings get them."""
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr("nn.parallel.workers.subprocess.Popen", Recorded)
    return started


class Apart:
    """A small training in a process of its own."""

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

    def reach(self, place):
        """Wait until it is there."""
        for line in self._process.stdout:
            if line.strip() == place:
                return
        pytest.fail(f"it ended before {place!r}: {self._process.stderr.read()}")

    def kill(self):
        """End this process, and not its helpers."""
        self._process.kill()

    def interrupt(self):
        """Do what Ctrl-C does, to all of its processes."""
        os.killpg(self._process.pid, signal.SIGINT)

    def ended(self):
        """Wait for it and its helpers, which have its output open; return its errors."""
        return self._process.communicate(timeout=120)[1]

    def remove(self):
        """Leave nothing, whatever a test came to."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@pytest.fixture
def apart():
    """Starts small trainings in processes of their own."""
    started = []

    def start(*args, **kwargs):
        started.append(Apart(*args, **kwargs))
        return started[-1]

    yield start
    for process in started:
        process.remove()
