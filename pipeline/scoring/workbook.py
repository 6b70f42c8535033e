"""A workbook for Excel: all predictions, and what to review with its picture."""

import heapq
import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from pipeline.errors import PipelineError
from pipeline.images.encoding import png
from pipeline.images.reading import Sheet
from pipeline.inputs import shards
from pipeline.scoring import predictions
from pipeline.scoring.listing import SHARDS
from pipeline.scoring.sheets import Reviewed, read_sheets, reader_of_sheets

_log = logging.getLogger(__name__)

# Rows of a sheet that Excel takes, its header included.
_MAX_ROWS = 1_048_576

# Characters of a cell that Excel takes.
_MAX_TEXT = 32_767

# Images without a prediction on the sheet to review; failed.csv has all of them.
_MAX_FAILED = 1_000

# Predictions on the sheet to review: their images are read again, and their pictures are in memory
# until the workbook is closed. review.csv has all of them.
_MAX_REVIEWED = 2_000

# Pixels along the longer edge of a picture, and the height of its row in points.
_PICTURE = 56
_ROW_HEIGHT = _PICTURE * 0.75 + 4

_WIDTHS = {"path": 40, "error": 22, "notes": 24}

_REVIEW_COLUMNS = ("image", "path", "prediction", "confidence", "error", "true label")


def write_workbook(
    target: Path,
    columns: Sequence[str],
    rows: Iterable[dict[str, Any]],
    parts: Sequence[Path],
    reviewed: Reviewed,
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
        The files of the data set.
    reviewed : Reviewed
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
        _write_review(book.add_worksheet("review"), parts, reviewed, bold)


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


def _write_review(sheet: Worksheet, parts: Sequence[Path], reviewed: Reviewed, bold: Any) -> None:
    """Write the images without a prediction, and the predictions to review with pictures."""
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
    chosen = _least_certain(parts, reviewed.min_confidence)
    pictures = _pictures(chosen, reviewed)
    for row, each in enumerate(chosen, first):
        sheet.set_row(row, _ROW_HEIGHT)
        if each.path in pictures:
            content = {"image_data": io.BytesIO(pictures[each.path]), "object_position": 1}
            sheet.insert_image(row, 0, "image.png", content)
        _write(sheet, row, 1, each.path)
        _write(sheet, row, 2, each.prediction)
        _write(sheet, row, 3, round(each.confidence, 6))


@dataclass(frozen=True, slots=True, order=True)
class _Uncertain:
    """A prediction to review."""

    confidence: float
    path: str
    prediction: int
    part: Path


def _least_certain(parts: Iterable[Path], min_confidence: float | None) -> list[_Uncertain]:
    """Return the predictions to review, the least certain first."""
    return heapq.nsmallest(
        _MAX_REVIEWED,
        (
            _Uncertain(confidence, path, prediction, part)
            for part in parts
            for path, prediction, confidence in _uncertain_of(part, min_confidence)
        ),
    )


def _uncertain_of(part: Path, min_confidence: float | None) -> Iterable[tuple[str, int, float]]:
    if min_confidence is not None:
        return predictions.read_below(part, min_confidence)
    _, least = predictions.read_counts(part)
    return [(each.path, each.prediction, each.confidence) for each in least]


def _pictures(chosen: Sequence[_Uncertain], reviewed: Reviewed) -> Mapping[str, bytes]:
    """Return the picture of each prediction whose image is still in its source, by path."""
    reader = reader_of_sheets(reviewed.options, reviewed.network)
    pictures: dict[str, bytes] = {}
    for part in sorted({each.part for each in chosen}):
        paths = {each.path for each in chosen if each.part == part}
        sources = shards.read(reviewed.output / SHARDS, predictions.shard_of(part))
        try:
            for path, image in read_sheets(sources, paths, reader):
                if not isinstance(image, str):
                    pictures[path] = _picture(image)
        except PipelineError as error:
            _log.warning("The workbook lacks pictures: %s", error)
    return pictures


def _picture(image: Sheet) -> bytes:
    """Return a PNG picture of an image, made smaller or larger."""
    grey = np.ascontiguousarray(image)
    height, width = grey.shape
    scale = _PICTURE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return png(cv2.resize(grey, size, interpolation=way).astype(np.uint8))
