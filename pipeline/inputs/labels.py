"""The labels of the images in a directory, if the user knows them."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.errors import InputError

FILE_NAME = "labels.csv"

_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class LabelLookup:
    """Finds the label of an image in a table or, if there is none, in the directory's name."""

    table: Mapping[str, int] | None
    """Labels by path; None if there is no table."""

    def label_of(self, path: str) -> int | None:
        """Return the label of an image; None if it is unknown."""
        if self.table is not None:
            return self.table.get(path)
        parent = path.rpartition("/")[0].rpartition("/")[2]
        return int(parent) if parent in _DIGITS else None


def read_label_table(lines: Iterable[str], location: str) -> dict[str, int]:
    """Return the labels of a CSV table with the columns ``path`` and ``label``, by path.

    Parameters
    ----------
    lines : iterable of str
    location : str
        Where the table is, for error messages.

    Raises
    ------
    InputError
        If the table is invalid; the message names the line.
    """
    labels: dict[str, int] = {}
    rows = csv.DictReader(lines)
    try:
        for row in rows:
            label = row.get("label") or ""
            if not row.get("path") or label not in _DIGITS:
                raise InputError(
                    f"{location}, line {rows.line_num}: expected columns path and label, "
                    f"a label from 0 to 9, got {row!r}."
                )
            if labels.setdefault(row["path"], int(label)) != int(label):
                raise InputError(
                    f"{location}, line {rows.line_num}: expected one label for each path, got "
                    f"{label} for {row['path']!r}, which is {labels[row['path']]} above."
                )
    except UnicodeDecodeError as error:
        raise InputError(f"{location}: expected UTF-8 text ({error}).") from None
    return labels
