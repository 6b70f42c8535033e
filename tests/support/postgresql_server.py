"""A PostgreSQL server of the tests' own: on a socket in a temporary directory, gone afterwards."""

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
from urllib.parse import quote

NOT_INSTALLED = "PostgreSQL is not installed: no initdb (on Debian: apt-get install postgresql-15)"


def programs() -> Path | None:
    """Return the directory of initdb and pg_ctl; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[4])
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@dataclass(frozen=True)
class PostgreSQLServer:
    """A server that runs."""

    directory: Path
    user: str

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql+psycopg://{self.user}@/{database}?host={quote(str(self.directory))}"

    def new_database(self) -> str:
        """Create an empty database and return its address."""
        import psycopg

        name = f"test_{uuid.uuid4().hex}"
        address = f"host={self.directory} user={self.user} dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            # As a copy of files: no checkpoint of the whole server for each test.
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY wal_log")
        return self.url(name)


@contextlib.contextmanager
def postgresql_server(*, durable: bool = False) -> Iterator[PostgreSQLServer]:
    """Start a server, and stop it.

    Parameters
    ----------
    durable : bool, optional
        Wait for the disk as in production; tests that kill nobody need not.
    """
    directory = programs()
    assert directory is not None, NOT_INSTALLED
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    # In a short path, for sockets have short names.
    place = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        if os.getuid() == 0:
            shutil.chown(place, user)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [directory / program, *arguments],
                check=True,
                user=user if os.getuid() == 0 else None,
                cwd=place,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )

        data = str(place / "data")
        run("initdb", "--pgdata", data, "--auth=trust", "--no-sync", "--encoding=UTF8")
        options = f"-c listen_addresses='' -k {place} -c max_connections=200"
        if not durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        run("pg_ctl", "start", "-w", "-D", data, "-l", str(place / "log"), "-o", options)
        try:
            yield PostgreSQLServer(place, user)
        finally:
            run("pg_ctl", "stop", "-w", "-D", data, "-m", "immediate")
    finally:
        shutil.rmtree(place)
