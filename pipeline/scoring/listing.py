"""Listing the images of a scoring, and keeping the predictions of an earlier run of the same."""

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.inputs import finding, shards
from pipeline.inputs.selection import ListingNotes, Selection
from pipeline.inputs.shards import Listing
from pipeline.scoring import ownership, predictions
from pipeline.scoring.formats import tables_of
from pipeline.scoring.outcome import DATA_SET, SUMMARY, Options
from pipeline.scoring.shadow import SHADOW
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
_FORMAT = 9


@stage
def list_images(
    inputs: Sequence[str],
    output: Path,
    version: ModelVersion,
    options: Options,
    selection: Selection,
) -> Listing:
    """List the images in shards, and keep the predictions of an earlier run of the same.

    Those of another version, of other inputs or with other options are removed. Whether those that
    are kept are of the files as they are now is found out shard by shard.
    """
    files.remove_leftovers(output)
    fresh = output / f"{SHARDS}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    listing = count_images(inputs, fresh, selection)
    now = _run_values(inputs, version, options)
    earlier = _read_json(output / RUN)
    changed = _changed(earlier, now)
    if changed:
        if earlier is not None:
            _log.warning(
                "Starting over in %s: changed since the last run: %s.", output, ", ".join(changed)
            )
        # Removed first and written last, so predictions are never beside a run file of another run.
        (output / RUN).unlink(missing_ok=True)
    _remove_parts(output, from_shard=0 if changed else len(listing.sizes))
    shutil.rmtree(output / SHARDS, ignore_errors=True)
    fresh.rename(output / SHARDS)
    if changed:
        _write_json(output / RUN, now)
    (output / DATA_SET).mkdir(exist_ok=True)
    files.remove_leftovers(output / DATA_SET)
    return listing


def _remove_parts(output: Path, *, from_shard: int) -> None:
    """Remove the predictions of the shards from a number on."""
    directories = (output / SHADOW, output / DATA_SET)
    parts = [part for each in directories for part in each.glob("part-*.parquet")]
    surplus = [part for part in parts if predictions.shard_of(part) >= from_shard]
    if surplus:
        remove_results(output)
    for part in surplus:
        part.unlink()


def remove_results(output: Path) -> None:
    """Remove what is written of all predictions together, before some of them change."""
    for path in (output / SUMMARY, *tables_of(output)):
        path.unlink(missing_ok=True)


def record_fingerprint(output: Path, fingerprints: Sequence[str]) -> str:
    """Add the fingerprint of all images to the run file, and return it.

    Parameters
    ----------
    output : Path
    fingerprints : sequence of str
        Those of the shards, as they were scored.
    """
    fingerprint = hashlib.sha256("".join(fingerprints).encode()).hexdigest()
    run = {**(_read_json(output / RUN) or {}), "fingerprint": fingerprint}
    _write_json(output / RUN, run)
    return fingerprint


def count_images(inputs: Sequence[str], directory: Path, selection: Selection) -> Listing:
    """List the images of the inputs, in shards below a directory."""
    notes = ListingNotes()
    listing = shards.write(finding.work_items(inputs, selection, notes), directory, _SHARD_SIZE)
    notes.warn_about_labels()
    return replace(
        listing,
        left_out=dict(sorted((+notes.left_out).items())),
        label_sources=tuple(sorted(notes.label_sources)),
    )


def scored_before(
    output: Path,
    inputs: Sequence[str],
    version: ModelVersion,
    options: Options,
    listing: Listing,
    directory: Path,
) -> int | None:
    """Return how many images an earlier run of the same has scored.

    None if the predictions in the output are of another run. `directory` has the shards.
    """
    earlier = _read_json(output / RUN)
    if earlier is None:
        return 0
    if _changed(earlier, _run_values(inputs, version, options)):
        return None
    return sum(
        size
        for shard, size in enumerate(listing.sizes)
        if predictions.read_fingerprint(predictions.path(output / DATA_SET, shard))
        == shards.fingerprint(directory, shard)
    )


def _run_values(inputs: Sequence[str], version: ModelVersion, options: Options) -> dict[str, Any]:
    """Return what two runs share if the later one may keep predictions of the earlier one."""
    return {
        "inputs": finding.absolute_addresses(inputs),
        "model": version.reference,
        "sha256": version.sha256,
        **asdict(options),
        "format": _FORMAT,
        "shard_size": _SHARD_SIZE,
    }


def _changed(earlier: dict[str, Any] | None, now: dict[str, Any]) -> list[str]:
    """Return which values of a run differ from those of an earlier one."""
    return sorted(name for name in now if earlier is None or earlier.get(name) != now[name])


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


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        values = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _write_json(path: Path, values: dict[str, Any]) -> None:
    with files.atomic_write(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n")
