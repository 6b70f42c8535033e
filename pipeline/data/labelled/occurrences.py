"""Which images parts hold, however often, and with which labels; the pixels are not read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.data.labelled.packs import Digests, digest_array
from pipeline.data.labelled.parts import SCHEMA
from pipeline.data.labelled.records import Conflict


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Images in the order of their digests, each once."""

    digests: Digests
    rows: NDArray[np.intp]
    """The first row of each image, over all parts."""
    labels: NDArray[np.uint8]
    """The smallest label of each."""
    paths: Any
    """The smallest path of each, as an Arrow array."""
    is_conflict: NDArray[np.bool_]
    """Whether an image has several labels."""
    duplicates: int
    """Number of rows whose image an earlier row has as well."""
    conflicts: tuple[Conflict, ...]
    """The images with several labels."""

    def chosen(self, which: NDArray[np.bool_]) -> "Occurrences":
        """Return some of the images."""
        return Occurrences(
            self.digests[which],
            self.rows[which],
            self.labels[which],
            self.paths.filter(pa.array(which)),
            self.is_conflict[which],
            self.duplicates,
            self.conflicts,
        )


def occurrences(parts: Sequence[Path]) -> Occurrences:
    """Return the images of parts."""
    columns = ["digest", "label", "path"]
    empty = SCHEMA.empty_table().select(columns)
    tables = [pq.ParquetFile(part).read(columns) for part in parts]
    table = pa.concat_tables([empty, *tables]).combine_chunks()
    digests, labels = digest_array(table["digest"]), table["label"].to_numpy()
    paths = table["path"].combine_chunks()
    # Rows of equal digests follow each other, the first row first.
    order = np.argsort(digests, kind="stable")
    is_first = np.ones(len(order), bool)
    is_first[1:] = digests[order][1:] != digests[order][:-1]
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(order))
    rows, ordered = order[starts], labels[order]
    low, high = ordered[:0], ordered[:0]
    if len(starts):
        low, high = (each.reduceat(ordered, starts) for each in (np.minimum, np.maximum))
    groups = {
        group: order[starts[group] : ends[group]]
        for group in np.flatnonzero(ends - starts > 1).tolist()
    }
    first_paths = paths.take(pa.array(rows)).to_pylist() if groups else None
    conflicts = []
    for group, members in groups.items():
        names = sorted(paths.take(pa.array(members)).to_pylist())
        if first_paths is not None:
            first_paths[group] = names[0]
        if low[group] != high[group]:
            conflicts.append(Conflict(tuple(sorted(set(labels[members].tolist()))), tuple(names)))
    return Occurrences(
        digests[rows],
        rows,
        low,
        paths.take(pa.array(rows)) if first_paths is None else pa.array(first_paths, pa.string()),
        low != high,
        len(order) - len(starts),
        tuple(conflicts),
    )
