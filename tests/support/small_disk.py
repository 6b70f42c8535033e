"""A small disk, which a test fills."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from processes import until


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
    unmount = ["umount", directory]
    yield directory
    try:
        # A process that a command has left ends a moment after it.
        until(lambda: not subprocess.run(unmount, check=False, capture_output=True).returncode)
    except AssertionError:
        opened = open_files(directory)
        subprocess.run([*unmount, "--lazy"], check=True)
        pytest.fail(f"files on the small disk are still open: {opened}")


def open_files(directory: Path) -> list[str]:
    """Return each open file below a directory, after the command that has it open."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        # The process, or the file, may be gone.
        with suppress(OSError):
            if link.readlink().is_relative_to(directory):
                command = (link.parents[1] / "cmdline").read_text().replace("\0", " ")
                found.append(f"{command}: {link.readlink()}")
    return found


def fill(filler: Path, free: int) -> None:
    """Fill a disk with a file, except for a number of pages."""
    status = os.statvfs(filler.parent)
    with filler.open("wb") as output:
        output.write(bytes(max(0, status.f_bavail - free) * status.f_bsize))
