from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from empty_registries import create_empty, create_empty_on_postgresql
from postgresql_server import NOT_INSTALLED, PostgreSQLServer, postgresql_server, programs
from registry_contents import DATABASES
from s3_server import S3Server, s3_server

from registry import Check, Registry

PASSED = (Check("validation_accuracy", 0.98, 0.97, passed=True),)
FAILED = (*PASSED, Check("recall of 7", 0.4, 0.9, passed=False))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server."""
    if programs() is None:
        pytest.skip(NOT_INSTALLED)
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 endpoint."""
    with s3_server() as server:
        yield server


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/registry.db"
    return request.getfixturevalue("postgresql").new_schema()


@pytest.fixture(params=DATABASES)
def new_registry(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Registry]:
    """Open an empty registry with each call, on each kind of database."""

    def open_new(**options: str) -> Registry:
        directory = tmp_path_factory.mktemp("registry")
        url = f"sqlite:///{directory}/registry.db"
        if request.param == "postgresql":
            server = request.getfixturevalue("postgresql")
            url = server.new_schema()
            create_empty_on_postgresql(server, url)
        else:
            create_empty(directory / "registry.db")
        return Registry(url, str(directory / "blobs"), **options)

    return open_new


@pytest.fixture
def opened(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Registry]]:
    """Open the same registry again, with other options if needed."""
    if url.startswith("sqlite"):
        create_empty(tmp_path / "registry.db")
    else:
        create_empty_on_postgresql(request.getfixturevalue("postgresql"), url)
    registries = []

    def open_registry(**options: str) -> Registry:
        registries.append(Registry(url, str(tmp_path / "blobs"), **options))
        return registries[-1]

    yield open_registry
    for registry in registries:
        registry.close()


@pytest.fixture
def registry(opened: Callable[..., Registry]) -> Registry:
    """A new registry on each kind of database."""
    return opened(actor="ann")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Registry]:
    """A new registry on SQLite, for tests that do not depend on the database."""
    create_empty(tmp_path / "registry.db")
    with Registry(f"sqlite:///{tmp_path}/registry.db", str(tmp_path / "blobs")) as registry:
        yield registry
