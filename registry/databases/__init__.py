"""The databases that a registry can use."""

from sqlalchemy import exc
from sqlalchemy.engine import make_url

from registry.databases.base import Database
from registry.errors import UnsupportedError, without_secrets

__all__ = ["Database", "open_database"]


def open_database(url: str, *, create: bool = True) -> Database:
    """Open the database of a registry, and create its tables if there are none.

    Raises
    ------
    NoRegistryError
        If there are no tables, and they are not to be created.
    UnsupportedError, UnavailableError
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise UnsupportedError(
            "registry URL: expected sqlite:///PATH or postgresql+psycopg://…, got "
            f"{without_secrets(url)!r}."
        ) from None
    if parsed.get_backend_name() == "postgresql":
        from registry.databases.postgresql import PostgreSQL

        return PostgreSQL(parsed, create=create)
    from registry.databases.sqlite import SQLite

    return SQLite(parsed, create=create)
