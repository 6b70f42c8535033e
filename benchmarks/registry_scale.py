"""How the registry keeps up with its size: the same questions to a thousand versions and a million.

All sizes are open at once, warm, and asked in turn. Half of the versions are in one model, the
rest in a hundred; an alias and the latest version are asked of the large model as often as of
the others. The processor's own time is shown too, which other work on the machine makes no longer.
"""

import argparse
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from postgresql_server import NOT_INSTALLED, postgresql_server, programs

from benchmarks import registry_table as table
from benchmarks.registry_ours import WEIGHTS, Ours
from benchmarks.registry_worker import timed

_ROUNDS = 5
_TIMES = 400
_SECONDS = 0.5

_SIZES = (1_000, 10_000, 100_000, 1_000_000)
_ON_POSTGRESQL = 100_000

QUESTIONS: tuple[tuple[str, Callable[[Ours], None], str], ...] = (
    ("get by alias", Ours.alias, "p99 ≤ 1, flat"),
    ("latest", Ours.latest, "p99 ≤ 1, flat"),
    ("get by number", Ours.number, ""),
    ("the ten best by a metric, of half of all", Ours.top, ""),
    ("the ten best by a metric, of one in 200", Ours.top_small, ""),
    ("search: a tag and a metric, one in 40, 20 newest", Ours.filtered, ""),
    ("search: run_id", Ours.run, ""),
    ("search: a param that one has", Ours.rare, ""),
    ("a page of 100, nine tenths down", Ours.page, ""),
    (f"register, with a file of {WEIGHTS // 1000} kB", Ours.register, ""),
    ("open one that is there", Ours.open, "≤ 20"),
)

_FLAT = ("get by alias", "latest")
"""Of those, the last size is held against the first."""

Figures = dict[str, list[float]]


def fill(name: str, versions: int, url: str, blobs: str) -> Ours:
    """Fill a registry and open it."""
    ours = Ours()
    started = time.perf_counter()
    ours.fill(url, blobs, versions)
    seconds = time.perf_counter() - started
    table.row(name, [f"{seconds:.1f} s"], "≤ 180 s" if versions == max(_SIZES) else "")
    ours.use(url, blobs, "files")
    return ours


def ask(question: Callable[[Ours], None], registries: dict[str, Ours]) -> tuple[Figures, Figures]:
    """Ask all in turn, after twice to warm up; return times, and those of the processor."""
    found: Figures = {name: [] for name in registries}
    processor: Figures = {name: [] for name in registries}
    for ours in registries.values():
        timed(lambda ours=ours: question(ours), 2, _SECONDS)
    for _ in range(_ROUNDS):
        for name, ours in registries.items():
            answer = timed(lambda ours=ours: question(ours), _TIMES, _SECONDS)
            if answer.errors:
                raise RuntimeError(f"{name}: {answer.errors}")
            found[name] += answer.seconds
            processor[name] += answer.processor
    return found, processor


def measure(registries: dict[str, Ours], sizes: list[str]) -> None:
    """Print the tables."""
    table.heading("ms, median / p99", list(registries))
    held: dict[str, Figures] = {}
    for name, question, goal in QUESTIONS:
        found, processor = ask(question, registries)
        table.row(name, [table.spread(seconds) for seconds in found.values()], goal)
        if name in _FLAT:
            held[name], held[f"{name}, processor"] = found, processor
            cells = [table.spread(seconds) for seconds in processor.values()]
            table.row(f"{name}, processor", cells)
    smallest, largest = sizes[0], sizes[-1]
    table.heading(f"{largest} against {smallest}: times as long", ["median", "p99"])
    for name, figures in held.items():
        cells = []
        for share in (0.5, 0.99):
            few, many = (table.percentile(figures[size], share) for size in (smallest, largest))
            cells.append(f"{many / few:.2f}")
        table.row(name, cells, "≤ 2")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=_SIZES)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; ", end="")
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}", end=", ")
    print(f"SQLAlchemy {version('sqlalchemy')}, psycopg {version('psycopg')}")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        table.heading("filled in bulk", ["time"])
        registries = {}
        for size in chosen.sizes:
            place = directory / str(size)
            place.mkdir()
            url = f"sqlite:///{place}/registry.db"
            registries[f"{size:,}"] = fill(f"SQLite: {size:,} versions", size, url, f"{place}/b")
        sizes = list(registries)
        if programs() is None:
            print(NOT_INSTALLED)
        else:
            server = stack.enter_context(postgresql_server(durable=True))
            name = f"PostgreSQL: {_ON_POSTGRESQL:,} versions"
            url = server.new_database()
            ours = fill(name, _ON_POSTGRESQL, url, str(directory / "postgresql"))
            stack.callback(ours.close)
            registries[f"PG {_ON_POSTGRESQL:,}"] = ours
        durability = registries[sizes[0]].durability()
        print(f"SQLite, as a connection of the registry says: {durability}")
        measure(registries, sizes)


if __name__ == "__main__":
    main()
