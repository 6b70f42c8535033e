"""Our registry against MLflow's, both on SQLite: the same queries to both, alternately.

Each has its own process, warmed up, and MLflow its own environment. MLflow's database is set to WAL
mode like ours, which MLflow does not do itself; writing with its defaults is shown too. Ours stores
more for each version: an event in a chain of hashes, a blob, metrics and parameters, which MLflow's
version keeps as tags. MLflow stores no weights here, so registering is shown with and without them.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.registry import table
from benchmarks.registry.worker import Answer, Worker

OURS = "benchmarks.registry.our_registry"
MLFLOW = "benchmarks.registry.mlflow_registry"

_ROUNDS = 5
_TIMES = 60
_SECONDS = 0.4

_WRITERS = 8
_EACH = 12
_WRITER_ROUNDS = 3
_WRITER_SECONDS = 15.0
_BETWEEN = 10_000

# Description, our operation, MLflow's operation.
QUERIES = (
    ("open an existing registry", "open", "open"),
    ("get by alias", "alias", "alias"),
    ("get by number", "number", "number"),
    ("latest", "latest_large", "latest_large"),
    ("latest; MLflow by a search with limit 1", "latest_large", "newest_large"),
    ("search: a tag that one in four has, limit 20", "tagged", "tagged"),
    ("search: run_id", "run", "run"),
    ("search: a param (MLflow: a tag) of one version", "rare", "rare"),
    ("a page of 100, nine tenths down", "page", "page"),
)


@dataclass
class Total:
    """The sum of several answers."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer) -> None:
        """Add one answer."""
        self.seconds += answer.seconds
        self.errors.update(answer.errors)


def row(name: str, ours: list[float], theirs: list[float]) -> None:
    """Print the comparison of two samples."""
    ratio = table.percentile(theirs, 0.5) / table.percentile(ours, 0.5)
    counts = f"{len(ours)} / {len(theirs)}"
    cells = [table.spread(ours), table.spread(theirs), counts, f"{ratio:.3g}"]
    table.row(name, cells, "≥ 1")


def compare(name: str, ours: Worker, theirs: Worker, operations: Sequence[str]) -> None:
    """Measure both alternately, after one call to warm up, and print the row."""
    samples: tuple[list[float], list[float]] = [], []
    for _ in range(_ROUNDS + 1):
        for worker, operation, seconds in zip((ours, theirs), operations, samples, strict=True):
            times = _TIMES if seconds else 1
            seconds += worker.run(operation, times=times, seconds=_SECONDS).seconds
    row(name, *(seconds[1:] for seconds in samples))


def measure_size(versions: int, ours: Worker, theirs: Worker, directory: Path) -> None:
    """Print the table for registries of one size."""
    ours.run("fill", *addresses(directory / "ours"), versions)
    theirs.run("fill", url(directory / "mlflow"), versions, "wal")
    theirs.run("use", url(directory / "mlflow"))
    ours.run("use", *addresses(directory / "ours"), "files")
    columns = ["ours", "MLflow", "calls", "times as fast"]
    table.heading(f"{versions:,} versions: ms, median / p99", columns)
    for name, *operations in QUERIES:
        compare(name, ours, theirs, operations)
    compare("register, ours with a file of 407 kB", ours, theirs, ("register", "register"))
    ours.run("use", *addresses(directory / "ours"), "memory")
    compare("register, ours without the file", ours, theirs, ("register", "register"))


def measure_writers(python: str, directory: Path) -> None:
    """Print the table of concurrent writers to one registry."""
    with ExitStack() as stack:
        ours, theirs = (
            [stack.enter_context(Worker(*command)) for _ in range(_WRITERS)]
            for command in ((sys.executable, OURS), (python, MLFLOW))
        )
        ours[0].run("fill", *addresses(directory / "ours"), _BETWEEN)
        for journal in ("wal", "delete"):
            theirs[0].run("fill", url(directory / f"mlflow-{journal}"), _BETWEEN, journal)
        contenders = (
            ("ours with files", ours, (*addresses(directory / "ours"), "files")),
            ("ours without files", ours, (*addresses(directory / "ours"), "memory")),
            ("MLflow in WAL mode", theirs, (url(directory / "mlflow-wal"),)),
            ("MLflow with its defaults", theirs, (url(directory / "mlflow-delete"),)),
        )
        columns = ["ms, med. / p99", "per second", "registered", "errors"]
        table.heading(f"register in {_BETWEEN:,} versions", columns, "settings of the connection")
        for writers in (1, _WRITERS):
            totals: dict[str, Total] = {name: Total() for name, *_ in contenders}
            durability = {}
            for _ in range(_WRITER_ROUNDS):
                for name, workers, arguments in contenders:
                    for worker in workers[:writers]:
                        worker.run("use", *arguments)
                        worker.run("register")
                    durability[name] = workers[0].run("durability").value
                    register_together(workers[:writers], totals[name])
            for name, total in totals.items():
                rate = writers * len(total.seconds) / max(sum(total.seconds), 1e-9)
                errors = ", ".join(f"{n} {kind}" for kind, n in total.errors.items()) or "0"
                table.row(
                    f"{writers} writer{'s' * (writers > 1)}: {name}",
                    [table.spread(total.seconds), f"{rate:.0f}", str(len(total.seconds)), errors],
                    durability[name],
                )


def register_together(workers: Sequence[Worker], total: Total) -> None:
    """Let all workers register at the same time."""
    for worker in workers:
        worker.start("register", times=_EACH, seconds=_WRITER_SECONDS)
    for worker in workers:
        total.add(worker.answer())


def addresses(directory: Path) -> tuple[str, str]:
    """Return the addresses of one of our registries."""
    return url(directory), str(directory / "blobs")


def url(directory: Path) -> str:
    """Return the address of a database in a directory, which is created."""
    directory.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{directory}/registry.db"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="Python interpreter of an environment with MLflow")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 10_000, 100_000])
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        Worker(sys.executable, OURS) as ours,
        Worker(chosen.python, MLFLOW) as theirs,
    ):
        directory = Path(name)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; ", end="")
        print(f"Python {platform.python_version()}")
        print(f"ours: {ours.run('releases').value}; {theirs.run('releases').value}")
        table.heading("ms, median / p99", ["ours", "MLflow", "calls", "times as fast"])
        compare("create one", ours, theirs, ("open_new", "open_new"))
        for versions in chosen.sizes:
            measure_size(versions, ours, theirs, directory / str(versions))
        measure_writers(chosen.python, directory / "writers")


if __name__ == "__main__":
    main()
