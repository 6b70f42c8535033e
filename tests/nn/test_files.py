"""Files that are complete or absent."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from nn.files import write_atomically


def _fail(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "file"
    for data in (b"first", b"", b"second"):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.write_bytes", "pathlib.Path.replace"])
def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(step, monkeypatch, tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"earlier")
    monkeypatch.setattr(step, _fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"later")
    monkeypatch.undo()
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_data_is_on_disk_before_it_has_its_name_and_the_name_before_the_end(monkeypatch, tmp_path):
    path = tmp_path / "file"
    states = []

    def fsync(descriptor):
        states.append((os.path.realpath(f"/dev/fd/{descriptor}"), path.exists()))

    monkeypatch.setattr("os.fsync", fsync)
    write_atomically(path, b"data")
    (_, before), (directory, after) = states
    assert not before
    assert (directory, after) == (str(tmp_path), True)


def test_threads_that_write_the_same_file_leave_one_of_their_versions(tmp_path):
    path = tmp_path / "file"
    versions = [bytes([number]) * 100_000 for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda data: write_atomically(path, data), versions * 5))
    assert path.read_bytes() in versions
    assert list(tmp_path.iterdir()) == [path]
