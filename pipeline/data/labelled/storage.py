"""Storing sets of labelled images, in files named after the SHA-256 of their contents.

A set is a list of images of packs, with a label for each: see `packs`. Earlier releases stored the
images themselves in the file; such files are read for ever.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import files
from pipeline.data import parquet
from pipeline.data.labelled import packs
from pipeline.data.labelled.packs import Digests, Index
from pipeline.data.labelled.records import LabelledImages, LabelledReference, LabelledSplit
from pipeline.errors import DamagedDataError

# Images whose SHA-256 starts with a byte below this are held out (one in five).
_HELD_OUT_BELOW = 51

_LIST = pa.schema(
    {
        "pack": pa.dictionary(pa.int32(), pa.string()),
        "id": pa.uint32(),
        "label": pa.uint8(),
        # Null if it is the path that the image had first.
        "path": pa.string(),
    }
)


def path_of(directory: Path, sha256: str) -> Path:
    """Return the file of the set of labelled images with this SHA-256."""
    return directory / f"{sha256}.parquet"


def write(
    directory: Path, stored: Index, digests: Digests, labels: NDArray[np.uint8], paths: Any
) -> LabelledReference:
    """Write a set of images that are in packs.

    Parameters
    ----------
    directory : Path
    stored : Index
        Of the packs.
    digests : ndarray of S32, shape (n,)
        In ascending order.
    labels : ndarray of uint8, shape (n,)
    paths : Arrow array of n strings
    """
    sha256 = _sha256_of(digests, labels)
    reference = LabelledReference(path_of(directory, sha256), sha256)
    places = stored.places(digests)
    order = np.lexsort((stored.ids[places], stored.packs[places]))
    places, moved = places[order], paths.take(pa.array(order))
    known = stored.paths.take(pa.array(places))
    is_same = pa.compute.equal(moved, known)
    names = pa.DictionaryArray.from_arrays(
        pa.array(stored.packs[places].astype(np.int32)), pa.array(stored.names, pa.string())
    )
    columns = [
        names,
        pa.array(stored.ids[places]),
        pa.array(labels[order]),
        pa.compute.if_else(is_same, pa.scalar(None, pa.string()), moved),
    ]
    with files.atomic_file(reference.path) as file:
        pq.write_table(
            pa.table(columns, schema=_LIST),
            file,
            compression="zstd",
            use_dictionary=["pack", "label"],
            column_encoding={"id": "DELTA_BINARY_PACKED"},
        )
    return reference


def read(path: Path, sha256: str) -> LabelledSplit:
    """Read labelled images, and verify their SHA-256.

    Raises
    ------
    DamagedDataError
        If the file is missing or damaged, or has other images.
    """
    try:
        change_stamp = files.change_stamp(path)
    except OSError as error:
        raise DamagedDataError(f"{path} cannot be read as labelled images ({error}).") from None
    return _read(path, sha256, change_stamp)


# As in `parquet.read`: verified once unless the file changes.
@lru_cache(maxsize=1)
def _read(path: Path, sha256: str, _change_stamp: tuple[int, ...]) -> LabelledSplit:
    examples, paths = _examples(path)
    each = [hashlib.sha256(image.tobytes()).digest() for image in examples.images]
    digests = np.array(each, "S32")
    order = np.argsort(digests, kind="stable")
    digests, labels = digests[order], examples.labels[order]
    got = _sha256_of(digests, labels)
    if got != sha256:
        raise DamagedDataError(
            f"{path} is damaged: expected labelled images with the SHA-256 {sha256}, got {got}. "
            "Remove it; a retraining on the same images writes it again."
        )
    in_order = parquet.Examples(examples.images[order], labels)
    names = [paths[index] for index in order.tolist()]
    held_out = are_held_out(digests)
    return LabelledSplit(
        training=_selected(in_order, names, np.flatnonzero(~held_out)),
        held_out=_selected(in_order, names, np.flatnonzero(held_out)),
    )


def are_held_out(digests: Digests) -> NDArray[np.bool_]:
    """Return for which images no version is trained on them."""
    first: NDArray[np.uint8] = digests.view(np.uint8).reshape(-1, digests.itemsize)[:, 0]
    return first < _HELD_OUT_BELOW


def images_of(path: Path) -> dict[str, NDArray[np.uint32]]:
    """Return the ids of the images that a set names, in ascending order, by pack.

    Those of a set of an earlier release are in no pack.

    Raises
    ------
    DamagedDataError
        If the file cannot be read.
    """
    table = _table(path)
    if "image" in table.column_names:
        return {}
    names, ids = table["pack"].to_numpy(), table["id"].to_numpy()
    return {name: np.sort(ids[names == name]) for name in set(names.tolist())}


def _examples(path: Path) -> tuple[parquet.Examples, Sequence[str]]:
    """Return the images of a set with their labels and paths, in any order."""
    table = _table(path)
    if "image" in table.column_names:
        examples, (paths,) = parquet.columns(path, "labelled images", "path")
        return examples, paths
    try:
        names, ids, labels = (table[name].to_numpy() for name in ("pack", "id", "label"))
        own = table["path"].to_pylist()
    except KeyError as error:
        raise DamagedDataError(f"{path} cannot be read as labelled images ({error}).") from None
    directory = packs.directory_of(path.parent)
    images = np.empty((len(ids), 28, 28), np.uint8)
    paths = list(own)
    for name in sorted(set(names.tolist())):
        rows = np.flatnonzero(names == name)
        images[rows], first_paths = packs.read(directory, name, ids[rows])
        for row, first_path in zip(rows.tolist(), first_paths, strict=True):
            paths[row] = first_path if own[row] is None else own[row]
    return parquet.Examples(images, labels), paths


def _table(path: Path) -> Any:
    try:
        file = pq.ParquetFile(path)
        wanted = [name for name in file.schema_arrow.names if name != "image"]
        return file.read(wanted if "pack" in wanted else None)
    except (OSError, pa.ArrowException) as error:
        raise DamagedDataError(f"{path} cannot be read as labelled images ({error}).") from None


def _selected(
    examples: parquet.Examples, paths: Sequence[str], indices: np.ndarray
) -> LabelledImages:
    images, labels = examples.images[indices], examples.labels[indices]
    images.flags.writeable = False
    labels.flags.writeable = False
    return LabelledImages(images, labels, tuple(paths[index] for index in indices))


def _sha256_of(digests: Digests, labels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of images and labels, given each image's own SHA-256 and its label."""
    digest = hashlib.sha256()
    for image, label in zip(_hexadecimal(digests), labels.tolist(), strict=True):
        digest.update(f"{image} {label}\n".encode())
    return digest.hexdigest()


def _hexadecimal(digests: Digests) -> Iterable[str]:
    data = digests.tobytes()
    return (data[start : start + 32].hex() for start in range(0, len(data), 32))
