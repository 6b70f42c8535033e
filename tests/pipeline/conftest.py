import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import mnist_sample
import numpy as np
import pytest
import requests

from nn import NeuralNetwork
from pipeline import open_registry
from pipeline.cli.app import main
from pipeline.flows.server import prefect_server
from registry import Check, ModelVersion, RunRecord

SUPPORT = Path(mnist_sample.__file__).parent

PASSED = (Check("validation_accuracy", 0.98125, 0.97, passed=True),)


class Ended(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


@pytest.fixture
def sources(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that has the sample, and a gate that only asks for accuracy.

    What a few epochs on 440 images give is not calibrated, nor does it know every digit.
    """
    monkeypatch.setenv("DIGITS_MIRRORS", str(mnist_sample.DIRECTORY))
    monkeypatch.setenv("DIGITS_GATE__MIN_RECALL", "0")
    monkeypatch.setenv("DIGITS_GATE__MAX_CALIBRATION_ERROR", "1")
    monkeypatch.setenv("DIGITS_GATE__MAX_CALIBRATION_ERROR_OF_DIGIT", "1")
    monkeypatch.setenv("DIGITS_GATE__MAX_CONTRADICTED_LABELS", "1")
    monkeypatch.setenv("DIGITS_GATE__MAX_MILLISECONDS_PER_IMAGE", "1000")
    monkeypatch.setenv("DIGITS_GATE__MAX_LOST_DIGITS", "1")
    monkeypatch.setenv("DIGITS_GATE__MARGIN", "1")
    monkeypatch.setenv("DIGITS_GATE__SIGNIFICANCE", "0")


@pytest.fixture
def digits(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """The command line, in this process."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["digits", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Ended(ended.value.code or 0, captured.out, captured.err)

    return run


@pytest.fixture
def version(home: Path) -> ModelVersion:
    """Weights of a network, registered and champion."""
    network = NeuralNetwork((784, 5, 10), epochs=1, seed=1)
    network.fit(np.zeros((10, 784), np.uint8), np.arange(10))
    with open_registry() as registry:
        registry.register(
            "mnist",
            network.to_bytes(),
            RunRecord(
                metrics={"validation_accuracy": 0.98125},
                params={"preset": "quick"},
                tags={"note": "a\x1b[31mb"},
                gate=PASSED,
            ),
        )
        return registry.set_alias("mnist", "champion", 1)


@pytest.fixture
def start_digits(sources: None) -> Callable[..., subprocess.Popen[str]]:
    """The command line, in a process of its own."""

    def start(*arguments: object, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": f"{SUPPORT}:{SUPPORT / 'site'}", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def digits_apart(start_digits: Callable[..., subprocess.Popen[str]]) -> Callable[..., Ended]:
    """The command line, run to its end in a process of its own."""

    def run(*arguments: object, **variables: str) -> Ended:
        process = start_digits(*arguments, **variables)
        out, err = process.communicate(timeout=180)
        return Ended(process.returncode, out, err)

    return run


@pytest.fixture(scope="session")
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def server(free_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prefect server; the address of its API."""
    directory = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(directory))
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patch.setenv("DO_NOT_TRACK", "1")
        with prefect_server(free_port, directory / "server.log") as address:
            patch.undo()
            yield address


@pytest.fixture
def nothing_deployed(server: str) -> None:
    """The server without the deployments of other tests, whose runs stay."""
    answer = requests.post(f"{server}/deployments/filter", json={}, timeout=30)
    for deployment in answer.json():
        requests.delete(f"{server}/deployments/{deployment['id']}", timeout=30).raise_for_status()
