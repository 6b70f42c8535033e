"""A scored batch as reviewers need it: its predictions in memory, its images read one by one."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nn import NeuralNetwork
from pipeline.errors import InputError
from pipeline.images.framing import SIDE
from pipeline.images.ink import Polarity
from pipeline.images.reading import Reader, Seen, Sheet, as_seen
from pipeline.inputs import shards
from pipeline.inputs.source import ImageSource
from pipeline.metrics.confidence import softened
from pipeline.scoring import predictions
from pipeline.scoring.answers import judge_of
from pipeline.scoring.listing import RUN, SHARDS
from pipeline.scoring.outcome import DATA_SET, SUMMARY, Options
from pipeline.scoring.shadow import SHADOW
from pipeline.scoring.sheets import read_sheets, reader_of_sheets

NO_PREDICTION = -1
"""Instead of the prediction of a row that has none."""

GONE = "no longer in its source"
"""Reason why there is no image."""

_COLUMNS = ["prediction", "confidence", "novelty"]

# A confidence that the network gives again differs by less than this.
_SAME = 1e-3


class ScoredBatch:
    """The output directory of a finished scoring.

    Attributes
    ----------
    key : str
        Changes if the batch is scored again.
    prediction : ndarray of int16, shape (rows,)
    confidence, novelty : ndarray of float32, shape (rows,)
        NaN if there is none.
    disagrees : ndarray of bool, shape (rows,)
        Whether a shadow, such as the challenger, predicted another digit.
    draw : ndarray of float64, shape (rows,)
        A random number for each row. It is the same for the same files, whatever version scores
        them. The rows below any limit are a random sample.
    """

    def __init__(self, directory: Path, run: dict[str, Any], key: str) -> None:
        self.directory = directory
        self.key = key
        self.model: str = run["model"]
        self.sha256: str = run["sha256"]
        known = {field.name for field in fields(Options)}
        self.options = Options(**{name: run[name] for name in known & run.keys()})
        self._parts = sorted((directory / DATA_SET).glob("part-*.parquet"))
        tables = [_columns(part) for part in self._parts]
        self._starts = np.cumsum([0, *(len(table) for table in tables)])
        table = pa.concat_tables([predictions.SCHEMA.empty_table().select(_COLUMNS), *tables])
        self.prediction = _filled(table["prediction"], NO_PREDICTION).astype(np.int16)
        self.confidence = _filled(table["confidence"], np.nan).astype(np.float32)
        self.novelty = _filled(table["novelty"], np.nan).astype(np.float32)
        seed = int(hashlib.sha256(run["fingerprint"].encode()).hexdigest()[:16], 16)
        self.draw = np.random.default_rng(seed).random(len(table))
        self.disagrees = np.zeros(len(table), bool)
        for part in (directory / SHADOW).glob("part-*.parquet"):
            paths = pq.read_table(part, columns=["path"])["path"].to_pylist()
            self.disagrees[list(self.rows_of(paths).values())] = True

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the output of a scoring.

        Raises
        ------
        InputError
            If it is not one, or is not finished.
        """
        directory = directory.absolute()
        try:
            content = (directory / RUN).read_bytes()
            run = json.loads(content)
            if (directory / SUMMARY).exists():
                key = hashlib.sha256(str(directory).encode(errors="surrogateescape") + content)
                return cls(directory, run, key.hexdigest()[:16])
            got = "one that has not finished"
        except (OSError, ValueError, LookupError, TypeError, pa.ArrowException) as error:
            got = f"{type(error).__name__}: {error}"
        raise InputError(f"{directory}: expected the output of a finished scoring, got {got}.")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.prediction)

    @cached_property
    def _paths(self) -> Any:
        columns = [pq.read_table(part, columns=["path"])["path"] for part in self._parts]
        return pa.chunked_array([chunk for column in columns for chunk in column.chunks], "string")

    def path_of(self, row: int) -> str:
        """Return the path of a row."""
        path: str = self._paths[row].as_py()
        return path

    def rows_of(self, paths: Collection[str]) -> dict[str, int]:
        """Return the rows of those paths that the batch has."""
        is_one = pc.is_in(self._paths, value_set=pa.array(list(paths), pa.string()))
        rows = np.flatnonzero(is_one.to_numpy()).tolist()
        return {self.path_of(row): row for row in rows}

    def sheet(self, row: int, network: NeuralNetwork | None) -> Sheet:
        """Return the image of a row as decoded, or the reason why it cannot be read.

        Parameters
        ----------
        row : int
        network : NeuralNetwork, optional
            The version that scored the batch, if it still exists.

        Raises
        ------
        InputError
            If a Parquet file or an object store cannot be read.
        """
        path = self.path_of(row)
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        shard = predictions.shard_of(self._parts[part])
        sources = _shard(self.directory, self.key, shard)
        reader = reader_of_sheets(self.options, network)
        for _, sheet in read_sheets(sources, [path], reader):
            return sheet if isinstance(sheet, str) else np.ascontiguousarray(sheet)
        return GONE

    def seen(
        self, row: int, sheet: NDArray[np.uint8], network: NeuralNetwork | None
    ) -> tuple[NDArray[np.uint8], str]:
        """Return the image of a row as the network saw it, shape (28, 28), and the notes on it."""
        judge = None if network is None else judge_of(network)
        # Digits that were cut out of a field are light on dark.
        ink: Polarity = self.options.ink if self.options.split is None else "light"
        seen = as_seen([sheet], 1, Reader(self.options.normalize, ink, judge=judge))
        if network is not None and ink == "auto" and self.prediction[row] != NO_PREDICTION:
            seen = self._as_scored(row, sheet, seen, network)
        image = seen.images[0] if len(seen.images) else np.zeros((SIDE, SIDE), np.uint8)
        return image, seen.reasons.get(0, seen.notes.get(0, ""))

    def _as_scored(
        self, row: int, sheet: NDArray[np.uint8], alone: Seen, network: NeuralNetwork
    ) -> Seen:
        """Return the reading of a row's image whose confidence is that of the row.

        The other images of its batch had a say in whether the ink is dark or light.
        """
        if self._difference(row, alone, network) <= _SAME:
            return alone
        judge = judge_of(network)
        readers = [Reader(self.options.normalize, ink, judge=judge) for ink in _POLARITIES]
        readings = [alone, *(as_seen([sheet], 1, reader) for reader in readers)]
        return min(readings, key=lambda seen: self._difference(row, seen, network))

    def _difference(self, row: int, seen: Seen, network: NeuralNetwork) -> float:
        """Return how far the confidence in an image is from that of the row; 1 if it is blank."""
        if not len(seen.images):
            return 1.0
        found = softened(network.predict_proba(seen.images), seen.is_normalized)
        return abs(float(found[0, self.prediction[row]] - self.confidence[row]))


_POLARITIES: tuple[Polarity, ...] = ("dark", "light")


# A list has thousands of keys, and images are read one after another.
@lru_cache(maxsize=16)
def _shard(directory: Path, _key: str, shard: int) -> list[tuple[ImageSource, Any]]:
    return list(shards.read(directory / SHARDS, shard))


def _columns(part: Path) -> Any:
    names = set(_COLUMNS) & set(pq.read_schema(part).names)
    table = pq.read_table(part, columns=sorted(names))
    if "novelty" not in names:  # an earlier release
        table = table.append_column("novelty", pa.nulls(len(table), pa.float32()))
    return table.select(_COLUMNS)


def _filled(column: Any, value: float) -> NDArray[Any]:
    array: NDArray[Any] = column.cast(pa.float64()).fill_null(value).to_numpy()
    return array
