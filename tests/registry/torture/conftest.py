from collections.abc import Iterator
from pathlib import Path

import pytest
from postgresql_server import NOT_INSTALLED, PostgreSQLServer, postgresql_server, programs
from registry_processes import Place


@pytest.fixture(scope="session")
def postgresql(torture: bool, request: pytest.FixtureRequest) -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server; in the full torture its commits wait for the disk."""
    if not torture:
        yield request.getfixturevalue("postgresql")
        return
    if programs() is None:
        pytest.skip(NOT_INSTALLED)
    with postgresql_server(durable=True) as server:
        yield server


@pytest.fixture
def place(url: str, tmp_path: Path) -> Place:
    """The addresses of a new registry, on each kind of database."""
    return Place(url, str(tmp_path / "blobs"))
