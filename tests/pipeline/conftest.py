import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import brief_retrainings
import forked_commands
import homes
import numpy as np
import pytest
import requests
from prefect_api import post
from processes import LIMIT, Ended, stop, until
from receivers import SECRET, Receiver, receiver

from nn import NeuralNetwork
from pipeline import Settings, open_registry, retrain, sample, score
from pipeline.cli.app import main
from pipeline.flows.server import free_port, prefect_server
from pipeline.training.presets import PRESETS
from registry import Check, ModelVersion, RunRecord

PASSED = (Check("validation_accuracy", 0.98125, 0.97, passed=True),)


@pytest.fixture
def sources(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that has the sample, and a gate that only asks for accuracy."""
    homes.use_sources(monkeypatch)


@pytest.fixture
def brief_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network of the preset quick, for four epochs."""
    _train_briefly(monkeypatch)


def _train_briefly(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(PRESETS, "quick", brief_retrainings.QUICK)


@pytest.fixture(scope="session")
def home_after_retraining(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after one retraining, with the preset quick and no argument but a low accuracy."""
    with pytest.MonkeyPatch.context() as patch:
        home = homes.use_home(tmp_path_factory.mktemp("retrained"), patch)
        homes.use_sources(patch)
        _train_briefly(patch)
        retrain(preset="quick", min_accuracy=0.3)
        return home


@pytest.fixture
def retrained(
    home_after_retraining: Path, home: Path, sources: None, brief_training: None
) -> ModelVersion:
    """The champion of a home in which one retraining was done."""
    shutil.copytree(home_after_retraining, home)
    with open_registry() as registry:
        return registry.get("mnist@champion")


@pytest.fixture
def scored(
    retrained: ModelVersion, tmp_path: Path, request: pytest.FixtureRequest
) -> tuple[Path, dict[str, str]]:
    """The output of a scoring of some images, by default 60, and their labels by path."""
    sample(getattr(request, "param", 60), tmp_path / "scans")
    score(tmp_path / "scans", tmp_path / "scores")
    lines = (tmp_path / "scans" / "labels.csv").read_text().splitlines()[1:]
    return tmp_path / "scores", dict(line.split(",") for line in lines)


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


@pytest.fixture(scope="session")
def home_with_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the weights of a network, registered and champion."""
    network = NeuralNetwork((784, 5, 10), epochs=1, seed=1)
    network.fit(np.zeros((10, 784), np.uint8), np.arange(10))
    home = tmp_path_factory.mktemp("version") / "home"
    with open_registry(Settings(home=home)) as registry:
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
        registry.set_alias("mnist", "champion", 1)
    return home


@pytest.fixture
def version(home_with_version: Path, home: Path) -> ModelVersion:
    """The champion of a copy of that home."""
    shutil.copytree(home_with_version, home)
    with open_registry() as registry:
        return registry.get("mnist@champion")


@pytest.fixture
def inbox_of_messages() -> Iterator[Receiver]:
    """A receiver of messages."""
    with receiver() as running:
        yield running


@pytest.fixture
def webhook(home: Path, inbox_of_messages: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The only receiver that is set up, as a signed webhook."""
    monkeypatch.setenv("DIGITS_NOTIFY", f"{inbox_of_messages.address}/hook#{SECRET}")
    return inbox_of_messages


@pytest.fixture
def environment_apart(sources: None) -> dict[str, str]:
    """The environment of processes for which MNIST is the sample too."""
    return homes.environment_apart()


@pytest.fixture
def start_digits(
    environment_apart: dict[str, str],
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line in a new process, which does not outlive the test."""
    processes = []

    def start(*arguments: object, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *map(str, arguments)],
            env={**environment_apart, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        stop(process)


@pytest.fixture
def digits_apart(environment_apart: dict[str, str]) -> Callable[..., Ended]:
    """Run the command line to its end, in a process of its own."""

    def run(*arguments: object, **variables: str) -> Ended:
        return forked_commands.digits(
            [str(argument) for argument in arguments], {**environment_apart, **variables}
        )

    return run


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prefect server; the address of its API."""
    directory = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(directory))
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patch.setenv("DO_NOT_TRACK", "1")
        with prefect_server(free_port(), directory / "server.log") as address:
            patch.undo()
            yield address


@pytest.fixture
def own_deployments(server: str) -> Iterator[None]:
    """The deployments of the test are the only ones, and go with it; their runs stay."""
    _remove_deployments(server)
    yield
    _remove_deployments(server)


def _remove_deployments(server: str) -> None:
    for deployment in post(f"{server}/deployments/filter", {}):
        url = f"{server}/deployments/{deployment['id']}"
        # The server answers 503 while its database is too busy.
        until(lambda url=url: requests.delete(url, timeout=LIMIT).status_code in {204, 404})
