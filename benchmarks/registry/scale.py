"""Registry speed by size: the same queries to registries of a thousand to a million versions.

All registries are open at the same time, warmed up, and queried alternately. Half of the versions
are in one model, the others in a hundred. Half of the lookups by alias and of the latest version go
to the large model. CPU time is shown too, because other processes on the machine do not change it.
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

from benchmarks.registry import table
from benchmarks.registry.our_registry import WEIGHTS, OurRegistry
from benchmarks.registry.worker import timed

_ROUNDS = 5
_TIMES = 400
_SECONDS = 0.5

_SIZES = (1_000, 10_000, 100_000, 1_000_000)
_ON_POSTGRESQL = 100_000

QUERIES: tuple[tuple[str, Callable[[OurRegistry], None], str], ...] = (
    ("get by alias", OurRegistry.alias, "p99 ≤ 1, flat"),
    ("latest", OurRegistry.latest, "p99 ≤ 1, flat"),
    ("get by number", OurRegistry.number, ""),
    ("top 10 by a metric, of half of all", OurRegistry.top, ""),
    ("top 10 by a metric, of one in 200", OurRegistry.top_small, ""),
    ("search: tag and metric of one in 40, newest 20", OurRegistry.filtered, ""),
    ("search: run_id", OurRegistry.run, ""),
    ("search: a param of one version", OurRegistry.rare, ""),
    ("a page of 100, nine tenths down", OurRegistry.page, ""),
    (f"register, with a file of {WEIGHTS // 1000} kB", OurRegistry.register, ""),
    ("open an existing registry", OurRegistry.open, "≤ 20"),
)

_FLAT = ("get by alias", "latest")
"""Queries whose time must not grow with the size."""

Samples = dict[str, list[float]]
"""Seconds by registry."""


def fill(name: str, versions: int, url: str, blobs: str) -> OurRegistry:
    """Fill a registry and open it."""
    ours = OurRegistry()
    started = time.perf_counter()
    ours.fill(url, blobs, versions)
    seconds = time.perf_counter() - started
    table.row(name, [f"{seconds:.1f} s"], "≤ 180 s" if versions == max(_SIZES) else "")
    ours.use(url, blobs, "files")
    return ours


def sample(
    query: Callable[[OurRegistry], None], registries: dict[str, OurRegistry]
) -> tuple[Samples, Samples]:
    """Query all registries alternately, after two calls to warm up; return wall and CPU times."""
    wall: Samples = {name: [] for name in registries}
    cpu: Samples = {name: [] for name in registries}
    for ours in registries.values():
        timed(lambda ours=ours: query(ours), 2, _SECONDS)
    for _ in range(_ROUNDS):
        for name, ours in registries.items():
            answer = timed(lambda ours=ours: query(ours), _TIMES, _SECONDS)
            if answer.errors:
                raise RuntimeError(f"{name}: {answer.errors}")
            wall[name] += answer.seconds
            cpu[name] += answer.cpu_seconds
    return wall, cpu


def measure(registries: dict[str, OurRegistry], sizes: list[str]) -> None:
    """Print the tables."""
    table.heading("ms, median / p99", list(registries))
    flat: dict[str, Samples] = {}
    for name, query, goal in QUERIES:
        wall, cpu = sample(query, registries)
        table.row(name, [table.spread(seconds) for seconds in wall.values()], goal)
        if name in _FLAT:
            flat[name], flat[f"{name}, CPU time"] = wall, cpu
            table.row(f"{name}, CPU time", [table.spread(seconds) for seconds in cpu.values()])
    smallest, largest = sizes[0], sizes[-1]
    table.heading(f"{largest} divided by {smallest}", ["median", "p99"])
    for name, samples in flat.items():
        cells = []
        for share in (0.5, 0.99):
            few, many = (table.percentile(samples[size], share) for size in (smallest, largest))
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
            path = directory / str(size)
            path.mkdir()
            url = f"sqlite:///{path}/registry.db"
            registries[f"{size:,}"] = fill(f"SQLite: {size:,} versions", size, url, f"{path}/b")
        sizes = list(registries)
        if programs() is None:
            print(NOT_INSTALLED)
        else:
            server = stack.enter_context(postgresql_server(durable=True))
            name = f"PostgreSQL: {_ON_POSTGRESQL:,} versions"
            url = server.new_schema()
            ours = fill(name, _ON_POSTGRESQL, url, str(directory / "postgresql"))
            stack.callback(ours.close)
            registries[f"PG {_ON_POSTGRESQL:,}"] = ours
        durability = registries[sizes[0]].durability()
        print(f"SQLite settings of a connection of the registry: {durability}")
        measure(registries, sizes)


if __name__ == "__main__":
    main()
