"""A registry's database in a SQLite file."""

import contextlib
import fcntl
import functools
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection

from registry import schema
from registry.databases.base import Database
from registry.databases.read_only_file import ReadOnlyFile, is_read_only
from registry.durability import atomic_write
from registry.errors import (
    InvalidArgumentError,
    NewerRegistryError,
    NoRegistryError,
    UnavailableError,
    UnsupportedError,
    without_secrets,
)
from registry.records import Finding

_log = logging.getLogger(__name__)

# Milliseconds that a connection waits for the transaction of another one.
_BUSY_TIMEOUT = 30_000

# File systems on which locks and shared memory do not work between machines.
_NETWORKS = frozenset(
    ("afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3")
)

# A flipped bit can make a text invalid UTF-8. `verify` must report it instead of failing.
_TEXT = functools.partial(str, encoding="utf-8", errors="backslashreplace")


class SQLite(Database):
    """Transactions on a SQLite file, created when it is first opened.

    A writer locks ``<file>.lock`` and then begins with IMMEDIATE, which takes SQLite's write lock
    at once. A transaction that starts by reading could not be promoted after another one has
    written: it would fail with "database is locked", whatever the time-out. The lock file is fair,
    unlike SQLite's sleeping and retrying, so the waits of many writers stay short.

    If the user may not write the file or its directory, the registry is opened for reading, and no
    file is created beside it.
    """

    def __init__(self, url: URL, *, create: bool) -> None:
        is_file = url.database not in {None, "", ":memory:"} and not url.query and not url.host
        if url.get_backend_name() != "sqlite" or not is_file:
            shown = without_secrets(url.render_as_string()) + ("?…" if url.query else "")
            raise UnsupportedError(
                "registry URL: expected a SQLite file, sqlite:///PATH, or "
                f"postgresql+psycopg://USER@HOST/DATABASE, got {shown!r}."
            )
        # Resolved once: the working directory may change while the registry is open.
        self._path = Path(_decoded(str(url.database))).absolute()
        if not create and not self._path.exists():
            raise NoRegistryError(str(self._path))
        _make_parent(self._path)
        _refuse_network(self._path.parent)
        self._reader = ReadOnlyFile(self._path) if is_read_only(self._path) else None
        super().__init__(url, self._create_engine())
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._identity: tuple[int, int] | None = None
        self._open(create=create)
        self._identity = self._current_identity()

    @property
    def address(self) -> str:
        """The path of the file."""
        return str(self._path)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only snapshot transaction."""
        with self._translate_errors():
            self._require_same_file()
            with self._engine.begin() as connection:
                yield connection
            if self._reader is not None:
                self._reader.require_unchanged()

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction."""
        with self._translate_errors(), self._locked():
            self._require_same_file()
            with self._writer.begin() as connection:
                self._require_schema(connection)
                yield connection
                # What is committed to a file that was moved away is lost, so it must not be
                # acknowledged.
                self._require_same_file()

    # SQLite allows only one writer at a time.
    write_exclusively = write

    def take_statistics(self, connection: Connection) -> None:
        """Update the statistics of the query planner from a sample of each index."""
        # Without statistics all indexes look equally good, and finding one run reads a whole
        # model. SQLite never runs ANALYZE by itself.
        connection.exec_driver_sql("PRAGMA analysis_limit = 400")
        connection.exec_driver_sql("ANALYZE")

    def back_up(self, file: Path) -> None:
        """Write a consistent copy of the database to a file.

        Raises
        ------
        InvalidArgumentError
            If the file is the database itself.
        """
        with self._translate_errors():
            self._require_same_file()
            file = file.resolve()
            if file.exists() and file.samefile(self._path):
                raise InvalidArgumentError("file", "another file than the database", str(file))
            self._copy_to(file)

    def _copy_to(self, file: Path) -> None:
        with (
            atomic_write(file) as temporary,
            self._engine.connect().execution_options(
                isolation_level="AUTOCOMMIT", sqlite_begin=""
            ) as connection,
        ):
            connection.exec_driver_sql("VACUUM INTO ?", (str(temporary),))

    def findings(self) -> Iterator[Finding]:
        """Yield the problems that SQLite itself finds in the file."""
        with self.read() as connection:
            for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
                if line != "ok":
                    yield Finding("error", "database", line)
            for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
                text = f"row {row[1]} of {row[0]} refers to a missing row of {row[2]}"
                yield Finding("error", "database", text)

    @contextlib.contextmanager
    def _upgrading(self) -> Iterator[Connection]:
        with self._translate_errors(), self._locked():
            self._back_up()
            with self._writer.begin() as connection:
                yield connection

    def _has_table(self, connection: Connection, name: str) -> bool:
        return sa.inspect(connection).has_table(name)

    def _back_up(self) -> None:
        """Back up a registry of an earlier schema before it is migrated."""
        with self._engine.connect() as connection:
            version = self._schema_version(connection)
        if version is None or version >= schema.VERSION:
            return
        backup = self._path.with_name(f"{self._path.name}.schema-{version}")
        for path in backup.parent.iterdir():
            # Left by a migration that was killed.
            if path.name.startswith(f".{backup.name}."):
                path.unlink()
        self._copy_to(backup)
        _log.warning("The registry is migrated to a new schema. A backup is kept in %s.", backup)

    def _require_schema(self, connection: Connection) -> None:
        (version,) = _driver(connection).execute("SELECT schema_version FROM meta").fetchone()
        if version != schema.VERSION:
            raise NewerRegistryError(version, schema.VERSION)

    def _create_engine(self) -> sa.Engine:
        url = URL.create("sqlite", database=str(self._path))
        if self._reader is not None:
            # Each transaction decides again how the file can be read.
            engine = sa.create_engine(url, creator=self._reader.connect, poolclass=sa.NullPool)
            event.listen(engine, "connect", _configure)
        else:
            engine = sa.create_engine(url)
            event.listen(engine, "connect", _configure_writable)
        return engine

    def _current_identity(self) -> tuple[int, int]:
        status = os.stat(self._path)  # noqa: PTH116 - three times as fast, and in every transaction
        return status.st_dev, status.st_ino

    def _require_same_file(self) -> None:
        """Raise an error if the path no longer leads to the file that was opened."""
        if self._identity is None:
            return
        try:
            if self._current_identity() == self._identity:
                return
        except FileNotFoundError:
            pass
        raise UnavailableError(
            f"{self._path} was moved, removed or replaced while the registry was open. Nothing was "
            "changed. Close the registry and open it again."
        )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._reader is not None:
            raise UnavailableError(
                f"The registry {self._path} can only be read: you may not write to the file or "
                "its directory. Nothing was changed."
            )
        with open(f"{self._path}.lock", "a") as handle:  # noqa: PTH123 - a suffix on a name
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _refuse_network(directory: Path) -> None:
    kind = _file_system(directory)
    if kind in _NETWORKS:
        raise UnsupportedError(
            f"{directory} is on a network file system ({kind}), where SQLite cannot keep "
            "machines from overwriting each other. Use a local disk, or PostgreSQL."
        )


