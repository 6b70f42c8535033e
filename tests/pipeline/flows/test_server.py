"""The Prefect server that a process starts for itself."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
import requests
from processes import LIMIT, stop, until

from pipeline.flows.server import free_port

PROGRAM = """
import sys
from pathlib import Path
from pipeline.flows.server import prefect_server
with prefect_server(int(sys.argv[1]), Path(sys.argv[2])) as address:
    print(address, flush=True)
    input()
"""


@pytest.fixture
def owner(home, tmp_path):
    """A process with a Prefect server of its own, the port, and the server's log."""
    port, log = free_port(), tmp_path / "logs" / "server.log"
    log.parent.mkdir()
    # One more line, and the log is as large as it may become.
    log.write_text("the day before\n")
    os.truncate(log, 10_000_000 - 10)
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port), str(log)],
        env={**environment, "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process, port, log
    stop(process)


def _is_healthy(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/api/health", timeout=LIMIT).ok
    except requests.ConnectionError:
        return False


@pytest.mark.long
def test_a_server_is_started_again_if_it_ends_and_ends_with_its_owner(owner):
    """Both are killed; the server says so in one line, and its log is kept."""
    process, port, log = owner
    assert process.stdout.readline() == f"http://127.0.0.1:{port}/api\n"
    (server,) = psutil.Process(process.pid).children()
    server.kill()
    until(lambda: server not in psutil.Process(process.pid).children(), process)
    until(lambda: _is_healthy(port), process)
    (server,) = psutil.Process(process.pid).children()
    process.kill()
    _, err = process.communicate(timeout=LIMIT)
    message = f"The Prefect server ended with status {-signal.SIGKILL} and is started again"
    assert err.splitlines() == [f"{message}; see {log}."]
    psutil.wait_procs([server], timeout=LIMIT)
    assert not server.is_running()
    # The log is kept, and a new one was begun.
    assert log.with_name("server.log.1").read_text().startswith("the day before\n")
    assert 0 < log.stat().st_size < 10_000_000
    # The port is free at once.
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/api/health", timeout=LIMIT)
