"""Images of a scored batch as they came, read again from their sources."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn import NeuralNetwork
from pipeline.images.reading import Reader, Sheet
from pipeline.inputs.source import ImageSource
from pipeline.scoring.answers import judge_of
from pipeline.scoring.outcome import Options

# Rows of a file that are read together.
_ROWS_AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a workbook shows for review, and how these images are read again."""

    output: Path
    """The output of the scoring."""
    options: Options
    network: NeuralNetwork | None
    """The version that scored, if it decides how an image is cut into digits."""
    min_confidence: float | None
    """Predictions with less confidence are for review; the least certain ones if it is None."""


def reader_of_sheets(options: Options, network: NeuralNetwork | None) -> Reader:
    """Return how images are read to be looked at.

    Parameters
    ----------
    options : Options
        Those of the scoring.
    network : NeuralNetwork, optional
        The version that scored. It decides how an image is cut into digits.
    """
    judge = None if network is None else judge_of(network)
    return Reader("never", options.ink, options.split, judge, keep_sheets=True)


def read_sheets(
    sources: Iterable[tuple[ImageSource, Sequence[Any]]], paths: Collection[str], reader: Reader
) -> Iterator[tuple[str, Sheet]]:
    """Yield path and image of some rows, or the reason why an image cannot be read.

    Rows that are no longer in their source are left out.

    Parameters
    ----------
    sources : iterable of (ImageSource, sequence)
        Those of a shard, with the keys of their work items.
    paths : collection of str
    reader : Reader

    Raises
    ------
    InputError
        If a Parquet file or an object store cannot be read.
    """
    for source, keys in sources:
        named = [key for path in paths if (key := source.key_of(path, keys)) is not None]
        for key in {str(key): key for key in named}.values():
            for batch in source.batches([key], _ROWS_AT_A_TIME, reader):
                for path, sheet in zip(batch.paths, batch.sheets, strict=True):
                    if path in paths:
                        yield path, sheet
