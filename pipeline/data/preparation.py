"""Preparing MNIST: download, verify and convert to Parquet. Valid files are kept."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import files
from pipeline.data import idx, parquet
from pipeline.data.mirrors import Chain, mirrors_of
from pipeline.data.mnist import Dataset, Split
from pipeline.errors import DamagedDataError
from pipeline.stages import stage

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SplitReference:
    """A split's Parquet file and its source files. Stages pass references, never arrays."""

    path: Path
    split: Split


@dataclass(frozen=True, slots=True)
class DataReference:
    """The Parquet files of a data set."""

    train: SplitReference
    test: SplitReference

    @property
    def inputs(self) -> dict[str, str]:
        """The digests of the IDX files by role, as the registry records them."""
        return {
            f"{reference.split.name}_{role}": digest
            for reference in (self.train, self.test)
            for role, digest in (
                ("images", reference.split.images.sha256),
                ("labels", reference.split.labels.sha256),
            )
        }


@stage
def download(directory: Path, mirrors: Sequence[str], dataset: Dataset) -> int:
    """Download the IDX files to ``idx/`` below a directory; return how many were downloaded.

    A file that exists is verified, and downloaded again only if it is damaged.

    Parameters
    ----------
    directory : Path
    mirrors : sequence of str
        Base URLs or directories. They are tried in order, then the package index.
    dataset : Dataset

    Raises
    ------
    NoMirrorLeftError
        If every mirror of a file failed.
    DiskFullError
        If there is no space for the files.
    """
    chain = Chain(mirrors_of(dataset, mirrors))
    with files.naming_full_disk(directory), files.locked(directory):
        files.remove_leftovers(_idx(directory))
        return sum(chain.fetch(file, _idx(directory) / file.name) for file in dataset.files)


@stage
def convert(directory: Path, dataset: Dataset) -> DataReference:
    """Convert the IDX files to Parquet. Parquet files with the right values are kept."""
    references = []
    with files.locked(directory):
        files.remove_leftovers(directory)
        for split in dataset.splits:
            path = directory / f"{split.name}.parquet"
            if not _is_valid(path, split):
                images = idx.decode((_idx(directory) / split.images.name).read_bytes())
                labels = idx.decode((_idx(directory) / split.labels.name).read_bytes())
                parquet.write(path, parquet.Examples(images, labels), dataset.name, split)
                _log.info("%s: %s images written.", path, f"{len(labels):,}")
            references.append(SplitReference(path, split))
    return DataReference(*references)


def _idx(directory: Path) -> Path:
    return directory / "idx"


def _is_valid(path: Path, split: Split) -> bool:
    if not path.exists():
        return False
    try:
        parquet.read(path, split)
    except DamagedDataError as error:
        _log.warning("%s", error)
        return False
    return True
