"""A champion, and an empty working directory."""

from pathlib import Path

import mnist_sample
import pytest
from mnist_sample import SAMPLE

from nn import NeuralNetwork
from pipeline import Settings, open_registry
from registry import Check, RunRecord

PASSED = (Check("validation_accuracy", 0.98, 0.97, passed=True),)


@pytest.fixture(scope="session")
def network() -> NeuralNetwork:
    images, labels = mnist_sample.arrays(SAMPLE.train)
    return NeuralNetwork((784, 20, 10), epochs=3, seed=1).fit(images, labels)


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory, network: NeuralNetwork) -> Path:
    """A home with a champion, which nothing here changes."""
    home = tmp_path_factory.mktemp("home")
    with open_registry(Settings(home=home)) as registry:
        registry.register("mnist", network.to_bytes(), RunRecord(gate=PASSED))
        registry.set_alias("mnist", "champion", 1)
    return home


@pytest.fixture
def here(home: Path, registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, which is the working directory."""
    monkeypatch.setenv("DIGITS_HOME", str(registered))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"
