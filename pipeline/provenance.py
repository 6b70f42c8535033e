"""What a version is made with: the code, the libraries, the machine."""

import hashlib
import platform
from functools import cache
from importlib.metadata import version as release_of
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from threadpoolctl import threadpool_info

_PACKAGES = ("nn", "pipeline")


@cache
def code_version() -> str:
    """Return the release, and twelve digits of the SHA-256 of the source that trains and judges."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for path in sorted(root.rglob("*.py")):
            source = path.read_bytes()
            digest.update(f"{package}/{path.relative_to(root)} {len(source)}\n".encode() + source)
    return f"{release_of('digits-pipeline')}+{digest.hexdigest()[:12]}"


def environment() -> dict[str, str]:
    """Return what else decides on the bits of a training, by name."""
    return {
        "blas": _blas(),
        "machine": platform.machine(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _blas() -> str:
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    # Other packages bring a BLAS of their own; NumPy's wheel keeps its beside itself.
    pools = [pool for pool in pools if "numpy" in pool["filepath"]] or pools
    names = {
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in pools
    }
    return ", ".join(sorted(names)) or "unknown"
