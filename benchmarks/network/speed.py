"""How fast the network trains, against what users would pick instead, and for how much memory.

Each line is the median of pairs of epochs, one of ours and one of the other's, which alternate:
whatever else the machine does meanwhile slows both. Each contender is a process of its own, and
has done an epoch to warm up. Ours starts from uint8 images and ends with the loss and accuracy
of the epoch; PyTorch and scikit-learn start from floats that are ready in memory.
"""

import argparse
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.mnist_data import mnist
from benchmarks.network import array_files
from benchmarks.network.contenders import SGEMM_SIZE, SGEMMS, Contender, Contestant
from nn import available_cores

_IMAGES = 60_000

_BOOK: dict[str, Any] = {"sizes": (784, 30, 10), "batch_size": 16, "activation": "sigmoid"}
_ANCESTOR: dict[str, Any] = {"sizes": (784, 30, 10), "batch_size": 16, "learning_rate": 3.0}
_SMALL: dict[str, Any] = {"sizes": (784, 128, 10), "batch_size": 128}
_LARGE: dict[str, Any] = {"sizes": (784, 1024, 512, 10), "batch_size": 128}


@dataclass(frozen=True)
class Comparison:
    """Two contenders, and how much faster the first is to be."""

    name: str
    goal: str
    ours: Contender
    theirs: Contender
    work: float = 1.0
    """That of our epoch, as a share of the work in theirs."""


def against(
    rival: str, name: str, goal: float, options: dict[str, Any], threads: int = 1
) -> Comparison:
    """Return a comparison over the same network."""
    cost = "one thread" if threads == 1 else f"{threads} threads"
    sizes = "-".join(map(str, options["sizes"]))
    return Comparison(
        f"{sizes}, batch {options['batch_size']}, {cost}: against {name}",
        f"≥ {goal}",
        Contender("ours", threads, options),
        Contender(rival, threads, options),
    )


def scikit_learn(dtype: str, goal: str) -> Comparison:
    """Return a comparison with scikit-learn on pixels of this type; ``images / 255`` is float64."""
    return Comparison(
        f"784-128-10, batch 128, one thread: against scikit-learn, {dtype}",
        goal,
        Contender("ours", 1, _SMALL),
        Contender("scikit-learn", 1, {**_SMALL, "dtype": dtype}),
    )


def second_core(batch_size: int, goal: str) -> Comparison:
    """Return what another core brings a training on distorted images."""
    options = {**_LARGE, "batch_size": batch_size, "distorted": True}
    return Comparison(
        f"784-1024-512-10, batch {batch_size}, distorted: 2 cores against 1",
        goal,
        Contender("ours", 2, options),
        Contender("ours", 1, options),
    )


def products(sizes: Sequence[int]) -> int:
    """Return the floating-point operations of an example's products of matrices.

    A multiplication and an addition for each weight forwards, for its gradient, and backwards;
    the error of the images themselves is not needed.
    """
    weights = [fan_in * fan_out for fan_in, fan_out in pairwise(sizes)]
    return 6 * sum(weights) - 2 * weights[0]


COMPARISONS = (
    against("torch", "PyTorch", 4, _BOOK),
    against("torch", "PyTorch", 1.5, _SMALL),
    against("torch", "PyTorch", 1.3, _LARGE),
    scikit_learn("float64", "≥ 3"),
    scikit_learn("float32", ""),
    Comparison(
        "784-30-10, batch 16, one thread: against one example at a time",
        "≥ 10",
        Contender(
            "ours",
            1,
            {**_ANCESTOR, "activation": "sigmoid", "output": "sigmoid", "loss": "quadratic"},
        ),
        Contender("one by one", 1, _ANCESTOR),
    ),
    Comparison(
        "784-1024-512-10, batch 128, one thread: share of sgemm's rate",
        "≥ 0.8",
        Contender("ours", 1, _LARGE),
        Contender("sgemm"),
        work=products(_LARGE["sizes"]) * _IMAGES / (2 * SGEMM_SIZE**3 * SGEMMS),
    ),
    against("torch", "PyTorch", 1.5, _SMALL, threads=2),
    against("torch", "PyTorch", 1.25, _LARGE, threads=2),
    second_core(256, "≥ 1.7"),
    second_core(128, ""),
)


def ratios(comparison: Comparison, pairs: int, directory: Path) -> list[float]:
    """Return how many times as fast ours is, for each pair of epochs."""
    found = []
    with (
        Contestant(comparison.theirs, directory) as theirs,
        Contestant(comparison.ours, directory) as ours,
    ):
        for _ in range(pairs):
            our_seconds = ours.seconds()
            found.append(comparison.work * theirs.seconds() / our_seconds)
    return found


def release(project: str) -> str:
    """Return a project's name and its installed version."""
    try:
        return f"{project} {version(project)}"
    except PackageNotFoundError:
        return f"no {project}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    chosen = parser.parse_args()
    projects = ", ".join(map(release, ("numpy", "torch", "scikit-learn")))
    print(f"{available_cores()} cores, load {os.getloadavg()[0]:.1f}", end="; ")
    print(f"Python {platform.python_version()}, {projects}")
    table.heading("an epoch of MNIST: how many times as fast")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        train, _ = mnist()
        array_files.save(directory, "train", train.images, train.labels)
        for comparison in COMPARISONS:
            if chosen.only not in comparison.name:
                continue
            try:
                figures = ratios(comparison, chosen.pairs, directory)
            except ModuleNotFoundError as error:
                table.missing(comparison.name, str(error))
            else:
                table.row(comparison.name, figures, comparison.goal)
        cost = "distortion on one core: µs an image"
        if chosen.only in cost:
            with Contestant(Contender("distortion"), directory) as distortion:
                figures = [distortion.seconds() * 1e6 / _IMAGES for _ in range(chosen.pairs)]
            table.row(cost, figures, digits=1)


if __name__ == "__main__":
    main()
