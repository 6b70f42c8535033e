"""A user's own labelled images, which join MNIST in training and in the gate.

They are seen as scoring sees them: normalised, 28×28. What is the same then is the same image,
whatever its file is called, and its SHA-256 decides, for ever, which side it is on: training, or
held out.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import files
from pipeline.data import parquet
from pipeline.data.preparation import DataReference
from pipeline.errors import DamagedDataError, InputError
from pipeline.images.framing import SIDE
from pipeline.images.reading import Reader
from pipeline.inputs import finding
from pipeline.inputs.globbing import stamp
from pipeline.inputs.image_files import ImageFiles
from pipeline.inputs.labels import FILE_NAME, read_labels
from pipeline.inputs.source import UNKNOWN, Batch, Piece
from pipeline.progress import report
from pipeline.provenance import code_version
from pipeline.stages import stage

_log = logging.getLogger(__name__)

# Of 256, how many values of the first byte of an image's SHA-256 hold it out: one in five.
_HELD_OUT = 51

_BATCH = 1024

_ACTIVITY = "Read labelled images"


@dataclass(frozen=True, slots=True)
class Conflict:
    """An image that was given several labels; it is used with none of them."""

    labels: tuple[int, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelledReference:
    """Where labelled images are. Tasks hand each other these."""

    path: Path
    sha256: str
    """Of the images and their labels, whatever their files are called."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What was found where a user's labelled images are."""

    reference: LabelledReference | None
    """None where nothing can be used."""
    training: int
    """Images to train on."""
    held_out: int
    """Images that no version is trained on."""
    duplicates: int
    """Files with an image that another file has as well."""
    of_mnist: int
    """Images that MNIST has itself; they are left out."""
    errors: Mapping[str, int]
    """Files that could not be used, by reason."""
    conflicts: tuple[Conflict, ...]
    """Images with several labels; they are left out."""


