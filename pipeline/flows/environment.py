"""How Prefect is set up where the user has not set it up: as variables, before its import."""

import os

from pipeline.settings import Settings

# Seconds; the first start of an embedded server creates its database.
_SERVER_START_LIMIT = "180"


def prepare(settings: Settings, *, console_level: str) -> None:
    """Set the defaults of Prefect's variables. What the user has set is left alone.

    Parameters
    ----------
    console_level : str
        Of Prefect's own lines on the terminal; its server gets every line all the same.
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
        # An embedded server keeps its state with ours; a user's own Prefect keeps its own.
        defaults["PREFECT_HOME"] = str(settings.home / "prefect")
        # Prefect makes the last directory of the path only, and its server fails without it.
        (settings.home / "prefect").mkdir(parents=True, exist_ok=True)
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def has_server() -> bool:
    """Whether the user has set up a Prefect server."""
    return bool(os.environ.get("PREFECT_API_URL") or os.environ.get("PREFECT_PROFILE"))
