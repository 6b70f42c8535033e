"""Looks and retrainings through `digits serve` and its Prefect server.

A look begins as soon as the last one has ended; one in a hundred finds an image. The retrainings
are spread evenly. Printed are the memory of `serve` and of its server over time, and what a look
leaves in the database of the server. From that the size is extrapolated that the database has if a
look comes every minute: runs are kept for 30 days, and events for two.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import mnist_sample
import numpy as np
import psutil
import requests

from benchmarks.operations.homes import sizes, use_sample
from pipeline.flows.server import free_port
from pipeline.images.encoding import png
from pipeline.settings import load_settings

LOOKS = 10_000
RETRAININGS = 7
FINDS = 100

# A look a minute, for as long as the server keeps its run and its events.
KEPT_RUNS = 30 * 24 * 60
KEPT_EVENTS = 2 * 24 * 60

_WAIT = 600

_CANCELLED = "CANCELLED"


class Served:
    """A `digits serve` with an inbox."""

    def __init__(self, directory: Path) -> None:
        self.inbox, self.outbox = directory / "inbox", directory / "outbox"
        self.inbox.mkdir()
        self.log = directory / "serve.log"
        port = free_port()
        self._api = f"http://127.0.0.1:{port}/api"
        support = Path(mnist_sample.__file__).parent
        paths = [str(support), str(support / "site"), os.environ.get("PYTHONPATH", "")]
        # The looks are asked for, one after the other.
        command = [sys.executable, "-m", "pipeline", "serve", "--port", str(port)]
        command += ["--every", "86400"]
        command += ["--inbox", str(self.inbox), "--outbox", str(self.outbox), "--preset", "quick"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(paths),
                    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
                },
                stderr=log,
            )
        self._wait_for(lambda: self.ask("GET", "deployments/name/score-inbox/scheduled"))

    def ask(self, method: str, path: str, query: Any = None) -> Any:
        """Return what the server answers; None if it does not."""
        try:
            answer = requests.request(method, f"{self._api}/{path}", json=query, timeout=60)
        except requests.ConnectionError:
            return None
        return answer.json() if answer.ok else None

    def run(self, flow: str, **parameters: Any) -> None:
        """Run a flow to its end.

        A look is cancelled if the slot of the look before it is not free yet; another one follows.
        """
        found = self._wait_for(lambda: self.ask("GET", f"deployments/name/{flow}/scheduled"))
        query = {"parameters": {**found["parameters"], **parameters}}
        state = _CANCELLED
        while state == _CANCELLED:
            # The server answers 503 while its database is too busy.
            asked = self._wait_for(
                lambda: self.ask("POST", f"deployments/{found['id']}/create_flow_run", query)
            )
            state = self._wait_for(lambda asked=asked: self._end_of(asked["id"]))
        assert state == "COMPLETED", self.log.read_text()

    def _end_of(self, run_id: str) -> str | None:
        """Return how a run ended; None if it has not."""
        run = self.ask("GET", f"flow_runs/{run_id}") or {}
        return run["state_type"] if run.get("end_time") else None

    def drop(self, number: int) -> None:
        """Put an image into the inbox."""
        temporary = self.inbox / f".{number}.png"
        temporary.write_bytes(png(np.full((28, 28), 200, np.uint8)))
        temporary.rename(self.inbox / f"{number}.png")

    def memory(self) -> tuple[float, float]:
        """Return the memory of `serve` and of its server, in MB."""
        serve = psutil.Process(self.process.pid)
        (server,) = (
            child for child in serve.children() if "server_process" in " ".join(child.cmdline())
        )
        return serve.memory_info().rss / 1e6, server.memory_info().rss / 1e6

    def database(self) -> np.ndarray:
        """Return the bytes that events, and all the rest, take in the server's database."""
        path = Path(os.environ["DIGITS_HOME"]) / "prefect" / "prefect.db"
        query = (
            "SELECT m.tbl_name IN ('events', 'event_resources'), sum(s.pgsize) "
            "FROM dbstat AS s LEFT JOIN sqlite_schema AS m ON m.name = s.name GROUP BY 1"
        )
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            sizes = {bool(is_event): size for is_event, size in connection.execute(query)}
        return np.array([sizes[True], sizes[False]])

    def stop(self) -> float:
        """Ask `serve` to end, and return the seconds that it took."""
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(_WAIT)
        return time.monotonic() - started

    def _wait_for(self, look: Any) -> Any:
        deadline = time.monotonic() + _WAIT
        while not (result := look()):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(1)
        return result

    def live(self, looks: int, retrainings: int) -> None:
        """Let so many looks and retrainings pass, and print the memory now and then."""
        self.run("retrain", seed=0)
        self.run("score-inbox")
        before = self.database()
        for done in range(looks):
            if done % max(1, looks // 10) == 0:
                self._tell_memory(done)
            if done * retrainings // looks != (done - 1) * retrainings // looks:
                self.run("retrain", seed=done + 1)
            if done % FINDS == 0:
                self.drop(done)
            self.run("score-inbox")
        self._tell_memory(looks)
        events, runs = (self.database() - before) / looks
        size = (events * KEPT_EVENTS + runs * KEPT_RUNS) / 1e6
        print(
            f"a look leaves {events / 1e3:.1f} kB of events and {runs / 1e3:.1f} kB beside them: "
            f"{size:,.0f} MB for a look a minute"
        )

    def _tell_memory(self, looks: int) -> None:
        serve, server = self.memory()
        print(f"{looks:>7,} looks: serve {serve:.0f} MB, server {server:.0f} MB", flush=True)


def main(looks: int, retrainings: int) -> None:
    """Serve so many looks and retrainings, and print what they took and left."""
    directory = Path(tempfile.mkdtemp(prefix="digits-served-"))
    use_sample(directory / "home")
    started = time.monotonic()
    served = Served(directory)
    try:
        served.live(looks, retrainings)
        took = time.monotonic() - started
        print(f"{took:,.0f} s, {took / looks:.1f} s a look; SIGTERM took {served.stop():.1f} s")
        for what, size in sizes(load_settings(), served.outbox).items():
            print(f"{size / 1e6:>9,.1f} MB {what}")
    finally:
        if served.process.poll() is None:
            served.process.terminate()
            served.process.wait(_WAIT)
        shutil.rmtree(directory)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=LOOKS)
    parser.add_argument("--retrainings", type=int, default=RETRAININGS)
    options = parser.parse_args()
    main(options.looks, options.retrainings)
