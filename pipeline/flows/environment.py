"""The environment variables of Prefect, which are set before it is imported."""

import os
from importlib.util import find_spec

from pipeline.errors import SettingsError
from pipeline.settings import Settings

THREADS = "threads"
PROCESSES = "processes"
DASK = "dask"

# Seconds; the first start of an embedded server creates its database.
_SERVER_START_LIMIT = "180"


def set_defaults(settings: Settings, *, console_level: str) -> None:
    """Set the variables of Prefect that the user has not set.

    Parameters
    ----------
    settings : Settings
    console_level : str
        Level of the log records that Prefect prints; its server gets all records.
    """
    defaults = {
        # Both are needed for no packet to leave the machine.
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": _SERVER_START_LIMIT,
        "PREFECT_LOGGING_EXTRA_LOGGERS": "pipeline",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": console_level,
    }
    if not has_server():
        # An embedded server keeps its database under our home; a user's own Prefect does not.
        defaults["PREFECT_HOME"] = str(settings.home / "prefect")
        # In memory, the default, leases end with the server, but the slots that they guard stay
        # taken in its database, for ever.
        defaults["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"] = (
            "prefect.server.concurrency.lease_storage.filesystem"
        )
        # Prefect creates only the last directory of the path, and its server fails without it.
        (settings.home / "prefect").mkdir(parents=True, exist_ok=True)
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def has_server() -> bool:
    """Return whether the user has set up a Prefect server."""
    return bool(os.environ.get("PREFECT_API_URL") or os.environ.get("PREFECT_PROFILE"))


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
            f"DIGITS_TASK_RUNNER={name} needs Dask: pip install 'digits-pipeline[dask]'."
        )
