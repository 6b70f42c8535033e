"""Damaged image files of every format: decoded or refused, and nothing else."""

import os
import signal
import subprocess
import sys

import damaged_images
import mnist_sample
import pyarrow.parquet as pq
import pytest
from damaged_images import BOMB, FORMATS, bombs

from pipeline import score

SUPPORT = mnist_sample.DIRECTORY.parents[1] / "support"

# Of the support, and of the code beside these tests.
PATHS = os.pathsep.join(map(str, (SUPPORT, SUPPORT.parents[1])))

# Of all formats together.
ALL, SAMPLE = 50_000, 400


def _each(torture, kind=None):
    if kind == BOMB:
        return len(bombs())
    return -(-(ALL if torture else SAMPLE) // len(FORMATS))


@pytest.mark.parametrize("kind", [*FORMATS, BOMB])
def test_no_damaged_file_kills_or_holds_up_the_process_that_reads_it(kind, torture):
    """Or raises, or warns, or has another reason than there are; after one, the others are read."""
    failures = []
    following, end = 0, _each(torture, kind)
    while following < end:
        ended = subprocess.run(
            [sys.executable, damaged_images.__file__, kind, str(following), str(end)],
            env={**os.environ, "PYTHONPATH": PATHS},
            capture_output=True,
            text=True,
            check=False,
        )
        begun = ended.stdout.split()
        if ended.returncode == 0:
            assert begun == [str(number) for number in range(following, end)]
            break
        assert begun, ended.stderr
        how = ended.stderr.splitlines()[-1:]
        if ended.returncode == -signal.SIGPROF:
            how = f"more than {damaged_images.SECONDS:.0f} s"
        elif ended.returncode < 0:
            how = signal.Signals(-ended.returncode).name
        failures.append(f"damaged_images.damaged({kind!r}, {begun[-1]}): {how}")
        following = int(begun[-1]) + 1
    assert not failures, "\n".join(failures)


@pytest.mark.usefixtures("version")
def test_every_damaged_file_has_a_row(tmp_path, torture):
    directory = tmp_path / "images"
    directory.mkdir()
    for kind in FORMATS:
        for number in range(_each(torture)):
            path = directory / f"{number}.{kind}"
            path.write_bytes(damaged_images.damaged(kind, number))
    done = score(directory, tmp_path / "out")
    rows = pq.read_table(done.path).to_pylist()
    # An image file that is damaged may still have several pages.
    files = [row["path"].partition("#")[0] for row in rows]
    assert list(dict.fromkeys(files)) == sorted(path.name for path in directory.iterdir())
    assert {row["error"] for row in rows} <= {None, *damaged_images.REASONS}
    assert all((row["error"] is None) != (row["prediction"] is None) for row in rows)
