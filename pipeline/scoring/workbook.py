"""A workbook for Excel: all predictions, and what to review with its picture."""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from pipeline.images.encoding import png
from pipeline.images.framing import SIDE
from pipeline.scoring import predictions
from pipeline.scoring.review import LowConfidence

# Rows of a sheet that Excel takes, its header included.
_MAX_ROWS = 1_048_576

# Characters of a cell that Excel takes.
_MAX_TEXT = 32_767

# Images without a prediction on the sheet to review; failed.csv has all of them.
_MAX_FAILED = 1_000

# Enlargement of a picture, and the height of its row in points.
_SCALE = 2
_ROW_HEIGHT = SIDE * _SCALE * 0.75 + 4

_WIDTHS = {"path": 40, "error": 22, "notes": 24}

_REVIEW_COLUMNS = ("image", "path", "prediction", "confidence", "error", "true label")


def write_workbook(
    target: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]], parts: Sequence[Path]
) -> None:
    """Write a workbook with the sheets "predictions" and "review".

    Parameters
    ----------
    target : Path
    columns : sequence of str
        The columns of the predictions.
    rows : iterable of dict
        The predictions.
    parts : sequence of Path
        The files of the data set. They hold the pictures of the least certain predictions.
    """
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(target), options) as book:
        bold = book.add_format({"bold": True})
        remaining = iter(rows)
        for number, first in enumerate(chain([None], remaining)):
            # A sheet that is full is followed by another one; without rows there is one too.
            sheet = book.add_worksheet("predictions" if not number else f"predictions {number + 1}")
            of_sheet = islice(chain([] if first is None else [first], remaining), _MAX_ROWS - 1)
            _write_rows(
                sheet, columns, ([row.get(name) for name in columns] for row in of_sheet), bold
            )
        _write_review(book.add_worksheet("review"), parts, bold)


def _write_rows(
    sheet: Worksheet, columns: Sequence[str], rows: Iterable[Sequence[Any]], bold: Any
) -> None:
    for index, name in enumerate(columns):
        sheet.set_column(index, index, _WIDTHS.get(name, 11))
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, columns, bold)
    last = 0
    for last, row in enumerate(rows, 1):
        for index, value in enumerate(row):
            _write(sheet, last, index, value)
    sheet.autofilter(0, 0, last, len(columns) - 1)


def _write(sheet: Worksheet, row: int, column: int, value: Any) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, value[:_MAX_TEXT])
    elif value is not None:
        sheet.write_number(row, column, value)


def _write_review(sheet: Worksheet, parts: Sequence[Path], bold: Any) -> None:
    """Write the images without a prediction, and the least certain predictions with pictures."""
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, 0, 9)
    sheet.set_column(1, 1, _WIDTHS["path"])
    sheet.set_column(4, 4, _WIDTHS["error"])
    sheet.write_row(0, 0, _REVIEW_COLUMNS, bold)
    failed = islice(chain.from_iterable(map(predictions.read_failed, parts)), _MAX_FAILED)
    first = 1
    for row, (path, error) in enumerate(failed, first):
        _write(sheet, row, 1, path)
        _write(sheet, row, 4, error)
        first = row + 1
    for row, each in enumerate(_least_certain(parts), first):
        sheet.set_row(row, _ROW_HEIGHT)
        picture = {"image_data": _picture(each), "object_position": 1}
        sheet.insert_image(row, 0, "image.png", picture)
        _write(sheet, row, 1, each.path)
        _write(sheet, row, 2, each.prediction)
        _write(sheet, row, 3, round(each.confidence, 6))


def _least_certain(parts: Iterable[Path]) -> Iterator[LowConfidence]:
    each = chain.from_iterable(predictions.read_counts(part)[1] for part in parts)
    return iter(sorted(each, key=lambda one: (one.confidence, one.path)))


def _picture(prediction: LowConfidence) -> io.BytesIO:
    """Return a picture of an image as the network saw it, dark on light."""
    pixels = np.frombuffer(prediction.image, np.uint8).reshape(SIDE, SIDE)
    return io.BytesIO(png(np.kron(255 - pixels, np.ones((_SCALE, _SCALE), np.uint8))))
