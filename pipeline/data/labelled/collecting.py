"""Collecting labelled images: list → read → deduplicate → leave out MNIST's → store."""

import hashlib
import json
import logging
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline import files
from pipeline.data import parquet
from pipeline.data.labelled import packs, storage
from pipeline.data.labelled.listing import LabelledListing, list_labelled
from pipeline.data.labelled.occurrences import Occurrences, occurrences
from pipeline.data.labelled.parts import PartCounts, read_part
from pipeline.data.labelled.records import Collection, LabelledReference
from pipeline.data.preparation import DataReference
from pipeline.errors import DamagedDataError, InputError
from pipeline.images.reading import NOT_OPENED
from pipeline.inputs.labels import FILE_NAME
from pipeline.inputs.selection import Labels
from pipeline.progress import report
from pipeline.stages import stage
from pipeline.stages.processes import spawned_map

_log = logging.getLogger(__name__)

_MAX_CONFLICTS_LOGGED = 5

_ACTIVITY = "Read labelled images"


@stage
def collect(
    source: str | Path, data: DataReference, directory: Path, labels: Labels = "auto"
) -> Collection:
    """Read labelled images, and store them below a directory under their SHA-256.

    Parameters
    ----------
    source : str or Path
        An input that scoring knows the labels of: a directory whose only directories are
        ``0`` to ``9``, or with a ``labels.csv`` of the columns path and label, or a data set that
        has its labels in it; each may be in an object store. Or a label table itself, with paths
        relative to it.
    data : DataReference
        MNIST. Its images are left out, so that no version is trained on its test set.
    directory : Path
    labels : {"auto", "folders"}
        ``folders``: directories ``0`` to ``9`` are labels even if others are beside them.

    Raises
    ------
    InputError
        If no image has a label, or a label is invalid.
    """
    # A process that had to wait for the lock finds the record of the other one.
    with files.locked(directory):
        files.remove_leftovers(directory)
        with files.temporary_directory(directory) as temporary:
            listing = list_labelled(str(source), labels, temporary / "shards")
            # Normalizing many scans takes minutes, and most of them are the same the next night.
            record = directory / f"{listing.sha256()}.json"
            collection = _usable(record, directory)
            if collection is None:
                collection = _collect(listing, data, directory, temporary)
                with files.atomic_write(record) as written:
                    written.write_text(json.dumps(collection.as_json()))
    _log_collection(str(source), collection)
    return collection


def preview(
    source: str | Path,
    data: DataReference,
    directory: Path,
    scratch: Path,
    labels: Labels = "auto",
) -> Collection:
    """Return what `collect` would return, and write nothing to its directory.

    The images are in the directory if they were collected before, otherwise in `scratch`.

    Parameters
    ----------
    source : str or Path
    data : DataReference
    directory : Path
        That of `collect`.
    scratch : Path
        An empty directory.
    labels : {"auto", "folders"}

    Raises
    ------
    InputError
        If no image has a label, or a label is invalid.
    """
    listing = list_labelled(str(source), labels, scratch / "shards")
    collection = None
    with suppress(DamagedDataError):
        collection = _recorded(directory / f"{listing.sha256()}.json", directory)
    if collection is None:
        with files.temporary_directory(scratch) as temporary:
            collection = _collect(listing, data, scratch, temporary)
    return collection


def _usable(record: Path, directory: Path) -> Collection | None:
    """Return the recorded collection of the same files; damaged packs are removed."""
    try:
        return _recorded(record, directory)
    except DamagedDataError as error:
        _log.warning("%s", error)
        packs.remove_damaged(packs.directory_of(directory))
        return None


def _recorded(record: Path, directory: Path) -> Collection | None:
    """Return the recorded collection of the same files; None if its images are not stored.

    Raises
    ------
    DamagedDataError
        If the stored images are damaged.
    """
    try:
        collection = Collection.from_json(
            json.loads(record.read_text()), partial(storage.path_of, directory)
        )
    except FileNotFoundError:
        return None
    reference = collection.reference
    if reference is not None:
        if not reference.path.exists():
            return None
        storage.read(reference.path, reference.sha256)
    return collection


