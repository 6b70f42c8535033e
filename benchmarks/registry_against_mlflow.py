"""Our registry against that of MLflow, on SQLite: the same questions to both, in turn.

Each is in a process of its own, warm, and MLflow in an environment of its own. Its database is
in WAL mode like ours, which it does not set itself; how writing goes as it comes is shown too.
Ours keeps more of a version: its event in a chain of hashes, its blob, metrics and params, where
MLflow has tags. MLflow stores no weights here, so registering is shown with them and without.
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

from benchmarks import registry_table as table
from benchmarks.registry_worker import Answer, Worker

OURS = "benchmarks.registry_ours"
MLFLOW = "benchmarks.registry_mlflow"

_ROUNDS = 5
_TIMES = 60
_SECONDS = 0.4

_WRITERS = 8
_EACH = 12
_WRITER_ROUNDS = 3
_WRITER_SECONDS = 15.0
_BETWEEN = 10_000

# What is asked, the operation of ours and the one of MLflow.
QUESTIONS = (
    ("open one that is there", "open", "open"),
    ("get by alias", "alias", "alias"),
    ("get by number", "number", "number"),
    ("latest", "latest_large", "latest_large"),
    ("latest; MLflow by a search for one", "latest_large", "newest_large"),
    ("search: a tag that one in four has, 20", "tagged", "tagged"),
    ("search: run_id", "run", "run"),
    ("search: a param (MLflow: a tag) that one has", "rare", "rare"),
    ("a page of 100, nine tenths down", "page", "page"),
)


@dataclass
class Tally:
    """What several answers come to."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer) -> None:
        """Take one more into account."""
        self.seconds += answer.seconds
        self.errors.update(answer.errors)


def row(name: str, ours: list[float], theirs: list[float]) -> None:
    """Print how the two compare."""
    ratio = table.percentile(theirs, 0.5) / table.percentile(ours, 0.5)
    counts = f"{len(ours)} / {len(theirs)}"
    cells = [table.spread(ours), table.spread(theirs), counts, f"{ratio:.3g}"]
    table.row(name, cells, "≥ 1")


def compare(name: str, ours: Worker, theirs: Worker, questions: Sequence[str]) -> None:
    """Ask both in turn, after once to warm up, and print the line."""
    found: tuple[list[float], list[float]] = [], []
    for _ in range(_ROUNDS + 1):
        for worker, question, seconds in zip((ours, theirs), questions, found, strict=True):
            times = _TIMES if seconds else 1
            seconds += worker.do(question, times=times, seconds=_SECONDS).seconds
    row(name, *(seconds[1:] for seconds in found))


def measure_size(versions: int, ours: Worker, theirs: Worker, directory: Path) -> None:
    """Print the table of a size."""
    ours.do("fill", *place(directory / "ours"), versions)
    theirs.do("fill", url(directory / "mlflow"), versions, "wal")
    theirs.do("use", url(directory / "mlflow"))
    ours.do("use", *place(directory / "ours"), "files")
    columns = ["ours", "MLflow", "calls", "times as fast"]
    table.heading(f"{versions:,} versions: ms, median / p99", columns)
    for name, our_question, their_question in QUESTIONS:
        compare(name, ours, theirs, (our_question, their_question))
    compare("register, ours with a file of 407 kB", ours, theirs, ("register", "register"))
    ours.do("use", *place(directory / "ours"), "memory")
    compare("register, ours without the file", ours, theirs, ("register", "register"))


def measure_writers(python: str, directory: Path) -> None:
    """Print the table of writers to one registry of ours, and of MLflow's."""
    with ExitStack() as stack:
        ours, theirs = (
            [stack.enter_context(Worker(*command)) for _ in range(_WRITERS)]
            for command in ((sys.executable, OURS), (python, MLFLOW))
        )
        ours[0].do("fill", *place(directory / "ours"), _BETWEEN)
        for journal in ("wal", "delete"):
            theirs[0].do("fill", url(directory / f"mlflow-{journal}"), _BETWEEN, journal)
        contenders = (
            ("ours with files", ours, (*place(directory / "ours"), "files")),
            ("ours without files", ours, (*place(directory / "ours"), "memory")),
            ("MLflow in WAL mode", theirs, (url(directory / "mlflow-wal"),)),
            ("MLflow as it comes", theirs, (url(directory / "mlflow-delete"),)),
        )
        columns = ["ms, med. / p99", "a second", "registered", "errors"]
        table.heading(f"register in {_BETWEEN:,} versions", columns, "as its connection says")
        for writers in (1, _WRITERS):
            found: dict[str, Tally] = {name: Tally() for name, *_ in contenders}
            durability = {}
            for _ in range(_WRITER_ROUNDS):
                for name, workers, arguments in contenders:
                    for worker in workers[:writers]:
                        worker.do("use", *arguments)
                        worker.do("register")
                    durability[name] = workers[0].do("durability").value
                    together(workers[:writers], found[name])
            for name, tally in found.items():
                rate = writers * len(tally.seconds) / max(sum(tally.seconds), 1e-9)
                errors = ", ".join(f"{n} {kind}" for kind, n in tally.errors.items()) or "0"
                table.row(
                    f"{writers} writer{'s' * (writers > 1)}: {name}",
                    [table.spread(tally.seconds), f"{rate:.0f}", str(len(tally.seconds)), errors],
                    durability[name],
                )


def together(workers: Sequence[Worker], tally: Tally) -> None:
    """Have all of them register at once."""
    for worker in workers:
        worker.start("register", times=_EACH, seconds=_WRITER_SECONDS)
    for worker in workers:
        tally.add(worker.answer())


def place(directory: Path) -> tuple[str, str]:
    """Return the addresses of a registry of ours."""
    return url(directory), str(directory / "blobs")


def url(directory: Path) -> str:
    """Return the address of a database in a directory, which is made."""
    directory.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{directory}/registry.db"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="that of an environment with MLflow")
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
        print(f"ours: {ours.do('releases').value}; {theirs.do('releases').value}")
        table.heading("ms, median / p99", ["ours", "MLflow", "calls", "times as fast"])
        compare("create one", ours, theirs, ("open_new", "open_new"))
        for versions in chosen.sizes:
            measure_size(versions, ours, theirs, directory / str(versions))
        measure_writers(chosen.python, directory / "writers")


if __name__ == "__main__":
    main()