@dataclass(frozen=True, slots=True)
class Side:
    """Labelled images on one side."""

    images: NDArray[np.uint8]
    """Shape (n, 28, 28): 0 is paper, 255 is ink."""
    labels: NDArray[np.uint8]
    """Shape (n,): 0 to 9."""
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled images, ordered by their SHA-256."""

    training: Side
    held_out: Side


@stage
def collect(source: str | Path, data: DataReference, directory: Path) -> Collection:
    """Read labelled images, and keep them below a directory under their SHA-256.

    Parameters
    ----------
    source : str or Path
        What scoring knows the labels of: a directory with directories ``0`` to ``9``, or with a
        ``labels.csv``, columns path and label; Parquet with a column ``label``; also in an object
        store. Or such a table itself, whose paths are relative to where it is.
    data : DataReference
        MNIST: its own images are left out, so that none is trained on that is tested on.

    Raises
    ------
    InputError
        Where there is nothing labelled, or a label is none.
    """
    listed = _list(str(source))
    # To make many scans like MNIST's takes minutes, and every night they are mostly the same.
    memory = directory / f"{listed.digest}.json"
    # Whoever waits here finds it done.
    with files.locked(directory):
        files.sweep(directory)
        collection = _remembered(memory)
        if collection is None:
            collection = _collected(listed, data, directory)
            with files.replacing(memory) as temporary:
                temporary.write_text(json.dumps(asdict(collection), default=str))
    _tell(str(source), collection)
    return collection


@dataclass(frozen=True, slots=True)
class _Listed:
    """What there is to read."""

    source: str
    pieces: list[Piece]
    table: Mapping[str, int] | None
    """Labels by name, where they came as a table alone."""

    @property
    def digest(self) -> str:
        """Of names, sizes and times, of the labels, and of the code that reads them."""
        digest = hashlib.sha256(f"{code_version()}\0{self.source}\0".encode())
        for labels in sorted({piece.source.labels or "" for piece in self.pieces}):
            digest.update(labels.encode())
        digest.update(json.dumps(self.table, sort_keys=True).encode())
        digest.update(b"\0".join([piece.stamp for piece in self.pieces]))
        return digest.hexdigest()


def _collected(listed: _Listed, data: DataReference, directory: Path) -> Collection:
    found: dict[bytes, _Found] = {}
    errors: Counter[str] = Counter()
    count = 0
    for path, label, pixels in _read(listed, errors):
        count += 1
        found.setdefault(pixels, _Found()).add(label, path)
    mnist = {
        image.tobytes()
        for reference in (data.train, data.test)
        for image in parquet.read(reference.path, reference.split).images
    }
    of_mnist = found.keys() & mnist
    conflicts = tuple(
        Conflict(tuple(sorted(one.labels)), tuple(sorted(one.paths)))
        for one in found.values()
        if len(one.labels) > 1
    )
    kept = {
        hashlib.sha256(pixels).hexdigest(): (pixels, one)
        for pixels, one in found.items()
        if pixels not in of_mnist and len(one.labels) == 1
    }
    rows = [
        _Row(digest, pixels, min(one.labels), min(one.paths))
        for digest, (pixels, one) in sorted(kept.items())
    ]
    reference = None
    if rows:
        fingerprint = _fingerprint((row.digest, row.label) for row in rows)
        reference = LabelledReference(path_of(directory, fingerprint), fingerprint)
        _write(reference.path, rows)
    held_out = sum(_is_held_out(row.digest) for row in rows)
    return Collection(
        reference=reference,
        training=len(rows) - held_out,
        held_out=held_out,
        duplicates=count - len(found),
        of_mnist=len(of_mnist),
        errors=dict(sorted(errors.items())),
        conflicts=conflicts,
    )


def _remembered(memory: Path) -> Collection | None:
    """Return what the same files came to before, if what was kept of them is there."""
    try:
        told = json.loads(memory.read_text())
    except FileNotFoundError:
        return None
    reference = None
    if told["reference"] is not None:
        reference = LabelledReference(Path(told["reference"]["path"]), told["reference"]["sha256"])
        if not reference.path.exists():
            return None
        try:
            read(reference.path, reference.sha256)
        except DamagedDataError as error:
            _log.warning("%s", error)
            return None
    conflicts = tuple(
        Conflict(tuple(one["labels"]), tuple(one["paths"])) for one in told["conflicts"]
    )
    return Collection(**{**told, "reference": reference, "conflicts": conflicts})


def path_of(directory: Path, sha256: str) -> Path:
    """Return where images of a fingerprint are kept."""
    return directory / f"{sha256}.parquet"


def read(path: Path, sha256: str) -> Labelled:
    """Return the images that `collect` kept, held to their fingerprint.

    Raises
    ------
    DamagedDataError
    """
    try:
        stamp_of_file = files.stamp(path)
    except OSError as error:
        raise DamagedDataError(f"{path} cannot be read as labelled images ({error}).") from None
    return _read_kept(path, sha256, stamp_of_file)


# As `parquet.read`: verified once in a run.
@lru_cache(maxsize=1)
def _read_kept(path: Path, sha256: str, _stamp: tuple[int, ...]) -> Labelled:
    examples, (paths,) = parquet.columns(path, "labelled images", "path")
    images, labels = examples.images, examples.labels
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    got = _fingerprint(zip(digests, labels.tolist(), strict=True))
    if got != sha256:
        raise DamagedDataError(
            f"{path} is damaged: expected labelled images with the SHA-256 {sha256}, got {got}. "
            "Remove it; a retraining on the same images writes it anew."
        )
    held_out = np.array([_is_held_out(digest) for digest in digests], bool)

    def side(places: NDArray[np.bool_]) -> Side:
        chosen = images[places], labels[places]
        for values in chosen:
            values.flags.writeable = False
        return Side(
            *chosen,
            tuple(path for path, taken in zip(paths, places, strict=True) if taken),
        )

    return Labelled(side(~held_out), side(held_out))


class _Found:
    """The labels and files of one image."""

    def __init__(self) -> None:
        self.labels: set[int] = set()
        self.paths: list[str] = []

    def add(self, label: int, path: str) -> None:
        self.labels.add(label)
        self.paths.append(path)


@dataclass(frozen=True, slots=True)
class _Row:
    digest: str
    pixels: bytes
    label: int
    path: str


def _is_held_out(digest: str) -> bool:
    return int(digest[:2], 16) < _HELD_OUT


def _fingerprint(rows: Iterable[tuple[str, int]]) -> str:
    digest = hashlib.sha256()
    for image, label in rows:
        digest.update(f"{image} {label}\n".encode())
    return digest.hexdigest()


def _list(source: str) -> _Listed:
    """List all that scoring knows there, or what a table of labels names."""
    if not source.endswith(".csv"):
        return _Listed(source, list(finding.pieces([source])), None)
    with Path(source).open(newline="", encoding="utf-8") as stream:
        table = read_labels(stream, source).table or {}
    root = Path(source).absolute().parent
    directory = ImageFiles("", str(root), "", confined=True)
    pieces = []
    for name in sorted(table):
        try:
            found = stamp(name, (root / name).stat())
        except OSError:
            found = b""
        pieces.append(Piece(directory, name, 1, found))
    return _Listed(source, pieces, table)


def _read(listed: _Listed, errors: Counter[str]) -> Iterator[tuple[str, int, bytes]]:
    """Yield path, label and pixels of every labelled image; count those that cannot be used."""
    count = 0
    for batch, labels in _batches(listed):
        known = labels != UNKNOWN
        count += int(np.count_nonzero(known))
        errors.update(reason for place, reason in batch.reasons.items() if known[place])
        places = (place for place in range(len(labels)) if place not in batch.reasons)
        for place, image in zip(places, batch.images, strict=True):
            if known[place]:
                yield batch.paths[place], int(labels[place]), image.tobytes()
    if not count:
        raise InputError(
            f"{listed.source}: expected images in directories 0 to 9, or a {FILE_NAME} with the "
            "columns path and label, got no labelled image."
        )


def _batches(listed: _Listed) -> Iterator[tuple[Batch, NDArray[np.int8]]]:
    """Yield images with their labels."""
    done, total = 0, sum(piece.images for piece in listed.pieces)
    for where, pieces in groupby(listed.pieces, key=attrgetter("source")):
        keys = [piece.key for piece in pieces]
        for batch in where.batches(keys, _BATCH, Reader()):
            done += len(batch.paths)
            report(_ACTIVITY, done, total)
            labels = batch.labels
            if listed.table is not None:
                names = keys[done - len(batch.paths) : done]
                labels = np.array([listed.table[name] for name in names], np.int8)
            yield batch, labels


def _write(path: Path, rows: Sequence[_Row]) -> None:
    pixels = np.frombuffer(b"".join(row.pixels for row in rows), np.uint8)
    table = pa.table(
        {
            "image": parquet.image_column(pixels.reshape(-1, SIDE, SIDE)),
            "label": pa.array([row.label for row in rows], pa.uint8()),
            "path": [row.path for row in rows],
        }
    )
    with files.replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _tell(source: str, found: Collection) -> None:
    _log.info(
        "%s: %d labelled images to train on, %d held out; %d files have an image twice.",
        source,
        found.training,
        found.held_out,
        found.duplicates,
    )
    if found.of_mnist:
        _log.warning("%s: %d images are MNIST's own, and left out.", source, found.of_mnist)
    for reason, count in found.errors.items():
        _log.warning("%s: %d files not used: %s.", source, count, reason)
    for conflict in found.conflicts[:5]:
        labels, paths = (", ".join(map(str, some)) for some in (conflict.labels, conflict.paths))
        _log.warning("One image, labels %s, left out: %s.", labels, paths)
    if len(found.conflicts) > 5:
        _log.warning("And %d more with several labels.", len(found.conflicts) - 5)