def _collect(
    listing: LabelledListing, data: DataReference, directory: Path, temporary: Path
) -> Collection:
    """Read the images of a listing on all cores, and store those that can be used."""
    parts, counts = _read_parts(listing, temporary)
    found = occurrences(parts)
    in_mnist = np.isin(found.digests, _digests_of(data))
    is_used = ~in_mnist & ~found.is_conflict
    reference = None
    if is_used.any():
        used = found.chosen(is_used)
        reference = _store(directory, parts, used)
    held_out = int(np.count_nonzero(storage.are_held_out(found.digests[is_used])))
    return Collection(
        reference=reference,
        training=int(np.count_nonzero(is_used)) - held_out,
        held_out=held_out,
        duplicates=found.duplicates,
        of_mnist=int(np.count_nonzero(in_mnist)),
        errors=dict(sorted(counts.errors.items())),
        conflicts=found.conflicts,
    )


def _read_parts(listing: LabelledListing, temporary: Path) -> tuple[list[Path], PartCounts]:
    """Read the shards of a listing, and return their files and the counts over all of them.

    Raises
    ------
    InputError
        If no image has a label.
    """
    total = listing.listing.files
    parts = [temporary / f"{shard:06}.parquet" for shard in range(len(listing.listing.sizes))]
    calls = ((listing.directory, shard, part) for shard, part in enumerate(parts))
    counts = PartCounts()
    for each in spawned_map(read_part, calls):
        counts += each
        report(_ACTIVITY, counts.files, total)
    if listing.missing:
        counts.errors[NOT_OPENED] += listing.missing
    if not counts.labelled + listing.missing:
        raise InputError(
            f"{listing.source}: expected images in directories 0 to 9 with no other beside them, "
            f"or a {FILE_NAME} with the columns path and label, got no labelled image."
        )
    return parts, counts


def _store(directory: Path, parts: list[Path], used: Occurrences) -> LabelledReference:
    """Store the images that are in no pack yet, and the list of all."""
    images = packs.directory_of(directory)
    images.mkdir(exist_ok=True)
    files.remove_leftovers(images)
    stored = packs.index(images)
    is_new = stored.places(used.digests) < 0
    if is_new.any():
        new = used.chosen(is_new)
        order = np.argsort(new.rows)
        packs.add(images, parts, new.rows[order], new.paths.take(pa.array(order)))
        stored = packs.index(images)
    return storage.write(directory, stored, used.digests, used.labels, used.paths)


def _digests_of(data: DataReference) -> packs.Digests:
    """Return the digests of all images of MNIST."""
    return np.array(
        [
            hashlib.sha256(image.tobytes()).digest()
            for reference in (data.train, data.test)
            for image in parquet.read(reference.path, reference.split).images
        ],
        "S32",
    )


def _log_collection(source: str, collection: Collection) -> None:
    _log.info(
        "%s: %d labelled images to train on, %d held out; %d duplicates.",
        source,
        collection.training,
        collection.held_out,
        collection.duplicates,
    )
    if collection.of_mnist:
        _log.warning("%s: %d images are in MNIST and are left out.", source, collection.of_mnist)
    for reason, count in collection.errors.items():
        _log.warning("%s: %d files not used: %s.", source, count, reason)
    for conflict in collection.conflicts[:_MAX_CONFLICTS_LOGGED]:
        labels, paths = (", ".join(map(str, each)) for each in (conflict.labels, conflict.paths))
        _log.warning("An image with the labels %s is left out: %s.", labels, paths)
    more = len(collection.conflicts) - _MAX_CONFLICTS_LOGGED
    if more > 0:
        _log.warning("%d more images with several labels are left out.", more)
