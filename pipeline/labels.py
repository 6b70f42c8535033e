"""The labels a user may know of the images in a directory."""

import csv
from pathlib import Path

from pipeline.errors import InputError

FILE_NAME = "labels.csv"


def read_labels(directory: Path) -> dict[str, int]:
    """Return label by path below the directory, from its ``labels.csv``; empty without one.

    Raises
    ------
    InputError
        Where the file is not a table of ``path`` and ``label``; it names the line.
    """
    path = directory / FILE_NAME
    labels: dict[str, int] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            for row in rows:
                label = row.get("label") or ""
                if not row.get("path") or label not in set("0123456789"):
                    raise InputError(
                        f"{path}, line {rows.line_num}: expected columns path and label, "
                        f"a label from 0 to 9, got {row!r}."
                    )
                labels[row["path"]] = int(label)
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8 text ({error}).") from None
    return labels
