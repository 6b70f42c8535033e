"""How long starting takes, and what a mirror that is down costs.

Each command is a process of its own, after one warm-up; pairs of runs alternate with a bare
interpreter, whose time is the floor. Figures are wall seconds.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nn import NeuralNetwork
from pipeline import open_registry
from pipeline.data.mirrors.web import WebMirror
from pipeline.data.mnist import MNIST
from pipeline.errors import MirrorError
from pipeline.images.encoding import png

RUNS = 7

# An image with ink: one that cannot be read would end `digits predict` with another status.
DRAWING = np.zeros((28, 28), np.uint8)
DRAWING[4:24, 12:16] = 255


def seconds(command: list[str]) -> float:
    """Return the wall time of a command that succeeds."""
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def row(name: str, goal: float | None, figures: list[float]) -> None:
    """Print a line of the table."""
    low, middle, high = min(figures), statistics.median(figures), max(figures)
    limit = "" if goal is None else f"{goal:8.2f}"
    print(f"{name:<46} {low:8.3f} {middle:8.3f} {high:8.3f} {limit}")


def measure_commands(directory: Path) -> None:
    """Measure what a user waits for at a terminal."""
    digits = [sys.executable, "-m", "pipeline"]
    images = directory / "in"
    images.mkdir()
    for number in range(10):
        (images / f"{number}.png").write_bytes(png(DRAWING))
    network = NeuralNetwork((784, 128, 10), epochs=1, seed=0)
    network.fit(np.zeros((10, 784), np.uint8), np.arange(10))
    with open_registry() as registry:
        registry.register("mnist", network.to_bytes())
        registry.set_alias("mnist", "champion", 1, force=True)
    score = [*digits, "score", str(images), "--output", str(directory / "out"), "--direct"]
    commands = {
        "import nn": ([sys.executable, "-c", "import nn"], 0.12),
        "import registry": ([sys.executable, "-c", "import registry"], 0.35),
        "import pipeline": ([sys.executable, "-c", "import pipeline"], 0.15),
        "digits --help": ([*digits, "--help"], 0.3),
        "digits predict FILE": ([*digits, "predict", str(images / "0.png")], 1.0),
        "digits versions": ([*digits, "versions"], 1.0),
        "digits score --direct, ten images": (score, 1.5),
    }
    floor = [sys.executable, "-c", "pass"]
    floors = []
    for name, (command, goal) in commands.items():
        seconds(command)
        figures = []
        for _ in range(RUNS):
            floors.append(seconds(floor))
            figures.append(seconds(command))
        row(name, goal, figures)
    row("the interpreter alone", None, floors)


def measure_mirrors(directory: Path) -> None:
    """Measure a mirror that refuses, and one that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        mirrors = {"a mirror that refuses": unused, "a mirror that never answers": silent}
        for name, listener in mirrors.items():
            figures = []
            for _ in range(3):
                mirror = WebMirror(f"http://127.0.0.1:{listener.getsockname()[1]}/")
                started = time.perf_counter()
                try:
                    mirror.deliver(MNIST.train.images, directory / "file")
                except MirrorError:
                    figures.append(time.perf_counter() - started)
            row(f"{name}, for all its files", 5.0, figures)


def main() -> None:
    """Print the table."""
    print(f"{'seconds':<46} {'min':>8} {'median':>8} {'max':>8} {'goal':>8}")
    with tempfile.TemporaryDirectory() as name:
        os.environ["DIGITS_HOME"] = f"{name}/home"
        measure_commands(Path(name))
        measure_mirrors(Path(name))


if __name__ == "__main__":
    main()
