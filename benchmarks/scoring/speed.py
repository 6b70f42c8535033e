"""Scoring against a bare loop and against PyTorch; memory; start-up; what scans cost in accuracy.

Files are 28×28 PNG, read from a warm page cache; the network is 784-128-10 but for the accuracy,
which is that of the champion under DIGITS_HOME.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scans import scan

from benchmarks import table
from nn import NeuralNetwork
from pipeline import Settings, ingest, open_registry, score
from pipeline.data import parquet
from pipeline.flows.environment import set_defaults
from pipeline.flows.server import free_port, prefect_server
from pipeline.images.decoding import decode
from pipeline.images.encoding import png
from pipeline.images.normalization import are_normalized
from pipeline.images.reading import Reader, as_seen
from pipeline.scoring.answers import judge_of

FEW, MANY = 10_000, 200_000
ROUNDS = 5
COMMANDS = 3


class Contestant:
    """A contender's process."""

    def __init__(self, *arguments: object, home: Path, cores: int) -> None:
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.scoring.contenders", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads, "DIGITS_HOME": str(home)},
        )
        os.sched_setaffinity(self._process.pid, sorted(os.sched_getaffinity(0))[:cores])
        self.is_there = self._answer() == "ready"

    def seconds(self) -> float:
        """Score once."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer())

    def peak(self) -> int:
        """End the process; return the peak of its memory in bytes."""
        self._process.stdin.close()
        return int(self._answer())

    def end(self) -> None:
        """End the process."""
        self._process.kill()

    def _answer(self) -> str:
        return self._process.stdout.readline().strip()


def ratios(name: str, ours: Contestant, other: Contestant, goal: str) -> None:
    """Print how many times as fast ours is, pair by pair."""
    if not other.is_there:
        table.missing(name, "not installed")
        return
    table.row(name, [other.seconds() / ours.seconds() for _ in range(ROUNDS)], goal)


def speed(images: np.ndarray, home: Path, directory: Path) -> None:
    """Print what files a second come to."""
    files = directory / "few"
    _write(images, files, FEW)
    weights = home / "network.safetensors"
    one = Contestant("digits", files, 1, home=home, cores=1)
    bare = Contestant("opencv", files, home=home, cores=1)
    table.heading("28×28 PNG files, 784-128-10: how many times as fast")
    ratios("one core: against reading and decoding alone", one, bare, "≥ 0.6")
    two = Contestant("digits", files, 2, home=home, cores=2)
    user = Contestant("torch", files, weights, home=home, cores=2)
    ratios("two cores: against PyTorch's DataLoader and Pillow", two, user, "≥ 3")
    many = directory / "many"
    _link(files, many, MANY // FEW)
    one_many = Contestant("digits", many, 1, home=home, cores=1)
    two_many = Contestant("digits", many, 2, home=home, cores=2)
    ratios("200,000 files: two processes against one", two_many, one_many, "≥ 1.8")
    table.heading("28×28 PNG files a second")
    table.row("one core, 10,000 files", [FEW / one.seconds() for _ in range(ROUNDS)], digits=0)
    table.row("two cores, 200,000 files", [MANY / two_many.seconds()], digits=0)
    table.heading("peak memory in one process: MB")
    few_peak, many_peak = one.peak() / 1e6, one_many.peak() / 1e6
    table.row("10,000 files", [few_peak], digits=0)
    table.row("200,000 files", [many_peak], f"≤ {1.1 * few_peak:.0f}", digits=0)
    for other in (bare, two, user, two_many):
        other.end()


def commands(home: Path, directory: Path) -> None:
    """Print what the command takes beyond a plain loop over the same shards."""
    table.heading("the command, beyond a loop over its shards in one process: seconds")
    set_defaults(Settings(home=home), console_level="CRITICAL")
    for count, files in ((FEW, directory / "few"), (MANY, directory / "many")):
        plain = Contestant("digits", files, 1, home=home, cores=1)
        for name, options, goal in (
            ("--direct", ["--direct"], "≤ 2"),
            ("as a flow, with a server of its own", [], "≤ 20"),
        ):
            _beyond(f"{count:,} files: {name}", plain, files, home, options, goal)
        with prefect_server(free_port(), home / "prefect-server.log") as address:
            name = f"{count:,} files: as a flow, with a server that runs"
            _beyond(name, plain, files, home, [], "≤ 8", PREFECT_API_URL=address)
        plain.end()


def _beyond(
    name: str,
    plain: Contestant,
    files: Path,
    home: Path,
    options: Sequence[str],
    goal: str,
    **variables: str,
) -> None:
    output = files.with_name("output")
    command = [sys.executable, "-m", "pipeline", "score", str(files), "--output", str(output)]

    def run() -> float:
        started = time.perf_counter()
        subprocess.run(
            [*command, *options],
            env={**os.environ, "DIGITS_HOME": str(home), **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )
        seconds = time.perf_counter() - started
        shutil.rmtree(output)
        return seconds

    run()
    table.row(name, [run() - plain.seconds() for _ in range(COMMANDS)], goal)


def equality(network: NeuralNetwork, images: np.ndarray, home: Path, directory: Path) -> None:
    """Print how many files are predicted otherwise than the arrays they were made of."""
    scored = score(directory / "few", directory / "scores", settings=Settings(home=home))
    predictions = pq.read_table(scored.path, columns=["prediction"])["prediction"].to_numpy()
    table.heading("10,000 PNG files of MNIST's test set, against their arrays")
    differ = np.count_nonzero(predictions != network.predict(images[:FEW]))
    table.row("predictions that differ", [differ], "0", digits=0)


def accuracy(images: np.ndarray, labels: np.ndarray) -> None:
    """Print what the champion makes of scans of the whole test set."""
    with open_registry() as registry:
        version = registry.get("mnist@champion")
        network = NeuralNetwork.from_bytes(registry.load(version.reference))
    rng = np.random.default_rng(0)
    reader = Reader(judge=judge_of(network))
    # As many together as scoring reads.
    batches = [images[start : start + 1024] for start in range(0, len(images), 1024)]
    scans = np.concatenate(
        [
            as_seen((decode(scan(image, rng)) for image in batch), len(batch), reader).images
            for batch in batches
        ]
    )
    plain, scanned = (100 * network.validate(each, labels) for each in (images, scans))
    shown = f"{version.reference} ({version.params.get('preset')}, {version.sha256[:12]})"
    table.heading(f"MNIST's test set with {shown}: accuracy, %")
    table.row("as it is", [plain])
    table.row("as scans", [scanned], f"≥ 98.9, and ≥ {plain - 0.3:.2f}")
    same = np.all(are_normalized(np.array([decode(png(image)) for image in images])))
    table.row("as PNG files: left alone, 1 for all of them", [float(same)], "1", digits=0)


def _write(images: Sequence[np.ndarray], directory: Path, count: int) -> None:
    directory.mkdir()
    for number in range(count):
        (directory / f"{number:06}.png").write_bytes(png(images[number % len(images)]))


def _link(source: Path, target: Path, copies: int) -> None:
    for copy in range(copies):
        (target / f"{copy:03}").mkdir(parents=True)
        for file in source.iterdir():
            os.link(file, target / f"{copy:03}" / file.name)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-accuracy", action="store_true", help="where there is no champion")
    chosen = parser.parse_args()
    test = ingest().test
    data = parquet.read(test.path, test.split)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        home = directory / "home"
        home.mkdir()
        network = NeuralNetwork(
            (784, 128, 10), activation="relu", initializer="he", learning_rate=0.1, epochs=2, seed=0
        ).fit(data.images, data.labels)
        (home / "network.safetensors").write_bytes(network.to_bytes())
        with open_registry(Settings(home=home)) as registry:
            registry.register("mnist", network.to_bytes())
            registry.set_alias("mnist", "champion", 1, force=True)
        speed(data.images, home, directory)
        equality(network, data.images, home, directory)
        commands(home, directory)
    if not chosen.no_accuracy:
        accuracy(data.images, data.labels)


if __name__ == "__main__":
    main()
