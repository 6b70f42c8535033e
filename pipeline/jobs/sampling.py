"""Sampling: ingest → draw images → write them as PNG files with their labels."""

import csv
import io
from collections.abc import Collection
from os import PathLike
from pathlib import Path

import numpy as np

from pipeline import files
from pipeline.data import parquet
from pipeline.data.splits import training_and_validation
from pipeline.errors import InvalidParameterError, OutputError
from pipeline.images.encoding import png
from pipeline.inputs.labels import FILE_NAME
from pipeline.jobs.ingestion import ingest
from pipeline.scoring.specimens import KINDS
from pipeline.settings import Settings

MIXED = "mixed"
"""All kinds in turn."""


def sample(
    count: int,
    output: str | PathLike[str],
    *,
    kind: str | None = None,
    seed: int = 0,
    force: bool = False,
    settings: Settings | None = None,
) -> int:
    """Write images of MNIST as PNG files, with their labels in ``labels.csv``.

    Without a kind they are test images as they are, to try scoring on. With a kind they are
    training images, drawn as people send them: in form cells, photographed, cut out, … They can be
    tried as labelled images of one's own, because no test or validation image is among them.
    Equal arguments give equal files.

    Parameters
    ----------
    count : int
        Number of images, from 1 to the number that there are.
    output : str or PathLike
        A directory, created if needed. It may hold an earlier sample of the same count and seed.
    kind : str, optional
        A key of `pipeline.scoring.specimens.KINDS`, or ``mixed`` for all of them in turn.
    seed : int
        Seed of the draw.
    force : bool
        Write into the directory whatever it holds.
    settings : Settings, optional
        Those of the environment by default.

    Returns
    -------
    int
        The number of images written.

    Raises
    ------
    InvalidParameterError
        If the count or the kind is outside its domain.
    OutputError
        If the directory holds anything else.
    """
    output = Path(output)
    if kind not in (None, MIXED, *KINDS):
        raise InvalidParameterError("kind", ", ".join((MIXED, *KINDS)), kind)
    data = ingest(settings=settings)
    source = data.test if kind is None else data.train
    images = parquet.read(source.path, source.split)
    candidates = np.arange(len(images))
    if kind is not None:
        candidates, _ = training_and_validation(images.labels)
    if not 1 <= count <= len(candidates):
        raise InvalidParameterError("count", f"1 to {len(candidates)}", count)
    rng = np.random.default_rng(seed)
    indices = np.sort(rng.permutation(candidates)[:count])
    names = {f"{index:05}.png": index for index in indices}
    if not force:
        _require_room(output, names)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "label"])
    output.mkdir(parents=True, exist_ok=True)
    for place, (name, index) in enumerate(names.items()):
        image = images.images[index].reshape(28, 28)
        if kind is not None:
            draw = KINDS[list(KINDS)[place % len(KINDS)] if kind == MIXED else kind]
            image = draw(image, rng)
        (output / name).write_bytes(png(image))
        rows.writerow([name, images.labels[index]])
    with files.atomic_write(output / FILE_NAME) as temporary:
        temporary.write_text(table.getvalue())
    return count


def _require_room(output: Path, names: Collection[str]) -> None:
    """Check that a directory holds nothing but an earlier sample of the same count and seed.

    Raises
    ------
    OutputError
    """
    try:
        present = {path.name for path in output.iterdir()} if output.exists() else set()
    except NotADirectoryError:
        raise OutputError(f"{output}: expected a directory, got a file.") from None
    if others := present - set(names) - {FILE_NAME}:
        raise OutputError(
            f"{output}: expected an empty directory, got one that holds {min(others)!r}. "
            "Choose another, or write into it with --force."
        )
