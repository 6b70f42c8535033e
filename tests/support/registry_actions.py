"""The actions of a registry that can be interrupted, with the states that may result."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from registry_processes import Place

from registry import NotFoundError, Registry, RunRecord
from registry.author import Author

_SCHEMA_1 = Path(__file__).parents[1] / "data" / "registries" / "1"

# Several pages, so that the disk can become full in the middle.
_WEIGHTS = bytes(range(256)) * 64


class Action(NamedTuple):
    """An action. Interrupted anywhere, it leaves one of the states; completed, the last one."""

    act: Callable[[Registry], Any]
    state: Callable[[Registry], Any]
    states: list[Any]
    prepare: Callable[[Registry], None] | None = None
    opened: bool = True
    """Whether opening the registry is not already part of the action."""


def _register(registry: Registry) -> int:
    return registry.register(
        "m", _WEIGHTS, RunRecord(metrics={"a": 0.5}, tags={"k": "v"}), idempotency_key="key"
    ).number


def _move(registry: Registry) -> int:
    return registry.set_alias("m", "live", 2).number


def _collect(registry: Registry) -> int:
    registry.gc(grace=timedelta(0), unknown=True)
    return _leftovers(registry)


def _two_versions(registry: Registry) -> None:
    for weights in (b"1", b"2"):
        registry.register("m", weights)
    registry.set_alias("m", "live", 1)


def _two_versions_and_leftovers(registry: Registry) -> None:
    _two_versions(registry)
    for weights in (b"3", b"4"):
        registry._blobs.put(weights)
    (registry._blobs._tmp / "killed").write_bytes(b"5")


def _four_versions(registry: Registry) -> None:
    _two_versions(registry)
    for weights in (b"3", b"4"):
        registry.register("m", weights, RunRecord(tags={"k": "v"}))


def _delete(registry: Registry) -> list[int]:
    with contextlib.suppress(NotFoundError):
        registry.delete("m/2", reason="not needed")
    return _numbers(registry)


def _prune(registry: Registry) -> list[int]:
    registry.prune("m", keep=1)
    return _numbers(registry)


def _copy(registry: Registry) -> int:
    return registry.copy("m/1", name="other").number


def _copies(registry: Registry) -> list[int]:
    return [version.number for version in registry.versions("other")]


def _proposed(registry: Registry) -> None:
    _two_versions(registry)
    registry._actor = Author("ann")
    registry.protect("m", "live")
    registry.propose("m/2", "live")


def _approve(registry: Registry) -> int:
    registry._actor = Author("bob")
    # Once the alias has moved, there is no proposal any more.
    with contextlib.suppress(NotFoundError):
        registry.approve("m/2", "live")
    return _alias(registry)


def _backup_of(registry: Registry) -> Path:
    return Path(registry._blobs._tmp).parents[1] / "backup.db"


def _back_up(registry: Registry) -> list[int]:
    registry.backup(_backup_of(registry))
    return _backed_up(registry)


def _backed_up(registry: Registry) -> list[int] | None:
    """The versions in the backup; None if there is none. One that is there is whole."""
    backup = _backup_of(registry)
    if not backup.exists():
        return None
    with Registry(f"sqlite:///{backup}", str(backup.parent / "blobs")) as copy:
        check_it_is_whole(copy)
        return _numbers(copy)


def _numbers(registry: Registry) -> list[int]:
    return [version.number for version in registry.versions("m")]


def _alias(registry: Registry) -> int:
    return registry.alias("m", "live").number


def _leftovers(registry: Registry) -> int:
    used = {version.sha256 for version in registry.versions()}
    orphans = [stored for stored in registry._blobs.stored() if stored.sha256 not in used]
    return len(orphans) + len(list(registry._blobs.temporary_files(float("inf"))))


def _everything(registry: Registry) -> dict[str, tuple[str, ...]]:
    return {version.reference: version.aliases for version in registry.versions()}


_MIGRATED = {
    "letters/1": (),
    "mnist/1": (),
    "mnist/2": (),
    "mnist/3": ("champion",),
    "mnist/4": ("challenger",),
}

ACTIONS = {
    "create": Action(_everything, _everything, [{}], opened=False),
    "register": Action(_register, _numbers, [[2, 1], [3, 2, 1]], _two_versions),
    "register the first": Action(_register, _numbers, [[], [1]]),
    "move an alias": Action(_move, _alias, [1, 2], _two_versions),
    "gc": Action(_collect, _leftovers, [3, 2, 1, 0], _two_versions_and_leftovers),
    "delete": Action(_delete, _numbers, [[4, 3, 2, 1], [4, 3, 1]], _four_versions),
    "prune": Action(_prune, _numbers, [[4, 3, 2, 1], [4, 1]], _four_versions),
    "copy": Action(_copy, _copies, [[], [1]], _two_versions),
    "approve": Action(_approve, _alias, [1, 2], _proposed),
    "back up": Action(_back_up, _backed_up, [None, [2, 1]], _two_versions),
    "migrate": Action(_everything, _everything, [_MIGRATED], opened=False),
}


def prepare(name: str, place: Place, directory: Path) -> None:
    """Create the registry that an action starts from; on SQLite it is in the directory."""
    action = ACTIONS[name]
    if name == "migrate":
        shutil.copytree(_SCHEMA_1, directory, dirs_exist_ok=True)
    elif action.opened:
        with place.open() as registry:
            if action.prepare is not None:
                action.prepare(registry)


def check_it_is_whole(registry: Registry) -> None:
    """Check that `verify` finds no error, no number is missing, and all weights can be loaded."""
    assert [str(f) for f in registry.verify() if f.severity == "error"] == []
    versions = registry.versions()
    for name in {version.name for version in versions}:
        numbers = [version.number for version in versions if version.name == name]
        deleted = [event.number for event in registry.history(name) if event.kind == "deleted"]
        numbers += [number for number in deleted if number is not None]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
    for version in versions:
        registry.load(version.reference)


def check_after(name: str, place: Place, directory: Path, acknowledged: Any) -> None:
    """Check the state that an interrupted action left, and that it can be repeated."""
    action = ACTIONS[name]
    with place.open() as registry:
        check_it_is_whole(registry)
        state = action.state(registry)
        assert state in action.states
        again = action.act(registry)
        if acknowledged is not None:
            assert state == action.states[-1]
            assert again == acknowledged
        check_it_is_whole(registry)
        assert action.state(registry) == action.states[-1]
    if name == "migrate":
        _check_backup(directory / "registry.db.schema-1")


def _check_backup(backup: Path) -> None:
    connection = sqlite3.connect(backup)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("SELECT schema_version FROM meta").fetchall() == [(1,)]
    assert connection.execute("SELECT count(*) FROM versions").fetchall() == [(5,)]
    connection.close()
