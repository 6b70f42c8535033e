"""A PostgreSQL server for the tests, on a socket in a temporary directory."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

NOT_INSTALLED = "PostgreSQL is not installed: no initdb (on Debian: apt-get install postgresql-15)"


def programs() -> Path | None:
    """Return the directory of initdb and pg_ctl; None if PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[4])
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def schema_of(url: str) -> str:
    """Return the name of the schema of an address from `PostgreSQLServer.new_schema`."""
    return unquote(url).rpartition("=")[2]


@dataclass(frozen=True)
class PostgreSQLServer:
    """A running server."""

    directory: Path
    user: str
    programs: Path

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql+psycopg://{self.user}@/{database}?host={quote(str(self.directory))}"

    def new_schema(self) -> str:
        """Create an empty schema; return an address whose connections use only this schema."""
        name = f"test_{uuid.uuid4().hex}"
        # Creating and removing a database costs a hundred times as much.
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.url()}&options={quote(f'-csearch_path={name}')}"

    def dump(self, url: str) -> str:
        """Return statements that make an empty schema that of an address from `new_schema`.

        They name the schema as ``{schema}``.
        """
        name = schema_of(url)
        dumped = subprocess.run(
            [
                *(self.programs / "pg_dump", "--inserts", f"--schema={name}"),
                *(f"--host={self.directory}", f"--username={self.user}", "postgres"),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        # psql alone understands a line with a backslash.
        lines = [line for line in dumped.splitlines() if not line.startswith(("\\", "--"))]
        return "\n".join(lines).replace(f"CREATE SCHEMA {name};", "").replace(name, "{schema}")

    def new_database(self) -> str:
        """Create an empty database, and return its name."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements, outside of any transaction, and return the rows of the last one."""
        import psycopg

        address = f"host={self.directory} user={self.user} dbname={database}"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def postgresql_server(*, durable: bool = False) -> Iterator[PostgreSQLServer]:
    """Start a server, and stop it at the end of the block.

    Parameters
    ----------
    durable : bool, optional
        Whether commits wait for the disk, as in production.
    """
    bin_directory = programs()
    assert bin_directory is not None, NOT_INSTALLED
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    # The path of a socket must be short: at most 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if os.getuid() == 0:
            shutil.chown(directory, user)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [bin_directory / program, *arguments],
                check=True,
                user=user if os.getuid() == 0 else None,
                cwd=directory,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )

        data = str(directory / "data")
        run("initdb", "--pgdata", data, "--auth=trust", "--no-sync", "--encoding=UTF8")
        options = f"-c listen_addresses='' -k {directory} -c max_connections=200"
        if not durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        run(
            "pg_ctl",
            "start",
            "-w",
            "-t",
            "300",
            "-D",
            data,
            "-l",
            str(directory / "log"),
            "-o",
            options,
        )
        try:
            yield PostgreSQLServer(directory, user, bin_directory)
        finally:
            run("pg_ctl", "stop", "-w", "-t", "300", "-D", data, "-m", "immediate")
    finally:
        shutil.rmtree(directory)
