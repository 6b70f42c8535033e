"""The model in production: its name, its aliases, and the registry that the settings name."""

import getpass
import socket

from pipeline.settings import Settings, load_settings
from registry import Registry

MODEL = "mnist"
CHAMPION = "champion"


def open_registry(settings: Settings | None = None) -> Registry:
    """Open the registry that the settings name; create it if there is none."""
    settings = settings or load_settings()
    return Registry(settings.registry_url, settings.blobs_url, actor=_actor())


def full_reference(text: str) -> str:
    """Complete a short reference of the default model: ``@champion`` or ``7``."""
    if text.startswith("@"):
        return f"{MODEL}{text}"
    if text.isdecimal():
        return f"{MODEL}/{text}"
    return text


def _actor() -> str:
    """Return the user and host that the registry's history records."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
