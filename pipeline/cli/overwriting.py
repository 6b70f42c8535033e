"""Which files a command may overwrite: those that it wrote itself, and any with --force."""

import sqlite3
import tarfile
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from pathlib import Path

# Tables of a registry.
_TABLES = frozenset(("models", "versions", "events"))

# The first member of an export.
_MANIFEST = "manifest.json"


def require_export(file: Path, *, force: bool) -> None:
    """Refuse to overwrite a file that is not an export.

    Raises
    ------
    OutputError
    """
    _require(file, force=force, is_own=_is_export)


def require_backup(file: Path, *, force: bool) -> None:
    """Refuse to overwrite a file that is not a registry's database.

    Raises
    ------
    OutputError
    """
    _require(file, force=force, is_own=_is_registry)


def require_file(file: Path, own_digests: Collection[str] = (), *, force: bool) -> None:
    """Refuse to overwrite a file, unless it has one of some digests.

    Raises
    ------
    OutputError
    """
    from pipeline import files

    _require(file, force=force, is_own=lambda path: files.sha256(path) in own_digests)


def _require(file: Path, *, force: bool, is_own: Callable[[Path], bool]) -> None:
    from pipeline.errors import OutputError

    # What is no regular file, such as a pipe, is not overwritten.
    if force or not file.is_file() or is_own(file):
        return
    raise OutputError(
        f"{file} is there already, and not of this command. Choose another file, or overwrite it "
        "with --force."
    )


def _is_export(file: Path) -> bool:
    with suppress(tarfile.TarError, OSError), tarfile.open(file) as archive:
        first = archive.next()
        return first is not None and first.name == _MANIFEST
    return False


def _is_registry(file: Path) -> bool:
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database,
    ):
        rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows} >= _TABLES
    return False
