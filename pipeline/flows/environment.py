"""The environment variables of Prefect, which are set before it is imported."""

import os
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import ServerError, SettingsError
from pipeline.settings import Settings

THREADS = "threads"
PROCESSES = "processes"
DASK = "dask"

# Seconds; the first start of an embedded server creates its database.
_SERVER_START_LIMIT = "180"

# Seconds that an embedded server keeps a run that has ended: 30 days.
_RETENTION = 30 * 86_400

# How long it keeps events, as an ISO 8601 duration. Those of a look into the inbox take four times
# the space of its run, and no automation of ours looks back further than minutes.
_EVENT_RETENTION = "P2D"


def set_defaults(settings: Settings, *, console_level: str) -> None:
    """Set the variables of Prefect that the user has not set.

    Parameters
    ----------
    settings : Settings
    console_level : str
        Level of the log records that Prefect prints; its server gets all records.
    """
    _set(
        {
            # Both are needed for no packet to leave the machine.
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": _SERVER_START_LIMIT,
            "PREFECT_LOGGING_EXTRA_LOGGERS": "pipeline",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": console_level,
        }
    )
    # If the environment names a server, Prefect need not be imported to know that there is one.
    if os.environ.get("PREFECT_API_URL"):
        return
    before = dict(os.environ)
    home = settings.home / "prefect"
    # An embedded server keeps its database under our home; the profiles stay those of the user.
    prefect_home = os.environ.get("PREFECT_HOME") or "~/.prefect"
    profiles = Path(prefect_home).expanduser() / "profiles.toml"
    # Prefect creates only the last directory of the path, and its server fails without it.
    home.mkdir(parents=True, exist_ok=True)
    _set(
        {
            "PREFECT_HOME": str(home),
            "PREFECT_PROFILES_PATH": str(profiles),
            # In memory, the default, leases end with the server, but the slots that they guard stay
            # taken in its database, for ever.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
                "prefect.server.concurrency.lease_storage.filesystem"
            ),
            # After downtime it would mark all overdue runs side by side, and lock the database.
            "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
            # By default runs, logs and artifacts stay for ever.
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
            "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(_RETENTION),
            "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": _EVENT_RETENTION,
        }
    )
    _read_settings()
    if has_server():
        os.environ.clear()
        os.environ.update(before)
        _read_settings()


def has_server() -> bool:
    """Return whether the user has set up a Prefect server, in the environment or in a profile."""
    if os.environ.get("PREFECT_API_URL"):
        return True
    from prefect.settings import get_current_settings

    return bool(get_current_settings().api.url)


def use_server(address: str) -> None:
    """Let the flows of this process, and of those that it starts, run against a server."""
    os.environ["PREFECT_API_URL"] = address
    _read_settings()


def require_server() -> None:
    """Check that the user's Prefect server answers.

    Raises
    ------
    ServerError
        If it does not.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        error = client.api_healthcheck()
        if error is not None:
            raise ServerError(
                f"No Prefect server answers at {client.api_url} ({error}). Start it, or name "
                "another one in PREFECT_API_URL."
            )


def _set(defaults: dict[str, str]) -> None:
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _read_settings() -> None:
    """Let Prefect read its settings again, which it does by itself only when it is imported."""
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()


def require_task_runner(settings: Settings) -> None:
    """Check that the task runner of the settings is known and installed.

    Raises
    ------
    SettingsError
        If it is not.
    """
    name = settings.task_runner
    if name in {THREADS, PROCESSES}:
        return
    if name != DASK and not name.startswith(f"{DASK}://"):
        raise SettingsError(
            "DIGITS_TASK_RUNNER: expected threads, processes, dask or dask://HOST:PORT, "
            f"got {name!r}."
        )
    if find_spec("prefect_dask") is None:
        raise SettingsError(
            f"DIGITS_TASK_RUNNER={name} needs Dask: pip install '.[dask]' in a clone of digits."
        )
