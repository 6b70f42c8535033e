"""CSV files for a person: what could not be scored, and which predictions to review."""

import csv
import logging
from collections.abc import Iterable, Sequence
from itertools import chain, count
from pathlib import Path

from pipeline import files
from pipeline.scoring import predictions
from pipeline.scoring.ownership import is_changed, record, written

_log = logging.getLogger(__name__)

FAILED = "failed.csv"
"""File of the output with every image without a prediction, if there is one."""

REVIEW = "review.csv"
"""File of the output with the predictions to review, if a minimum confidence was given."""

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
    digests = written(output)
    names = chain([REVIEW], (f"review-{number}.csv" for number in count(2)))
    name = next(name for name in names if not is_changed(output / name, digests))
    if name != REVIEW:
        _log.warning("%s was edited and stays; the new list is %s.", output / REVIEW, name)
    failed = (
        (path, "", "", error) for part in parts for path, error in predictions.read_failed(part)
    )
    below = ((*row, "") for part in parts for row in predictions.read_below(part, min_confidence))
    columns = (*predictions.REVIEW_COLUMNS, "error")
    number = write_table(output / name, columns, chain(failed, below))
    record(output, output / name)
    return output / name, number


def remove_review(output: Path) -> None:
    """Remove the lists of an earlier run, unless somebody has edited them."""
    digests = written(output)
    for name in digests:
        if name.startswith("review") and not is_changed(output / name, digests):
            (output / name).unlink(missing_ok=True)


def write_table(
    target: Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    byte_order_mark: bool = False,
) -> int:
    """Write a CSV file whose first column is a path, and return its number of rows.

    No cell is one that a spreadsheet runs as a formula.
    """
    number = 0
    encoding = "utf-8-sig" if byte_order_mark else "utf-8"
    with (
        files.atomic_write(target) as temporary,
        temporary.open("w", newline="", encoding=encoding) as stream,
    ):
        table = csv.writer(stream)
        table.writerow(columns)
        for path, *others in rows:
            # "./" does not change the path, and label tables take it too.
            table.writerow([f"./{path}" if str(path).startswith(_FORMULAS) else path, *others])
            number += 1
    return number
