"""The labels a user may know of the images in a directory."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline import files
from pipeline.errors import InputError

FILE_NAME = "labels.csv"

_LABELS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels from a table, or from the directories that images are in."""

    table: Mapping[str, int] | None
    """By path; None where there is no table."""

    def of(self, path: str) -> int | None:
        """Return the label of an image, if it is known."""
        if self.table is not None:
            return self.table.get(path)
        parent = PurePosixPath(path).parent.name
        return int(parent) if parent in _LABELS else None


def digest(directory: Path) -> str | None:
    """Return the SHA-256 of a directory's table of labels; None where it has none."""
    path = directory / FILE_NAME
    return files.sha256(path) if path.exists() else None


def read_labels(directory: Path) -> Labels:
    """Return the labels of the images below a directory.

    They are those of its ``labels.csv``, where it has one; otherwise an image in a directory
    called ``0`` to ``9`` has that label.

    Raises
    ------
    InputError
        Where the file is not a table of ``path`` and ``label``; it names the line.
    """
    try:
        return Labels(read_table(directory / FILE_NAME))
    except FileNotFoundError:
        return Labels(None)


def read_table(path: Path) -> dict[str, int]:
    """Return the labels in a table of ``path`` and ``label``.

    Raises
    ------
    InputError
        Where it is none; it names the line.
    """
    labels: dict[str, int] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            for row in rows:
                label = row.get("label") or ""
                if not row.get("path") or label not in _LABELS:
                    raise InputError(
                        f"{path}, line {rows.line_num}: expected columns path and label, "
                        f"a label from 0 to 9, got {row!r}."
                    )
                if labels.setdefault(row["path"], int(label)) != int(label):
                    raise InputError(
                        f"{path}, line {rows.line_num}: expected one label for each path, got "
                        f"{label} for {row['path']!r}, which is {labels[row['path']]} above."
                    )
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8 text ({error}).") from None
    return labels