def _file_system(directory: Path) -> str | None:
    """Return the type of a directory's file system; None if it is unknown (not on Linux)."""
    device = os.stat(directory).st_dev  # noqa: PTH116 - the number that mountinfo lists
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[2] == wanted:
                return fields[fields.index("-") + 1]
    return None


def _decoded(path: str) -> str:
    """Return a path of an address, in which a question mark is written ``%3F``."""
    return re.sub("%(25)?3F", lambda match: "%3F" if match[1] else "?", path)


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"The registry cannot be created at {path} ({error.strerror})."
        ) from None


def _configure_writable(connection: Any, record: Any) -> None:
    _configure(connection, record)
    _change_to_wal(connection)
    # NORMAL can lose a committed transaction on power loss, so a number would be assigned twice.
    connection.execute("PRAGMA synchronous = FULL")


def _configure(connection: Any, _record: Any) -> None:
    # Python's sqlite3 must not begin transactions by itself: `_begin` does.
    connection.isolation_level = None
    connection.text_factory = _TEXT
    # The time-out comes first, because the change to WAL may already have to wait.
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    # As PostgreSQL does.
    connection.execute("PRAGMA case_sensitive_like = ON")


def _change_to_wal(connection: Any) -> None:
    """Change a new file to WAL mode.

    If several connections do so at the same time, SQLite ignores the time-out and refuses all but
    one at once.
    """
    deadline = time.monotonic() + _BUSY_TIMEOUT / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get("sqlite_begin", "BEGIN")
    if statement:
        _driver(connection).execute(statement)


def _driver(connection: Connection) -> sqlite3.Connection:
    """Return the connection of the driver: SQLAlchemy takes ten times as long for a statement."""
    driver: Any = connection.connection.dbapi_connection
    return cast(sqlite3.Connection, driver)
