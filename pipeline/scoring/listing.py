"""Listing the images of a scoring, and keeping the predictions of an earlier run of the same."""

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import DamagedDataError
from pipeline.inputs import finding, shards
from pipeline.inputs.selection import ListingNotes, Selection
from pipeline.inputs.shards import Listing
from pipeline.scoring import ownership, predictions
from pipeline.scoring.formats import tables_of
from pipeline.scoring.outcome import DATA_SET, SUMMARY, Options
from pipeline.scoring.shadow import SHADOW, lacks_shadow
from pipeline.stages import stage
from registry import ModelVersion

_log = logging.getLogger(__name__)

SHARDS = ".shards"
"""Directory of the shards in the output."""

RUN = "run.json"
"""File of the output that says what was scored by which version, and how."""

# Maximum images of a shard: some seconds of work for scans, and a file of a hundred kilobytes. Row
# groups of Parquet are not divided.
_SHARD_SIZE = 5_000

# Version of the shard metadata format.
_FORMAT = 7


@stage
def list_images(
    inputs: Sequence[str],
    output: Path,
    version: ModelVersion,
    options: Options,
    selection: Selection,
) -> Listing:
    """List the images in shards, and keep the predictions of an identical earlier run.

    Those of any other run are removed.
    """
    files.remove_leftovers(output)
    fresh = output / f"{SHARDS}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    listing = count_images(inputs, fresh, selection)
    now = _run_values(inputs, version, options, listing)
    earlier = _read_json(output / RUN)
    if earlier == now:
        # These are the same; those of a copy may be missing or damaged.
        shutil.rmtree(output / SHARDS, ignore_errors=True)
        fresh.rename(output / SHARDS)
    else:
        if earlier is not None:
            changed = sorted(name for name in now if earlier.get(name) != now[name])
            _log.warning(
                "Starting over in %s: changed since the last run: %s.", output, ", ".join(changed)
            )
        # Removed first and written last, so predictions are never beside a run file of another run.
        (output / RUN).unlink(missing_ok=True)
        for part in (output / DATA_SET).glob("part-*.parquet"):
            part.unlink()
        for path in (output / SUMMARY, *tables_of(output)):
            path.unlink(missing_ok=True)
        shutil.rmtree(output / SHADOW, ignore_errors=True)
        shutil.rmtree(output / SHARDS, ignore_errors=True)
        fresh.rename(output / SHARDS)
        with files.atomic_write(output / RUN) as temporary:
            temporary.write_text(json.dumps(now, indent=2) + "\n")
    (output / DATA_SET).mkdir(exist_ok=True)
    files.remove_leftovers(output / DATA_SET)
    return listing


def count_images(inputs: Sequence[str], directory: Path, selection: Selection) -> Listing:
    """List the images of the inputs, in shards below a directory."""
    notes = ListingNotes()
    listing = shards.write(finding.work_items(inputs, selection, notes), directory, _SHARD_SIZE)
    notes.warn_about_labels()
    return replace(
        listing,
        left_out=dict(sorted((+notes.left_out).items())),
        label_sources=tuple(sorted(notes.label_sources)),
        labels_from=selection.labels,
    )


def scored_before(
    output: Path, inputs: Sequence[str], version: ModelVersion, options: Options, listing: Listing
) -> int | None:
    """Return how many images an earlier run of the same has scored.

    None if the predictions in the output are of another run.
    """
    earlier = _read_json(output / RUN)
    if earlier is None:
        return 0
    if earlier != _run_values(inputs, version, options, listing):
        return None
    return sum(
        size
        for shard, size in enumerate(listing.sizes)
        if predictions.path(output / DATA_SET, shard).exists()
    )


def _run_values(
    inputs: Sequence[str], version: ModelVersion, options: Options, listing: Listing
) -> dict[str, Any]:
    """Return what two runs share if the later one may keep the predictions of the earlier one."""
    return {
        "inputs": finding.absolute_addresses(inputs),
        "model": version.reference,
        "sha256": version.sha256,
        **asdict(options),
        "format": _FORMAT,
        "shard_size": _SHARD_SIZE,
        **listing.as_json(),
    }


def require_own(output: Path, *, force: bool) -> None:
    """Check that a scoring overwrites nothing but results of an earlier one.

    Raises
    ------
    OutputError
        If there are files of the names of its results in a directory that is not an output, or a
        table was changed since it was written.
    """
    if not force:
        tables = tables_of(output)
        results = [output / SUMMARY, output / DATA_SET, *tables]
        ownership.require_own(output, results, tables)


def unscored_shards(output: Path, listing: Listing, shadow: ModelVersion | None) -> list[int]:
    """Return the numbers of the shards that have no predictions yet, or damaged ones.

    With a shadow, they are also those that were not compared with it.
    """
    parts = (predictions.path(output / DATA_SET, shard) for shard in range(len(listing.sizes)))
    return [
        shard
        for shard, part in enumerate(parts)
        if not _is_complete(part)
        or (shadow is not None and lacks_shadow(output, shard, shadow.sha256))
    ]


def _is_complete(part: Path) -> bool:
    """Return whether a part can be read to its end; remove it if it is damaged."""
    try:
        predictions.verify(part)
    except FileNotFoundError:
        return False
    except DamagedDataError as error:
        _log.warning("%s It is scored again.", error)
        part.unlink()
        return False
    return True


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        values = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return values if isinstance(values, dict) else None
