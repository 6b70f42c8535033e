"""A small disk, which a test fills."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """Mount a disk of a size such as ``4m`` at a new directory; skip the test if that fails."""
    directory.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("mount is not installed")
    command = [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk may not be mounted here: {mounted.stderr.strip()}")
    yield directory
    if subprocess.run(["umount", directory], check=False).returncode:
        subprocess.run(["umount", "--lazy", directory], check=True)
        pytest.fail("files on the small disk are still open")


def fill(filler: Path, free: int) -> None:
    """Fill a disk with a file, except for a number of pages."""
    status = os.statvfs(filler.parent)
    with filler.open("wb") as output:
        output.write(bytes(max(0, status.f_bavail - free) * status.f_bsize))
