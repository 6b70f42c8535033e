"""Whether the files of an output are our own, and unchanged: nothing else is overwritten."""

import json
from pathlib import Path

from pipeline import files
from pipeline.errors import OutputError

# File of the output with the SHA-256 of the tables, as they were written.
_WRITTEN = ".written.json"


def record(output: Path, *tables: Path) -> None:
    """Remember tables as they are now."""
    digests = written(output) | {table.name: files.sha256(table) for table in tables}
    with files.atomic_write(output / _WRITTEN) as temporary:
        temporary.write_text(json.dumps(digests))


def written(output: Path) -> dict[str, str]:
    """Return the SHA-256 of each table that was written, by its name."""
    try:
        values = json.loads((output / _WRITTEN).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def is_changed(table: Path, digests: dict[str, str]) -> bool:
    """Return whether a table is there, and not as it was written."""
    return table.exists() and files.sha256(table) != digests.get(table.name)


def require_own(output: Path, results: list[Path], tables: list[Path]) -> None:
    """Check that nothing is overwritten but results of an earlier run.

    Parameters
    ----------
    output : Path
        Directory of the results.
    results : list of Path
        What a run writes.
    tables : list of Path
        The tables among them, which somebody may have changed since.

    Raises
    ------
    OutputError
    """
    # The lock is the first thing that a scoring makes, and stays.
    if not (output / files.LOCK).exists():
        strangers = [path for path in results if path.exists()]
        if strangers:
            raise OutputError(
                f"{strangers[0]} is there already, and not of an earlier scoring. Choose another "
                "output, or overwrite it with --force."
            )
        return
    digests = written(output)
    for table in tables:
        if table.name in digests and is_changed(table, digests):
            raise OutputError(
                f"{table} was changed since it was written. Choose another output, or overwrite "
                "it with --force."
            )
