"""The code, libraries and machine that a version is made with."""

import hashlib
import platform
from functools import cache
from importlib.metadata import version as release_of
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from threadpoolctl import threadpool_info

TRAINS_AND_JUDGES = (
    "nn",
    "pipeline.images",
    "pipeline.inputs",
    "pipeline.data",
    "pipeline.metrics",
    "pipeline.gate",
    "pipeline.training",
)
"""The packages that decide on weights and verdicts. A change elsewhere, such as in a report, does
not change the code version, so nothing is trained again because of it."""


@cache
def code_version() -> str:
    """Return the release, and the first digits of the SHA-256 of what trains and judges."""
    digest = hashlib.sha256()
    for package in TRAINS_AND_JUDGES:
        for path, source in _sources(package):
            digest.update(f"{package}/{path} {len(source)}\n".encode() + source)
    return f"{release_of('digits-pipeline')}+{digest.hexdigest()[:12]}"


def _sources(package: str) -> list[tuple[str, bytes]]:
    """Return the path and the source of each module of a package, in order."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(package)
    root = Path(spec.origin).parent
    return [
        (path.relative_to(root).as_posix(), path.read_bytes())
        for path in sorted(root.rglob("*.py"))
    ]


def environment() -> dict[str, str]:
    """Return everything else that decides on the bits of a training, by name."""
    return {
        "blas": _blas(),
        "machine": platform.machine(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _blas() -> str:
    """Return the name, version and architecture of NumPy's BLAS."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    # Other packages may bring their own BLAS. NumPy's is installed beside NumPy.
    pools = [pool for pool in pools if "numpy" in pool["filepath"]] or pools
    names = {
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in pools
    }
    return ", ".join(sorted(names)) or "unknown"
