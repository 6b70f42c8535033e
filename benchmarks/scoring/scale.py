"""A million files on a Dask scheduler with two workers, and in two processes; killed and resumed.

The files are links into a few thousand real ones. Both runs have to end with the same rows, each
file once. Memory is that of all processes of a run, and has to be flat. From the rates follows what
more files take; a listing of another size shows which part grows faster than the files.
"""

import argparse
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pyarrow.compute as pc
import pyarrow.dataset as ds

from benchmarks import table
from nn import NeuralNetwork
from pipeline import Settings, ingest, open_registry
from pipeline.data import parquet
from pipeline.flows.environment import set_defaults
from pipeline.flows.server import free_port, prefect_server
from pipeline.images.encoding import png
from pipeline.inputs import finding, shards

_TARGETS = 4_000
_FILES_OF_A_DIRECTORY = 10_000

# Seconds between two looks at the memory of a run.
_INTERVAL = 0.5


def prepare(directory: Path, count: int) -> tuple[Path, Path]:
    """Return a home with a champion, and a directory with so many links to images."""
    data = ingest().test
    examples = parquet.read(data.path, data.split)
    network = NeuralNetwork(
        (784, 128, 10), activation="relu", initializer="he", learning_rate=0.1, epochs=2, seed=0
    ).fit(examples.images, examples.labels)
    home = directory / "home"
    with open_registry(Settings(home=home)) as registry:
        registry.register("mnist", network.to_bytes())
        registry.set_alias("mnist", "champion", 1, force=True)
    targets = directory / "targets"
    targets.mkdir()
    for number in range(_TARGETS):
        image = examples.images[number % len(examples)]
        (targets / f"{number:04}.png").write_bytes(png(image))
    for number in range(count):
        group = directory / "in" / f"{number // _FILES_OF_A_DIRECTORY:04}"
        if number % _FILES_OF_A_DIRECTORY == 0:
            group.mkdir(parents=True)
        os.link(targets / f"{number % _TARGETS:04}.png", group / f"{number:08}.png")
    return home, directory / "in"


