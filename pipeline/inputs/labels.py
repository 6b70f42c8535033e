"""The labels a user may know of the images in a directory."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
        parent = path.rpartition("/")[0].rpartition("/")[2]
        return int(parent) if parent in _LABELS else None


def read_labels(lines: Iterable[str], place: str) -> Labels:
    """Return the labels in a table of ``path`` and ``label``.

    Parameters
    ----------
    place : str
        Where the table is, for what is said of it.

    Raises
    ------
    InputError
        Where it is no such table; it names the line.
    """
    labels: dict[str, int] = {}
    rows = csv.DictReader(lines)
    try:
        for row in rows:
            label = row.get("label") or ""
            if not row.get("path") or label not in _LABELS:
                raise InputError(
                    f"{place}, line {rows.line_num}: expected columns path and label, "
                    f"a label from 0 to 9, got {row!r}."
                )
            if labels.setdefault(row["path"], int(label)) != int(label):
                raise InputError(
                    f"{place}, line {rows.line_num}: expected one label for each path, got "
                    f"{label} for {row['path']!r}, which is {labels[row['path']]} above."
                )
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: expected UTF-8 text ({error}).") from None
    return Labels(labels)
