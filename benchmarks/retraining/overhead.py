"""What a retraining costs beside its training, whether it can be repeated, and poisoned labels.

Each command is a process of its own, with the preset `quick` and MNIST in its cache, timed in wall
seconds. The user's own images of the last table are MNIST's training images, leaning and with a
broad pen; of one digit a tenth of the labels is another one at random, held-out images and all.
"""

import argparse
import csv
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from drifting_images import drifted

from benchmarks import table
from benchmarks.mnist_data import mnist
from benchmarks.retraining.nights import digits, prepare
from pipeline import Settings, open_registry
from pipeline.data.splits import training_and_validation
from pipeline.flows.environment import prepare as prepare_prefect
from pipeline.flows.server import free_port, prefect_server
from pipeline.images.encoding import png

ROUNDS = 3

_OWN_IMAGES = 20_000
_POISONED = 0.1
_DRIFT = 0.5

_QUICK = ("retrain", "--preset", "quick")


def overhead(home: Path, *options: str, **variables: str) -> tuple[float, float]:
    """Promote another version; return the wall time that was not training, in seconds.

    Until the version was champion, as the history says, and until the command had ended: in
    between it draws and writes what it reports.
    """
    begun = datetime.now(UTC)
    started = time.perf_counter()
    ended = digits(*_QUICK, "--force", *options, home=home, **variables)
    seconds = time.perf_counter() - started
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    with open_registry(Settings(home=home)) as registry:
        alias = registry.alias("mnist", "champion")
        training = registry.get(alias.reference).metrics["training_seconds"]
    return (alias.moved_at - begun).total_seconds() - training, seconds - training


def unchanged(home: Path, *options: str, **variables: str) -> float:
    """Find that nothing has changed; return the wall time."""
    started = time.perf_counter()
    ended = digits(*_QUICK, *options, home=home, **variables)
    seconds = time.perf_counter() - started
    if "unchanged" not in ended.stdout:
        raise RuntimeError(f"expected it to be unchanged, got: {ended.stdout}{ended.stderr}")
    return seconds


def wall_time(home: Path, rounds: int) -> None:
    """Print what is not training."""
    table.heading("from the command to a promoted version, without training: s")
    # The first start of a server of its own makes its database, once for a home.
    first, _ = overhead(home)
    table.row("no server, for the first time", [first])
    ways: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
        "no server": ("≤ 25", (), {}),
    }
    prepare_prefect(Settings(home=home), console_level="CRITICAL")
    with prefect_server(free_port(), home / "server.log") as address:
        served = {"PREFECT_API_URL": address, "PREFECT_HOME": os.environ["PREFECT_HOME"]}
        ways["with a server"] = ("≤ 10", (), served)
        ways["--direct"] = ("≤ 3", ("--direct",), {})
        ended = {}
        for name, (goal, options, variables) in ways.items():
            times = [overhead(home, *options, **variables) for _ in range(rounds)]
            table.row(name, [promoted for promoted, _ in times], goal)
            ended[name] = [whole for _, whole in times]
        table.heading("the same, to the end of the command and its report: s")
        for name, times in ended.items():
            table.row(name, times)
        table.heading("an unchanged retraining: s")
        for name, goal in (("with a server", ""), ("--direct", "≤ 3")):
            _, options, variables = ways[name]
            times = [unchanged(home, *options, **variables) for _ in range(rounds)]
            table.row(name, times, goal)


def reproduction(home: Path) -> None:
    """Print whether a version can be made again."""
    table.heading("trained again on the same machine")
    ended = digits("reproduce", "mnist@champion", home=home)
    table.row("reproduce: bit-identical, 1 for yes", [float(ended.returncode == 0)], "1", digits=0)


def poison(home: Path, directory: Path, poisoned: Sequence[int]) -> None:
    """Print which checks refuse a candidate, by the digit whose labels are wrong."""
    rng = np.random.default_rng(0)
    labels = _write_images(directory, rng)
    print()
    _line("own images: labels that are wrong", "outcome", "checks that failed", "goal")
    _table(directory / "clean.csv", labels)
    _judged(home, directory / "clean.csv", "none", "passes")
    for digit in poisoned:
        wrong = labels.copy()
        places = rng.permutation(np.flatnonzero(labels == digit))
        places = places[: round(_POISONED * len(places))]
        wrong[places] = (digit + rng.integers(1, 10, len(places))) % 10
        _table(directory / f"{digit}.csv", wrong)
        _judged(home, directory / f"{digit}.csv", f"a tenth of digit {digit}", f"… of_{digit}")


def _write_images(directory: Path, rng: np.random.Generator) -> np.ndarray:
    """Write images of the training split; return their labels."""
    train, _ = mnist()
    places, _ = training_and_validation(train.labels)
    places = rng.permutation(places)[:_OWN_IMAGES]
    directory.mkdir()
    for number, image in enumerate(train.images[places]):
        (directory / f"{number:05}.png").write_bytes(png(drifted(image, _DRIFT, rng)))
    return train.labels[places].astype(np.int64)


def _table(path: Path, labels: np.ndarray) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label"])
        writer.writerows((f"{number:05}.png", label) for number, label in enumerate(labels))


def _judged(home: Path, labels: Path, name: str, goal: str) -> None:
    ended = digits(*_QUICK, "--direct", "--labelled", labels, home=home)
    if ended.returncode not in {0, 3}:
        raise RuntimeError(ended.stderr)
    with open_registry(Settings(home=home)) as registry:
        event = registry.history("mnist", limit=1)[0]
    failed: list[str] = []
    if event.kind == "refused":
        gate = event.details["candidate"]["gate"]
        failed = [f"{check['name']} {check['figure']:.3f}" for check in gate if not check["passed"]]
    outcome = "refused" if ended.returncode else "promoted"
    _line(name, outcome, ", ".join(failed), goal)


def _line(name: str, outcome: str, failed: str, goal: str) -> None:
    print(f"{name:<40} {outcome:<10} {failed:<40} {goal}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--poisoned", type=int, nargs="*", default=range(10), help="digits")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; ", end="")
    print(f"Python {platform.python_version()}, numpy {np.__version__}")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        prepare(home)
        wall_time(home, chosen.rounds)
        reproduction(home)
        poison(home, Path(name) / "own", chosen.poisoned)


if __name__ == "__main__":
    main()