class Run:
    """A scoring in processes of its own, whose memory is looked at.

    Parameters
    ----------
    arguments : sequence of object
    variables : dict of str to str
    cluster : sequence of Popen
        Processes that work for it.
    """

    def __init__(
        self,
        arguments: Sequence[object],
        variables: dict[str, str],
        cluster: Sequence[subprocess.Popen[bytes]] = (),
    ) -> None:
        self._cluster = cluster
        self.peaks: list[int] = []
        self.seconds = 0.0
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "score", *map(str, arguments)],
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
        )
        self._look = threading.Thread(target=self._watch, daemon=True)
        self._look.start()

    def until_scored(self, parts: Path, count: int) -> None:
        """Wait until so many shards are scored."""
        while len(list(parts.glob("part-*.parquet"))) < count:
            if self._process.poll() is not None:
                raise SystemExit("the run ended before it could be killed: take more files")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the run and everything that it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Wait for the end of the run, and take its time."""
        if self._process.wait():
            raise SystemExit(f"the run ended with {self._process.returncode}")
        self.seconds = time.perf_counter() - self._started
        self._look.join()

    def _watch(self) -> None:
        while self._process.poll() is None:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(self._process.pid)
                family = [process, *process.children(recursive=True)]
                family += [psutil.Process(each.pid) for each in self._cluster]
                self.peaks.append(sum(each.memory_info().rss for each in family))
            time.sleep(_INTERVAL)


@contextlib.contextmanager
def cluster(api: str, home: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Yield the address of a Dask scheduler, and its processes: the scheduler and two workers."""
    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    local = ("--host", "127.0.0.1", "--no-dashboard")
    variables = {"PREFECT_API_URL": api, "DIGITS_HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments, *local]
        return subprocess.Popen(command, env={**os.environ, **variables}, **quiet)

    processes = [start("scheduler", "--port", str(port))]
    address = f"tcp://127.0.0.1:{port}"
    processes += [start("worker", address, "--no-nanny", "--nthreads", "1") for _ in range(2)]
    try:
        yield f"dask://127.0.0.1:{port}", processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def on_dask(files: Path, output: Path, home: Path, *, killed_at: int | None) -> Run:
    """Score on a Dask cluster; kill a worker and then everything, and go on on another cluster."""
    set_defaults(Settings(home=home), console_level="CRITICAL")
    log = home / "prefect-server.log"
    arguments = (files, "--output", output)
    with prefect_server(free_port(), log) as api:
        if killed_at is not None:
            with cluster(api, home) as (address, processes):
                run = Run(arguments, _variables(home, api, address), processes)
                run.until_scored(output / "predictions", killed_at)
                processes[1].send_signal(signal.SIGKILL)
                run.until_scored(output / "predictions", 2 * killed_at)
                # The scheduler and the other worker.
                processes[0].send_signal(signal.SIGKILL)
                processes[2].send_signal(signal.SIGKILL)
                run.kill()
        with cluster(api, home) as (address, processes):
            run = Run(arguments, _variables(home, api, address), processes)
            run.end()
    return run


def _variables(home: Path, api: str, task_runner: str) -> dict[str, str]:
    return {
        "DIGITS_HOME": str(home),
        "PREFECT_API_URL": api,
        "DIGITS_TASK_RUNNER": task_runner,
        "OPENBLAS_NUM_THREADS": "1",
    }


def in_processes(files: Path, output: Path, home: Path, *, killed_at: int | None) -> Run:
    """Score in two processes; kill both, and go on."""
    arguments = (files, "--output", output, "--direct")
    variables = {"DIGITS_HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}
    if killed_at is not None:
        run = Run(arguments, variables)
        run.until_scored(output / "predictions", killed_at)
        run.kill()
    run = Run(arguments, variables)
    run.end()
    return run


def check(output: Path, count: int) -> None:
    """Check that each file has one row and a prediction."""
    rows = ds.dataset(output / "predictions").to_table(["path", "error"])
    missing = count - pc.count_distinct(rows["path"]).as_py()
    errors = len(rows) - rows["error"].null_count
    table.row(f"{output.name}: rows beyond one a file", [len(rows) - count], "0", digits=0)
    table.row(f"{output.name}: files without a row", [missing], "0", digits=0)
    table.row(f"{output.name}: rows with an error", [errors], "0", digits=0)


def listing(files: Path, count: int) -> None:
    """Print what listing takes: microseconds a file, and the peak of memory."""
    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        shards.write(finding.work_items([str(files)]), Path(name) / "shards", 5_000)
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in (Path(name) / "shards").iterdir())
    table.row("listing: microseconds a file", [1e6 * seconds / count])
    table.row("listing: bytes a file on disk", [size / count], digits=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    table.row("listing: peak memory, MB, with the preparation", [peak], digits=0)


def report(name: str, run: Run, count: int, output: Path) -> float:
    """Print what a run took, and return its files a second."""
    rate = count / run.seconds
    size = sum(path.stat().st_size for path in (output / "predictions").iterdir())
    table.row(f"{name}: files a second, start included", [rate], digits=0)
    half = len(run.peaks) // 2
    for part, peaks in (("first", run.peaks[: half + 1]), ("second", run.peaks[half:])):
        table.row(f"{name}: peak memory, {part} half, MB", [max(peaks) / 1e6], digits=0)
    table.row(f"{name}: bytes a row of the output", [size / count], digits=0)
    return rate


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="files")
    parser.add_argument("--directory", type=Path, help="where to work; a temporary one by default")
    chosen = parser.parse_args()
    count = chosen.count
    # Shards after which something is killed.
    killed_at = max(1, count // 5_000 // 8)
    with tempfile.TemporaryDirectory(dir=chosen.directory) as name:
        directory = Path(name)
        home, files = prepare(directory, count)
        table.heading(f"{count:,} files: links to {_TARGETS:,}")
        listing(files, count)
        rates = []
        for kind, score in (("two processes", in_processes), ("Dask, two workers", on_dask)):
            output = directory / "whole"
            run = score(files, output, home, killed_at=None)
            rates.append(report(kind, run, count, output))
            shutil.rmtree(output)
            resumed = directory / f"{kind}, killed"
            score(files, resumed, home, killed_at=killed_at)
            check(resumed, count)
        table.row("the slower of the two", [min(rates) / max(rates)], "≥ 0.9")
        outputs = [directory / f"{kind}, killed" for kind in ("two processes", "Dask, two workers")]
        columns = ["path", "prediction", "confidence"]
        tables = [
            ds.dataset(output / "predictions").to_table(columns).sort_by("path")
            for output in outputs
        ]
        differ = max(
            count - pc.sum(pc.equal(tables[0][name], tables[1][name])).as_py() for name in columns
        )
        table.row("rows of the two that differ", [differ], "0", digits=0)


if __name__ == "__main__":
    main()
