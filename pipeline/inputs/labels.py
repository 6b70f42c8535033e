"""The labels of the images in a directory, if the user knows them."""

import csv
import io
import posixpath
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.errors import InputError
from pipeline.inputs.globbing import DIGITS

FILE_NAME = "labels.csv"

UNKNOWN = -1
"""The label of an image whose label is unknown."""

_PATH_COLUMNS = ("path", "filename")
_LABEL_COLUMNS = ("label",)

# Spreadsheets write semicolons if the decimal separator of the country is a comma.
_DELIMITERS = (",", ";", "\t")

# Spreadsheets may show whole numbers as decimals.
_DECIMALS = (".0", ",0")


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The contents of a label table."""

    labels: Mapping[str, int]
    """Labels by path, as `path_key` returns it."""
    unlabelled: int
    """Number of rows with a path but without a label."""


@dataclass(frozen=True, slots=True)
class LabelLookup:
    """Finds the label of an image in a table or, if there is none, in the directory's name."""

    table: Mapping[str, int] | None
    """Labels by path, as `path_key` returns it; None if there is no table."""
    directories: bool
    """Whether the names of directories are labels, if there is no table."""

    def label_of(self, path: str) -> int:
        """Return the label of an image; `UNKNOWN` if it has none."""
        if self.table is not None:
            return self.table.get(path_key(path), UNKNOWN)
        if not self.directories:
            return UNKNOWN
        parent = path.rpartition("/")[0].rpartition("/")[2]
        return int(parent) if parent in DIGITS else UNKNOWN


class _Columns(NamedTuple):
    """The indices of the columns that are read."""

    path: int
    label: int


def path_key(path: str) -> str:
    """Return the same text for all spellings of a relative path.

    ``./`` and ``//`` mean nothing. Archives from macOS have decomposed letters (NFD), tables have
    composed ones (NFC).
    """
    normal = posixpath.normpath(path)
    return normal if normal.isascii() else unicodedata.normalize("NFC", normal)


def read_label_table(content: bytes, location: str) -> LabelTable:
    """Return the labels of a CSV table with the columns ``path`` and ``label``.

    It may be as spreadsheets write it: with a byte order mark, semicolons or tabs, spaces,
    capitals, ``filename`` for ``path`` and ``2.0`` for 2. A row without a label is counted.

    Parameters
    ----------
    content : bytes
    location : str
        Where the table is, for error messages.

    Raises
    ------
    InputError
        If the table is invalid; the message names the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{location}: expected UTF-8 text ({error}). A spreadsheet writes it as `CSV UTF-8`."
        ) from None
    labels: dict[str, int] = {}
    unlabelled = 0
    for line, path, label in _rows(text, location):
        if path and not label:
            unlabelled += 1
            continue
        if not path or label not in DIGITS or "\0" in path:
            raise InputError(
                f"{location}, line {line}: expected a path and a label from 0 to 9, got "
                f"{path!r} and {label!r}."
            )
        key = path_key(path)
        if labels.setdefault(key, int(label)) != int(label):
            raise InputError(
                f"{location}, line {line}: expected one label for each path, got "
                f"{label} for {path!r}, which is {labels[key]} above. Remove one of the rows."
            )
    return LabelTable(labels, unlabelled)


def _rows(text: str, location: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, path and label of each row that is not blank."""
    header = text.partition("\n")[0]
    found = ((delimiter, _columns(header, delimiter)) for delimiter in _DELIMITERS)
    delimiter, columns = next((pair for pair in found if pair[1]), (",", None))
    if columns is None:
        raise InputError(
            f"{location}, line 1: expected the columns path and label, got {header.strip()!r}. "
            "Make `path,label` the first line."
        )
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        next(rows)
        for row in rows:
            if any(map(str.strip, row)):
                yield rows.line_num, _cell(row, columns.path), _digit(_cell(row, columns.label))
    except csv.Error as error:
        raise InputError(f"{location}, line {rows.line_num}: cannot be read ({error}).") from None


def _columns(header: str, delimiter: str) -> _Columns | None:
    """Return the columns of a table with this first line; None if there are no such columns."""
    try:
        names = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return None
    names = [name.strip().lower() for name in names]
    path, label = (
        next((names.index(name) for name in choice if name in names), None)
        for choice in (_PATH_COLUMNS, _LABEL_COLUMNS)
    )
    return None if path is None or label is None else _Columns(path, label)


def _cell(row: Sequence[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _digit(text: str) -> str:
    """Return a label without its decimals, if they are 0."""
    return text[:-2] if text.endswith(_DECIMALS) else text
