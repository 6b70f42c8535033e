"""The predictions in other formats than Parquet: CSV, lines of JSON, and a workbook for Excel."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow.parquet as pq

from pipeline import files
from pipeline.scoring.review_files import write_table
from pipeline.scoring.sheets import Reviewed

Format = Literal["parquet", "csv", "xlsx", "jsonl"]

FORMATS: tuple[str, ...] = get_args(Format)
"""The formats of predictions. Parquet is always written: a killed run resumes from it."""

# Decimal places of confidence and novelty. Parquet has them in full.
_PLACES = 6

Row = dict[str, Any]


# What writes a format.
_Writer = Callable[[Path, Sequence[Path], Reviewed], None]


def tables_of(output: Path) -> list[Path]:
    """Return the files of the output with the predictions in each format but Parquet."""
    return [output / f"predictions.{form}" for form in _WRITERS]


def write_formats(
    output: Path, parts: Sequence[Path], formats: Collection[str], reviewed: Reviewed
) -> list[Path]:
    """Write the predictions in each of some formats; return the files.

    Parameters
    ----------
    output : Path
    parts : sequence of Path
        The files of the data set.
    formats : collection of str
        Any of `FORMATS`. There is nothing to do for Parquet.
    reviewed : Reviewed
        What a workbook shows for review.
    """
    written = []
    for table in tables_of(output):
        form = table.suffix.removeprefix(".")
        if form in formats:
            _WRITERS[form](table, parts, reviewed)
            written.append(table)
    return written


def rows_of(parts: Iterable[Path]) -> Iterator[Row]:
    """Yield the rows of a data set as people read them: rounded, with the version in one column.

    Probabilities, if there are any, are columns ``p0`` to ``p9``.
    """
    for part in parts:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches():
                yield from map(_row, batch.to_pylist())


def _row(row: Row) -> Row:
    probabilities = row.get("probabilities") or []
    return {
        "path": row["path"],
        "prediction": row["prediction"],
        "confidence": _rounded(row["confidence"]),
        "novelty": _rounded(row["novelty"]),
        "error": row["error"],
        "notes": row["notes"],
        "model": f"{row['model_name']}/{row['model_version']}",
        **{f"p{digit}": _rounded(value) for digit, value in enumerate(probabilities)},
    }


def columns_of(parts: Sequence[Path]) -> list[str]:
    """Return the names of the columns of `rows_of`."""
    names = ["path", "prediction", "confidence", "novelty", "error", "notes", "model"]
    if parts and "probabilities" in pq.read_schema(parts[0]).names:
        names += [f"p{digit}" for digit in range(10)]
    return names


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _PLACES)


def _write_csv(target: Path, parts: Sequence[Path], _reviewed: Reviewed) -> None:
    columns = columns_of(parts)
    rows = ([row.get(name) for name in columns] for row in rows_of(parts))
    # Without a byte order mark Excel takes the text for that of an old code page.
    write_table(target, columns, rows, byte_order_mark=True)


def _write_jsonl(target: Path, parts: Sequence[Path], _reviewed: Reviewed) -> None:
    with files.atomic_write(target) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for row in rows_of(parts):
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_xlsx(target: Path, parts: Sequence[Path], reviewed: Reviewed) -> None:
    # It takes a while to import, and most runs write no workbook.
    from pipeline.scoring.workbook import write_workbook

    with files.atomic_write(target) as temporary:
        write_workbook(temporary, columns_of(parts), rows_of(parts), parts, reviewed)


_WRITERS: dict[str, _Writer] = {"csv": _write_csv, "xlsx": _write_xlsx, "jsonl": _write_jsonl}
