"""A temporary Prefect server on this machine.

Prefect reads its settings when it is imported, so the server is started before that.
"""

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import requests

from pipeline.errors import ServerError

_log = logging.getLogger(__name__)

_HOST = "127.0.0.1"

# Seconds; the first start creates the server's database.
_START_LIMIT = 180
# `digits serve` has eight for its runs and the server. A server that is killed loses nothing.
_STOP_LIMIT = 2

# Seconds in which the server of a killed process ends too, and its port is free again.
_PORT_LIMIT = 5

# Seconds before a server that has ended is started again.
_RESTART_DELAY = 1

_LOG_BYTES = 10_000_000
_OLD_LOGS = 3


@contextlib.contextmanager
def prefect_server(port: int, log: Path) -> Iterator[str]:
    """Run a Prefect server on this machine during this block; yield the address of its API.

    If the server ends, it is started again. If this process ends, however it ends, so does the
    server.

    Parameters
    ----------
    port : int
        Port of the loopback interface.
    log : Path
        File for the output of the server; it is appended, and rotated.

    Raises
    ------
    ServerError
        If the port is taken, or the server does not start.
    """
    address = f"http://{_HOST}:{port}/api"
    _wait_for_port(port, address)
    log.parent.mkdir(parents=True, exist_ok=True)
    server = _Server(port, address, log)
    try:
        _wait_until_healthy(server, f"{address}/health", log)
        server.restarts = True
        yield address
    finally:
        server.stop()


class _Server:
    """The process of a server, and the thread that writes its log and starts it again.

    Attributes
    ----------
    restarts : bool
        Whether to start the server again if it ends.
    """

    def __init__(self, port: int, address: str, log: Path) -> None:
        self._command = [sys.executable, "-m", "pipeline.flows.server_process"]
        self._command += ["--host", _HOST, "--port", str(port)]
        # Otherwise its pages would send their requests to the default port.
        self._environment = {**os.environ, "PREFECT_UI_API_URL": address}
        self._log = log
        self._stopping = threading.Event()
        self.restarts = False
        self.process = self._start()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the server, and wait for its end."""
        self._stopping.set()
        self.process.terminate()
        try:
            self.process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._thread.join()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command,
            # The server ends when this pipe is closed.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment,
            # Ctrl-C must not reach the server: this process stops it when the work is done.
            start_new_session=True,
        )

    def _watch(self) -> None:
        with contextlib.closing(
            RotatingFileHandler(
                self._log, maxBytes=_LOG_BYTES, backupCount=_OLD_LOGS, encoding="utf-8"
            )
        ) as handler:
            while True:
                with self.process as process:
                    for line in process.stdout or ():
                        handler.emit(logging.makeLogRecord({"msg": line.rstrip("\n")}))
                    status = process.wait()
                if not self.restarts or self._stopping.wait(_RESTART_DELAY):
                    return
                _log.error(
                    "The Prefect server ended with status %d and is started again; see %s.",
                    status,
                    self._log,
                )
                self.process = self._start()
                if self._stopping.is_set():
                    self.process.terminate()


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int, address: str) -> None:
    """Wait until a port is free."""
    deadline = time.monotonic() + _PORT_LIMIT
    while not _is_free(port):
        if time.monotonic() > deadline:
            raise ServerError(
                f"Port {port} is taken. If a Prefect server listens there, set "
                f"PREFECT_API_URL={address}; if not, choose another port with --port."
            )
        time.sleep(0.2)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _wait_until_healthy(server: _Server, url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise ServerError(f"The Prefect server did not start; see {log}.")
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=1).ok:
                return
        time.sleep(0.5)
    raise ServerError(f"The Prefect server did not start within {_START_LIMIT} s; see {log}.")
