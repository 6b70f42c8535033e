"""Serving the scheduled retraining, with a Prefect server of its own where there is none."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, cast

import requests
from prefect import serve as serve_deployments
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from pipeline import flows
from pipeline.errors import ServerError, SettingsError
from pipeline.prefect_settings import has_server
from pipeline.settings import load_settings

_HOST = "127.0.0.1"
_PORT = 4200

# Seconds; the first start creates the server's database.
_START_LIMIT = 180
_STOP_LIMIT = 15


def serve(cron: str, parameters: dict[str, Any]) -> None:
    """Serve ``retrain`` until this process is told to stop.

    Parameters
    ----------
    cron : str
        Five fields, in UTC.
    parameters : dict
        Of the flow.

    Raises
    ------
    SettingsError
        Where the cron expression is none.
    ServerError
        Where a server is needed and cannot be started.
    """
    try:
        schedule = Cron(cron, timezone="UTC")
    except ValueError as error:
        raise SettingsError(
            f"cron: expected five fields like '0 3 * * *', got {cron!r} ({error})."
        ) from None
    with contextlib.ExitStack() as stack:
        if not has_server():
            stack.enter_context(_server())
        # Outside an event loop this is the deployment itself, not a promise of it.
        deployment = cast(
            RunnerDeployment,
            flows.retrain.to_deployment(
                "scheduled",
                schedule=schedule,
                parameters=parameters,
                # A late run waits; a cancelled one would be a night without a word.
                concurrency_limit=ConcurrencyLimitConfig(
                    limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
                ),
                entrypoint_type=EntrypointType.MODULE_PATH,
            ),
        )
        # By default Prefect pauses the schedule at the end, and it would stay paused.
        serve_deployments(deployment, pause_on_shutdown=False, limit=1)


@contextlib.contextmanager
def _server() -> Iterator[None]:
    """Run a Prefect server on this machine, and export its address."""
    address = f"http://{_HOST}:{_PORT}/api"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, _PORT))
        except OSError:
            raise ServerError(
                f"Port {_PORT} is taken. If a Prefect server listens there, set "
                f"PREFECT_API_URL={address}; if not, start one on another port with "
                "`prefect server start --port …` and set PREFECT_API_URL to its address."
            ) from None
    log = load_settings().home / "prefect-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "prefect", "server", "start"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--host", _HOST, "--port", str(_PORT)],
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for this process, which stops the server when its work is done.
            start_new_session=True,
        )
    try:
        _await(process, f"{address}/health", str(log))
        os.environ["PREFECT_API_URL"] = address
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()


def _await(process: subprocess.Popen[bytes], url: str, log: str) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"The Prefect server did not start; {log} says why.")
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=1).ok:
                return
        time.sleep(0.5)
    raise ServerError(f"The Prefect server did not start within {_START_LIMIT} s; see {log}.")
