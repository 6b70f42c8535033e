"""A temporary Prefect server on this machine.

Prefect reads its settings when it is imported, so the server is started before that.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from pipeline.errors import ServerError

_HOST = "127.0.0.1"

# Seconds; the first start creates the server's database.
_START_LIMIT = 180
_STOP_LIMIT = 15


@contextlib.contextmanager
def prefect_server(port: int, log: Path) -> Iterator[str]:
    """Run a Prefect server on this machine during this block; yield the address of its API.

    Parameters
    ----------
    port : int
        Port of the loopback interface.
    log : Path
        File for the output of the server.

    Raises
    ------
    ServerError
        If the port is taken, or the server does not start.
    """
    address = f"http://{_HOST}:{port}/api"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            raise ServerError(
                f"Port {port} is taken. If a Prefect server listens there, set "
                f"PREFECT_API_URL={address}; if not, choose another port with --port."
            ) from None
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "prefect", "server", "start"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--host", _HOST, "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            # Otherwise its pages would send their requests to the default port.
            env={**os.environ, "PREFECT_UI_API_URL": address},
            # Ctrl-C must not reach the server: this process stops it when the work is done.
            start_new_session=True,
        )
    try:
        _wait_until_healthy(process, f"{address}/health", log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"The Prefect server did not start; see {log}.")
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=1).ok:
                return
        time.sleep(0.5)
    raise ServerError(f"The Prefect server did not start within {_START_LIMIT} s; see {log}.")
