"""kill -9 at every system call of every action that writes."""

import shutil
import uuid
from collections import Counter
from pathlib import Path

import pytest
from registry_actions import ACTIONS, check_after, check_it_is_whole, prepare
from registry_processes import NO_STRACE, STRACE, Place, calls_of, killed_at

from registry import MissingBlobError

pytestmark = pytest.mark.skipif(STRACE is None, reason=NO_STRACE)


class _SQLite:
    """Copies of a registry on SQLite."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def original(self) -> tuple[Place, Path]:
        return self._at("original")

    def copy(self) -> tuple[Place, Path]:
        place, directory = self._at("copy")
        shutil.copytree(self._directory / "original", directory)
        return place, directory

    def remove(self) -> None:
        shutil.rmtree(self._directory / "copy")

    def _at(self, name: str) -> tuple[Place, Path]:
        directory = self._directory / name
        return Place(f"sqlite:///{directory}/registry.db", str(directory / "blobs")), directory


class _PostgreSQL(_SQLite):
    """Copies of a registry on PostgreSQL. The client is killed, not the server."""

    def __init__(self, directory: Path, server) -> None:
        super().__init__(directory)
        self._server = server
        self._names = {"original": f"o_{uuid.uuid4().hex}", "copy": f"c_{uuid.uuid4().hex}"}
        self._execute("CREATE DATABASE {original} TEMPLATE template0 STRATEGY wal_log")

    def copy(self) -> tuple[Place, Path]:
        self._execute("CREATE DATABASE {copy} TEMPLATE {original} STRATEGY wal_log")
        return super().copy()

    def remove(self) -> None:
        super().remove()
        self._execute("DROP DATABASE {copy} WITH (FORCE)")

    def _at(self, name: str) -> tuple[Place, Path]:
        place, directory = super()._at(name)
        return place._replace(url=self._server.url(self._names[name])), directory

    def _execute(self, statement: str) -> None:
        import psycopg

        address = f"host={self._server.directory} user={self._server.user} dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.format(**self._names))


@pytest.fixture
def sqlite_copies(tmp_path):
    return _SQLite(tmp_path)


@pytest.fixture
def postgresql_copies(tmp_path, postgresql):
    return _PostgreSQL(tmp_path, postgresql)


@pytest.mark.parametrize(
    ("database", "name"),
    [("sqlite", name) for name in ACTIONS]
    + [("postgresql", "register"), ("postgresql", "delete")]
    # Registries of schema 1 were only on SQLite; a server's database has backups of its own.
    + [
        pytest.param("postgresql", name, marks=pytest.mark.long)
        for name in ACTIONS
        if name not in {"register", "delete", "back up", "migrate"}
    ],
)
def test_an_action_killed_at_any_system_call_is_atomic(database, name, torture, measured, request):
    """An acknowledged change is there, and repeating the action does not repeat the change."""
    copies = request.getfixturevalue(f"{database}_copies")
    place, directory = copies.original()
    directory.mkdir()
    prepare(name, place, directory)
    action = ACTIONS[name]
    place, directory = copies.copy()
    calls = calls_of(action.act, place, opened=action.opened)
    copies.remove()
    points, acknowledged = Counter(), 0
    for call in calls if torture else calls[::10]:
        time, survived = 1, False
        while not survived:
            place, directory = copies.copy()
            survived, value = killed_at(call, time, action.act, place, opened=action.opened)
            check_after(name, place, directory, value)
            copies.remove()
            if not survived:
                points[call] += 1
                acknowledged += value is not None
            time += 1 if torture else 4 * time
    assert points.total() > 0
    measured(
        f"kill -9, {database}, {name}: {points.total()} kill points, {acknowledged} of them "
        f"after it had been acknowledged ({', '.join(f'{n} {call}' for call, n in points.items())})"
    )


def test_a_version_without_its_weights_would_be_found(sqlite_copies):
    """The check above fails if weights are missing."""
    place, directory = sqlite_copies.original()
    with place.open() as registry:
        version = registry.register("mnist", b"weights")
        check_it_is_whole(registry)
        (directory / "blobs" / "sha256" / version.sha256[:2] / version.sha256).unlink()
        with pytest.raises(MissingBlobError):
            registry.load("mnist/1")
        with pytest.raises(AssertionError):
            check_it_is_whole(registry)
