"""Packs: Parquet files of labelled images, in which each image is stored once.

A collection adds one pack with its new images. A list names images of packs: see `storage`. The
images of a pack have ids, which stay when images that no list names are removed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import files
from pipeline.data.labelled.parts import DIGEST, IMAGE
from pipeline.errors import DamagedDataError
from pipeline.images.framing import SIDE

Digests = NDArray[np.bytes_]
"""SHA-256 digests, dtype S32: trailing zeros do not show, but compare as they should."""

_SCHEMA = pa.schema({"id": pa.uint32(), "digest": DIGEST, "image": IMAGE, "path": pa.string()})

_BATCH_SIZE = 5_000


@dataclass(frozen=True, slots=True)
class Index:
    """The images of all packs, in the order of their digests."""

    digests: Digests
    packs: NDArray[np.intp]
    """Index of each image's pack in `names`."""
    ids: NDArray[np.uint32]
    paths: Any
    """The path that each image had first, as an Arrow array."""
    names: tuple[str, ...]

    def places(self, digests: Digests) -> NDArray[np.intp]:
        """Return where these images are; -1 if they are in no pack."""
        if not len(self.digests):
            return np.full(len(digests), -1)
        places = np.minimum(np.searchsorted(self.digests, digests), len(self.digests) - 1)
        return np.where(self.digests[places] == digests, places, -1)


def directory_of(labelled: Path) -> Path:
    """Return the directory of the packs below that of the lists."""
    return labelled / "images"


def index(directory: Path) -> Index:
    """Return the images of all packs in a directory."""
    names = tuple(sorted(path.stem for path in directory.glob("*.parquet")))
    tables = [
        pq.ParquetFile(path_of(directory, name)).read(["id", "digest", "path"]) for name in names
    ]
    table = pa.concat_tables([_SCHEMA.empty_table().drop(["image"]), *tables]).combine_chunks()
    digests = digest_array(table["digest"])
    order = np.argsort(digests, kind="stable")
    packs = np.repeat(np.arange(len(names)), [len(each) for each in tables])
    return Index(
        digests[order],
        packs[order],
        table["id"].to_numpy()[order],
        table["path"].combine_chunks().take(pa.array(order)),
        names,
    )


def digest_array(column: Any) -> Digests:
    """Return a column of digests as an array."""
    return _fixed_bytes(column, DIGEST.byte_width).view(f"S{DIGEST.byte_width}").reshape(-1)


def _fixed_bytes(column: Any, width: int) -> NDArray[np.uint8]:
    """Return a column of values of the same size, shape (n, width), without a copy."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values = np.frombuffer(array.buffers()[1] or b"", np.uint8)
    return values[array.offset * width : (array.offset + len(array)) * width].reshape(-1, width)


def add(directory: Path, parts: Sequence[Path], rows: NDArray[np.intp], paths: Any) -> None:
    """Write a pack with some images of parts, one part at a time.

    Parameters
    ----------
    directory : Path
    parts : sequence of Path
        See `parts.read_part`.
    rows : ndarray of int
        Their numbers over all parts, in ascending order; no two have the same pixels.
    paths : Arrow array
        The path of each.
    """
    if not len(rows):
        return
    # The name is not known before all digests are.
    name = hashlib.sha256()
    with files.temporary_directory(directory) as temporary:
        with (
            (temporary / "pack").open("wb") as pack,
            pq.ParquetWriter(pack, _SCHEMA, compression="zstd") as writer,
        ):
            first = done = 0
            for part in parts:
                with pq.ParquetFile(part) as file:
                    for batch in file.iter_batches(_BATCH_SIZE, columns=["digest", "image"]):
                        end = int(np.searchsorted(rows, first + len(batch)))
                        chosen = batch.take(pa.array(rows[done:end] - first))
                        name.update(digest_array(chosen.column("digest")).tobytes())
                        ids = pa.array(np.arange(done, end, dtype=np.uint32))
                        columns = [ids, *chosen.columns, paths[done:end]]
                        writer.write_table(pa.table(columns, schema=_SCHEMA))
                        first, done = first + len(batch), end
        with files.atomic_write(path_of(directory, name.hexdigest())) as target:
            (temporary / "pack").rename(target)


def read(
    directory: Path, name: str, ids: NDArray[np.uint32]
) -> tuple[NDArray[np.uint8], list[str]]:
    """Return some images of a pack, shape (n, 28, 28), and the paths they had first.

    Raises
    ------
    DamagedDataError
        If the pack is missing or damaged, or lacks an image.
    """
    path = path_of(directory, name)
    try:
        table = pq.ParquetFile(path).read(["id", "image", "path"]).combine_chunks()
        stored = table["id"].to_numpy()
        rows = np.minimum(np.searchsorted(stored, ids), len(stored) - 1)
        if not np.array_equal(stored[rows], ids):
            raise DamagedDataError(f"{path} lacks labelled images.")
        pixels = _fixed_bytes(table["image"], IMAGE.byte_width)[rows]
        return pixels.reshape(-1, SIDE, SIDE), table["path"].take(pa.array(rows)).to_pylist()
    except (OSError, LookupError, pa.ArrowException, ValueError) as error:
        raise DamagedDataError(f"{path} cannot be read as labelled images ({error}).") from None


def remove_damaged(directory: Path) -> None:
    """Remove the packs that cannot be read, or whose images do not match their digests."""
    for path in directory.glob("*.parquet"):
        try:
            with pq.ParquetFile(path) as file:
                batches = file.iter_batches(_BATCH_SIZE, columns=["digest", "image"])
                is_whole = all(map(_matches, batches))
        except (OSError, pa.ArrowException):
            is_whole = False
        if not is_whole:
            path.unlink()


def _matches(batch: Any) -> bool:
    images, digests = (batch.column(name).to_pylist() for name in ("image", "digest"))
    return all(
        hashlib.sha256(image).digest() == digest
        for image, digest in zip(images, digests, strict=True)
    )


def unneeded(directory: Path, needed: Mapping[str, NDArray[np.uint32]]) -> list[Path]:
    """Return the packs of which no image is needed, given the ids that are, by pack."""
    return sorted(path for path in directory.glob("*.parquet") if path.stem not in needed)


def compact(directory: Path, needed: Mapping[str, NDArray[np.uint32]]) -> None:
    """Remove the images that are not needed from packs of which others are."""
    for name, ids in needed.items():
        path = path_of(directory, name)
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows == len(ids):
                continue
            wanted = pa.array(ids)
            with (
                files.atomic_file(path) as smaller,
                pq.ParquetWriter(smaller, _SCHEMA, compression="zstd") as writer,
            ):
                for batch in file.iter_batches(_BATCH_SIZE):
                    chosen = pc.is_in(batch.column("id"), value_set=wanted)
                    writer.write_table(pa.Table.from_batches([batch]).filter(chosen))


def path_of(directory: Path, name: str) -> Path:
    """Return the file of a pack."""
    return directory / f"{name}.parquet"


def needed_ids(lists: Iterable[Mapping[str, NDArray[np.uint32]]]) -> dict[str, NDArray[np.uint32]]:
    """Return the ids that some lists name, in ascending order, by pack."""
    named: dict[str, NDArray[np.uint32]] = {}
    for each in lists:
        for name, ids in each.items():
            known = named.get(name, np.empty(0, np.uint32))
            named[name] = np.union1d(known, ids)
    return named
