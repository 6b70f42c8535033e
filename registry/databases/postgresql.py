"""A registry's database on a PostgreSQL server."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection

from registry import schema
from registry.databases.base import Database
from registry.errors import UnsupportedError
from registry.records import Finding

# Keys of advisory locks, which PostgreSQL keeps per database: for migrations, and for writers.
_TABLES = 0x6469_6769
_WRITERS = 0x6469_6770


def _prepare_threshold(url: URL) -> int | None:
    """Return after how many uses a statement is prepared on the server; None for never.

    A pooler such as PgBouncer shares a connection between clients. A statement that one of them
    prepared would answer the questions of the others, so nothing is prepared by default.
    """
    value = url.query.get("prepare_threshold", "None")
    if value == "None":
        return None
    if not (isinstance(value, str) and value.isdecimal()):
        raise UnsupportedError(
            f"registry URL: prepare_threshold: expected a whole number or None, got {value!r}."
        )
    return int(value)


# The schema of the tables, unless the search path of the user starts with another one than public.
_SCHEMA = "digits"

# The tables of a registry that an earlier release created in the schema public.
_PUBLIC_TABLES = (
    *("meta", "models", "blobs", "versions", "aliases", "events"),
    *("version_metrics", "version_params", "version_tags", "version_environment"),
    "version_inputs",
)


class PostgreSQL(Database):
    """Transactions on a PostgreSQL database.

    The tables are in a schema of their own, because other programs have tables such as ``events``.
    Statements name it: a search path would be state of a connection, which poolers share.

    Only writers of the same model wait for each other, at the model's row. All writers share an
    advisory lock, which `write_exclusively` takes exclusively.
    """

    def __init__(self, url: URL, *, create: bool) -> None:
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername != "postgresql+psycopg":
            raise UnsupportedError(
                f"registry URL: expected postgresql+psycopg://…, got {url.drivername}://…."
            )
        url = url.update_query_dict({"connect_timeout": "10"} | dict(url.query))
        threshold = _prepare_threshold(url)
        try:
            engine = sa.create_engine(
                url.difference_update_query(["prepare_threshold"]),
                # An idle connection may have been closed by the server, so it is tested before use.
                pool_pre_ping=True,
                connect_args={"prepare_threshold": threshold},
            )
        except (ModuleNotFoundError, exc.ArgumentError):
            raise UnsupportedError(
                "A registry on PostgreSQL needs psycopg: pip install '.[postgres]' in a clone of "
                "digits."
            ) from None
        super().__init__(url, engine)
        self._reader = engine.execution_options(isolation_level="REPEATABLE READ")
        self.schema = self._find_schema()
        for one in (engine, self._reader):
            one.update_execution_options(schema_translate_map={None: self.schema})
        self._open(create=create)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only snapshot transaction."""
        with self._translate_errors(), self._reader.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction."""
        with self._translate_errors(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_WRITERS)))
            self._require_schema(connection)
            yield connection

    @contextlib.contextmanager
    def write_exclusively(self) -> Iterator[Connection]:
        """Open a write transaction that excludes all other writers."""
        with self._translate_errors(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS)))
            self._require_schema(connection)
            yield connection

    def take_statistics(self, connection: Connection) -> None:
        """Do nothing: autovacuum updates the statistics."""

    def back_up(self, file: Path) -> None:  # noqa: ARG002
        """Raise an error: PostgreSQL has its own tools.

        Raises
        ------
        UnsupportedError
        """
        raise UnsupportedError(
            f"{self.address} is on a PostgreSQL server. Back it up with "
            f"pg_dump --schema={self.schema}."
        )

    def findings(self) -> Iterator[Finding]:
        """Yield nothing: PostgreSQL checks its own files."""
        return iter(())

    @contextlib.contextmanager
    def _upgrading(self) -> Iterator[Connection]:
        with self._translate_errors(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES)))
            # Writers look at the schema once they have this lock.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS)))
            self._enter_schema(connection)
            yield connection

    def _find_schema(self) -> str:
        with self._translate_errors(), self._engine.connect() as connection:
            first = connection.scalar(sa.select(sa.func.current_schema()))
        return _SCHEMA if first in {None, "public"} else str(first)

    def _has_table(self, connection: Connection, name: str) -> bool:
        return _exists(connection, self.schema, name)

    def _schema_version(self, connection: Connection) -> int | None:
        version = super()._schema_version(connection)
        if version is None and self.schema == _SCHEMA:
            version = _version_in_public(connection)
        return version

    def _enter_schema(self, connection: Connection) -> None:
        """Create the schema if it is missing, and make it that of the statements to come."""
        name = connection.dialect.identifier_preparer.quote(self.schema)
        query = sa.text("SELECT to_regnamespace(:name)")
        is_missing = connection.scalar(query, {"name": name}) is None
        in_public = (
            None if self._has_table(connection, "meta") else self._schema_version(connection)
        )
        if is_missing:
            connection.execute(sa.text(f"CREATE SCHEMA {name}"))
        connection.execute(sa.text(f"SET LOCAL search_path TO {name}"))
        if in_public is not None:
            _move_from_public(connection, name)


def _exists(connection: Connection, schema_name: str, table: str) -> bool:
    quote = connection.dialect.identifier_preparer.quote
    query = sa.select(sa.func.to_regclass(f"{quote(schema_name)}.{table}"))
    return connection.scalar(query) is not None


def _version_in_public(connection: Connection) -> int | None:
    """Return the schema version of a registry in the schema public; None if there is none."""
    columns = set(
        connection.execute(
            sa.text(
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND (table_name, column_name) IN "
                "(('meta', 'schema_version'), ('events', 'prev_hash'), ('models', 'event_head'))"
            )
        )
    )
    # Another program's table of events is not that of a registry, which then has no versions.
    if len(columns) < 3:
        return None
    return int(connection.scalars(sa.text("SELECT schema_version FROM public.meta")).one())


def _move_from_public(connection: Connection, name: str) -> None:
    """Move the tables of an earlier release from the schema public to a schema.

    What stays is a table that tells an earlier release to upgrade: it would create an empty
    registry otherwise.
    """
    for table in _PUBLIC_TABLES:
        connection.execute(sa.text(f"ALTER TABLE public.{table} SET SCHEMA {name}"))
    function = "public.events_are_append_only()"
    connection.execute(sa.text(f"ALTER FUNCTION {function} SET SCHEMA {name}"))
    connection.execute(sa.text("CREATE TABLE public.meta (id INTEGER, schema_version INTEGER)"))
    connection.execute(sa.text(f"INSERT INTO public.meta VALUES (1, {schema.VERSION})"))
