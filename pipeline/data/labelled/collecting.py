"""Collecting labelled images: list → read → deduplicate → leave out MNIST's → store."""

import hashlib
import json
import logging
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pipeline import files
from pipeline.data import parquet
from pipeline.data.labelled import storage
from pipeline.data.labelled.listing import LabelledListing, list_labelled, read_labelled
from pipeline.data.labelled.records import Collection, Conflict
from pipeline.data.preparation import DataReference
from pipeline.errors import DamagedDataError
from pipeline.stages import stage

_log = logging.getLogger(__name__)

_MAX_CONFLICTS_LOGGED = 5


@stage
def collect(source: str | Path, data: DataReference, directory: Path) -> Collection:
    """Read labelled images, and store them below a directory under their SHA-256.

    Parameters
    ----------
    source : str or Path
        An input that scoring knows the labels of: a directory whose only directories are
        ``0`` to ``9``, or with a ``labels.csv`` of the columns path and label, or Parquet with a
        column ``label``; each may be in an object store. Or a label table itself, with paths
        relative to it.
    data : DataReference
        MNIST. Its images are left out, so that no version is trained on its test set.
    directory : Path

    Raises
    ------
    InputError
        If no image has a label, or a label is invalid.
    """
    listing = list_labelled(str(source))
    # Normalizing many scans takes minutes, and most of them are the same the next night.
    record = directory / f"{listing.sha256}.json"
    # A process that had to wait for the lock finds the record of the other one.
    with files.locked(directory):
        files.remove_leftovers(directory)
        collection = _recorded(record, directory)
        if collection is None:
            collection = _collect(listing, data, directory)
            with files.atomic_write(record) as temporary:
                temporary.write_text(json.dumps(collection.as_json()))
    _log_collection(str(source), collection)
    return collection


def _recorded(record: Path, directory: Path) -> Collection | None:
    """Return the recorded collection of the same files; None if its images are not stored."""
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
        try:
            storage.read(reference.path, reference.sha256)
        except DamagedDataError as error:
            _log.warning("%s", error)
            return None
    return collection


@dataclass(slots=True)
class _Occurrences:
    """The labels and paths that the files give one image."""

    labels: set[int] = field(default_factory=set)
    paths: list[str] = field(default_factory=list)


def _collect(listing: LabelledListing, data: DataReference, directory: Path) -> Collection:
    by_pixels: dict[bytes, _Occurrences] = {}
    errors: Counter[str] = Counter()
    count = 0
    for path, label, pixels in read_labelled(listing, errors):
        count += 1
        occurrences = by_pixels.setdefault(pixels, _Occurrences())
        occurrences.labels.add(label)
        occurrences.paths.append(path)
    in_mnist = by_pixels.keys() & _images_of(data)
    rows = [
        storage.LabelledRow(
            hashlib.sha256(pixels).hexdigest(),
            pixels,
            min(occurrences.labels),
            min(occurrences.paths),
        )
        for pixels, occurrences in by_pixels.items()
        if pixels not in in_mnist and len(occurrences.labels) == 1
    ]
    rows.sort(key=lambda row: row.sha256)
    held_out = sum(row.is_held_out for row in rows)
    return Collection(
        reference=storage.write(directory, rows) if rows else None,
        training=len(rows) - held_out,
        held_out=held_out,
        duplicates=count - len(by_pixels),
        of_mnist=len(in_mnist),
        errors=dict(sorted(errors.items())),
        conflicts=tuple(
            Conflict(tuple(sorted(occurrences.labels)), tuple(sorted(occurrences.paths)))
            for occurrences in by_pixels.values()
            if len(occurrences.labels) > 1
        ),
    )


def _images_of(data: DataReference) -> set[bytes]:
    """Return the pixels of all images of MNIST."""
    return {
        image.tobytes()
        for reference in (data.train, data.test)
        for image in parquet.read(reference.path, reference.split).images
    }


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
