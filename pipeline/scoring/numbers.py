"""The numbers that fields of several digits hold: a table beside the predictions."""

from collections.abc import Iterable
from itertools import chain, groupby
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.images.parts import SEVERAL
from pipeline.scoring import predictions
from pipeline.scoring.answers import NOT_ONE_DIGIT
from pipeline.scoring.outcome import DATA_SET
from pipeline.scoring.review_files import write_table

NUMBERS = "numbers.csv"
"""File of the output with the number in each image, if images were split."""

_COLUMNS = ("path", "number", "digits", "confidence")

# Instead of a digit without a prediction.
_UNREAD = "?"

# Errors of a row that is a digit of an image.
_OF_DIGITS = (None, NOT_ONE_DIGIT, SEVERAL)


def write_numbers(output: Path, shards: int) -> None:
    """Write the number that each split image holds, with its least confidence.

    Parameters
    ----------
    output : Path
        Directory with the data set. The digits of an image are in one of its files, in order.
    shards : int
        Number of its files.
    """
    parts = (predictions.path(output / DATA_SET, shard) for shard in range(shards))
    write_table(output / NUMBERS, _COLUMNS, chain.from_iterable(map(_numbers, parts)))


def _numbers(part: Path) -> Iterable[tuple[str, str, int, float | None]]:
    rows = pq.read_table(part, columns=["path", "prediction", "confidence", "error"]).to_pylist()
    for path, group in groupby(rows, lambda row: _field_of(row["path"], row["error"])):
        digits = list(group)
        read = [row["confidence"] for row in digits if row["prediction"] is not None]
        number = "".join(
            _UNREAD if row["prediction"] is None else str(row["prediction"]) for row in digits
        )
        yield path, number, len(read), min(read) if read else None


def _field_of(path: str, error: str | None) -> str:
    """Return the path of the image that a digit was cut out of."""
    field, mark, index = path.rpartition("#")
    # What could not be read was not cut, whatever its name.
    is_digit = bool(mark) and index.isdigit() and error in _OF_DIGITS
    return field if is_digit else path
