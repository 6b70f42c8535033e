"""CSV files for a person: what could not be scored, and which predictions to review."""

import csv
import json
import logging
from collections.abc import Iterable, Sequence
from itertools import chain, count
from pathlib import Path

from pipeline import files
from pipeline.scoring import predictions

_log = logging.getLogger(__name__)

FAILED = "failed.csv"
"""File of the output with every image without a prediction, if there is one."""

REVIEW = "review.csv"
"""File of the output with the predictions to review, if a minimum confidence was given."""

# File of the output with the SHA-256 of the lists to review, as they were written.
_WRITTEN = ".review.json"

# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULAS = tuple("=+-@\t\r")


def write_failed(parts: Iterable[Path], output: Path) -> None:
    """List every image without a prediction, with the reason; remove an earlier list."""
    rows = chain.from_iterable(map(predictions.read_failed, parts))
    first = next(rows, None)
    if first is None:
        (output / FAILED).unlink(missing_ok=True)
        return
    write_table(output / FAILED, ("path", "error"), chain([first], rows))


def write_review(parts: Sequence[Path], output: Path, min_confidence: float) -> tuple[Path, int]:
    """List what a person should look at; return the file and its number of rows.

    Images without a prediction come first. A list that somebody has edited stays as it is, and
    the new one gets another name.
    """
    written = _written(output)
    names = chain([REVIEW], (f"review-{number}.csv" for number in count(2)))
    name = next(name for name in names if not _is_edited(output / name, written))
    if name != REVIEW:
        _log.warning("%s was edited and stays; the new list is %s.", output / REVIEW, name)
    failed = (
        (path, "", "", error) for part in parts for path, error in predictions.read_failed(part)
    )
    below = ((*row, "") for part in parts for row in predictions.read_below(part, min_confidence))
    columns = (*predictions.REVIEW_COLUMNS, "error")
    number = write_table(output / name, columns, chain(failed, below))
    written[name] = files.sha256(output / name)
    with files.atomic_write(output / _WRITTEN) as temporary:
        temporary.write_text(json.dumps(written))
    return output / name, number


def remove_review(output: Path) -> None:
    """Remove the lists of an earlier run, unless somebody has edited them."""
    written = _written(output)
    for name in written:
        if not _is_edited(output / name, written):
            (output / name).unlink(missing_ok=True)


def write_table(target: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a CSV file whose first column is a path, and return its number of rows.

    No cell is one that a spreadsheet runs as a formula.
    """
    number = 0
    with (
        files.atomic_write(target) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        table = csv.writer(stream)
        table.writerow(columns)
        for path, *others in rows:
            # "./" does not change the path, and label tables take it too.
            table.writerow([f"./{path}" if str(path).startswith(_FORMULAS) else path, *others])
            number += 1
    return number


def _is_edited(path: Path, written: dict[str, str]) -> bool:
    return path.exists() and files.sha256(path) != written.get(path.name)


def _written(output: Path) -> dict[str, str]:
    try:
        values = json.loads((output / _WRITTEN).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
