"""The pages and the static site of a registry of 10,000 versions and 1,000 batches.

The pages are asked for over HTTP, from a server in a process of its own.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

import benchmarks.registry.fill as filling
from benchmarks import table
from registry import BatchRecord, DriftFigure, Estimate, Registry, batches

_VERSIONS, _BATCHES = 10_000, 1_000
_ROUNDS = 20
_PORT = 8429

_PAGES = (
    "/",
    "/versions",
    "/versions?where=metrics.accuracy > 0.99&sort=metrics.accuracy desc",
    f"/versions/mnist/{_VERSIONS}",
    "/batches",
    f"/batches/{_BATCHES}",
)


def _fill(home: Path) -> None:
    """Fill the registry of a home: all versions are of one model."""
    url, blobs = f"sqlite:///{home}/registry.db", str(home / "blobs")
    filling.model_of = lambda _: filling.LARGE
    filling.fill(url, blobs, _VERSIONS)
    rng = random.Random(0)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    with Registry(url, blobs) as registry:
        version = registry.get(f"{filling.LARGE}@champion")
        for number in range(_BATCHES):
            at = start + timedelta(hours=number)
            batches.now = lambda at=at: int(at.timestamp() * 1e6)
            accuracy = rng.uniform(0.9, 0.99)
            record = BatchRecord(
                version=version.reference,
                sha256=version.sha256,
                inputs=("scans",),
                output=f"scores/{number}",
                files=1_000,
                digits=(100,) * 10,
                confidence=accuracy,
                histogram=(0,) * 19 + (1_000,),
                estimate=Estimate(accuracy, accuracy - 0.01, accuracy + 0.01),
                drift=(DriftFigure("confidence", rng.uniform(0, 0.3), 0.25),),
            )
            registry.record_batch(record, key=f"{number:064x}")


def _first_byte(address: str) -> tuple[float, int]:
    """Return milliseconds until the first byte of a page, and its size in kB."""
    started = time.perf_counter()
    with requests.get(address, timeout=60, stream=True) as answer:
        answer.raise_for_status()
        content = answer.raw.read(1)
        milliseconds = 1_000 * (time.perf_counter() - started)
        return milliseconds, len(content + answer.raw.read()) // 1_000


def _serve(environment: dict[str, str]) -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "ui", "--port", str(_PORT), "--read-only"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    if server.stderr is None or "The pages are at" not in server.stderr.readline():
        raise RuntimeError("The server does not start.")
    return server


def main() -> None:
    """Print the times until the first byte, the sizes, and the time of the site."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        _fill(home)
        environment = {**os.environ, "DIGITS_HOME": directory}
        server = _serve(environment)
        try:
            answers = {}
            table.heading("milliseconds to the first byte")
            for page in _PAGES:
                address = f"http://127.0.0.1:{_PORT}{page}"
                first, _ = _first_byte(address)
                answers[page] = [_first_byte(address) for _ in range(_ROUNDS)]
                table.row(page, [milliseconds for milliseconds, _ in answers[page]], "≤ 100")
                table.row(f"{page}, asked for the first time", [first], "≤ 100")
            table.heading("kB of a page")
            for page, sizes in answers.items():
                table.row(page, [sizes[0][1]], "≤ 300", 0)
        finally:
            server.terminate()
            server.wait()
        table.heading("seconds")
        started = time.perf_counter()
        output = ["--output", str(home / "site")]
        subprocess.run(
            [sys.executable, "-m", "pipeline", "site", *output], env=environment, check=True
        )
        table.row("digits site, with the start of Python", [time.perf_counter() - started], "≤ 5")


if __name__ == "__main__":
    main()
