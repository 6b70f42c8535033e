"""The model in production: its name, its aliases, and the registry that the settings name."""

import getpass
import socket
from pathlib import Path

from pipeline.errors import SettingsError
from pipeline.settings import Settings, load_settings
from registry import ModelVersion, Registry

MODEL = "mnist"
CHAMPION = "champion"

# Characters that the registry keeps of who made a change.
_MAX_ACTOR = 250


def open_registry(settings: Settings | None = None, *, create: bool = True) -> Registry:
    """Open the registry that the settings name.

    Parameters
    ----------
    settings : Settings, optional
    create : bool, optional
        Create the registry if there is none, which is the default.

    Raises
    ------
    registry.NoRegistryError
        If there is none and `create` is False.
    """
    settings = settings or load_settings()
    return Registry(
        settings.registry_url,
        settings.blobs_url,
        actor=_actor(),
        create=create,
        signing_key=settings.signing_key,
        default_model=MODEL,
    )


def open_other_registry(url: str, blobs: str | None) -> Registry:
    """Open a registry at another address.

    Parameters
    ----------
    url : str
    blobs : str, optional
        For a SQLite file, ``blobs`` beside it by default.

    Raises
    ------
    SettingsError
        If the blob store has to be named.
    """
    if blobs is None:
        if not url.startswith("sqlite:///"):
            raise SettingsError("Name the blob store that belongs to the database as well.")
        blobs = str(Path(url.removeprefix("sqlite:///")).parent / "blobs")
    return Registry(
        url, blobs, actor=_actor(), signing_key=load_settings().signing_key, default_model=MODEL
    )


def full_reference(reference: str | int | ModelVersion) -> str:
    """Complete a short reference of the default model: ``@champion`` or ``7``."""
    text = reference.reference if isinstance(reference, ModelVersion) else str(reference)
    if text.startswith("@"):
        return f"{MODEL}{text}"
    if text.isdecimal():
        return f"{MODEL}/{text}"
    return text


def _actor() -> str:
    """Return the user and host that the registry's history records, as text that it accepts."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that has no name
        user = "unknown"
    actor = f"{user}@{socket.gethostname()}"
    # A name that is not UTF-8 comes as surrogates.
    return actor.encode(errors="backslashreplace").decode()[:_MAX_ACTOR]
