"""Reading a SQLite file that the user may not write, or whose directory.

In WAL mode even a reader writes: it marks its place in ``<file>-shm``, and creates that file if
nobody else has the database open. If that file exists, its users are there, and reading takes part
in their protocol. If it does not, nobody is writing, and SQLite can be told that the file is
immutable. Whether that was true is checked after each transaction.
"""

import os
import sqlite3
from pathlib import Path

from registry.errors import UnavailableError


def is_read_only(path: Path) -> bool:
    """Tell whether the file exists, but the user may not write it or its directory."""
    return path.exists() and not all(
        os.access(place, os.W_OK, effective_ids=True) for place in (path, path.parent)
    )


class ReadOnlyFile:
    """A SQLite file that is opened for reading, once for each transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: tuple[object, ...] = ()

    def connect(self) -> sqlite3.Connection:
        """Open the file.

        Raises
        ------
        UnavailableError
            If its last changes cannot be read without write permission.
        """
        self._state = self._current_state()
        _, wal, is_shared = self._state
        if wal and not is_shared:
            raise UnavailableError(
                f"The last changes of the registry are in {self._path}-wal, which cannot be read "
                "without write permission. Its owner can open it once, with `digits versions`."
            )
        mode = "mode=ro" if is_shared else "immutable=1"
        address = f"{self._path.as_uri()}?{mode}"
        return sqlite3.connect(address, uri=True, check_same_thread=False)

    def require_unchanged(self) -> None:
        """Raise an error if the file was written while SQLite took it to be immutable.

        Raises
        ------
        UnavailableError
        """
        _, _, is_shared = self._state
        if not is_shared and self._current_state() != self._state:
            raise UnavailableError(
                f"The registry {self._path} was changed while it was read. Try again."
            )

    def _current_state(self) -> tuple[object, ...]:
        """Return a stamp of the file, the size of its log, and whether others have it open."""
        status = self._path.stat()
        log = Path(f"{self._path}-wal")
        return (
            (status.st_ino, status.st_size, status.st_mtime_ns),
            log.stat().st_size if log.exists() else 0,
            Path(f"{self._path}-shm").exists(),
        )
