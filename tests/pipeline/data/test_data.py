"""IDX, Parquet and ingestion."""

import multiprocessing
import os
import time

import mnist_sample
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import web_mirror
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from mnist_sample import SAMPLE

from pipeline import ingest
from pipeline.data import idx, parquet
from pipeline.data.mnist import MNIST, Split
from pipeline.data.preparation import convert, download
from pipeline.data.splits import training_and_validation
from pipeline.errors import DamagedDataError, NoMirrorLeftError


@given(st_numpy.arrays(np.uint8, st_numpy.array_shapes(max_dims=4, min_side=0, max_side=5)))
def test_idx_decodes_what_it_encodes(values):
    decoded = idx.decode(idx.encode(values))
    assert decoded.dtype == np.uint8
    assert decoded.shape == values.shape
    assert (decoded == values).all()


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda tail: idx.MAGIC + tail))
def test_idx_only_decodes_valid_files(data):
    """Bytes that decode are the encoding of the result; other bytes are refused."""
    try:
        decoded = idx.decode(data)
    except DamagedDataError:
        return
    assert idx.encode(decoded) == data


def test_an_idx_file_of_the_wrong_length_is_refused_with_both_lengths():
    with pytest.raises(DamagedDataError, match=r"shape \(480,\) has 488 bytes, got 487"):
        idx.decode(mnist_sample.plain(SAMPLE.train.labels)[:-1])


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "train.parquet"
    parquet.write(path, parquet.Examples(*mnist_sample.arrays(SAMPLE.train)), "x", SAMPLE.train)
    return path


def test_parquet_reads_what_it_wrote(written):
    images, labels = mnist_sample.arrays(SAMPLE.train)
    examples = parquet.read(written, SAMPLE.train)
    assert (examples.images == images).all()
    assert (examples.labels == labels).all()
    assert (examples.images.dtype, examples.labels.dtype) == (np.uint8, np.uint8)
    assert len(examples) == mnist_sample.TRAINING


def test_the_schema_is_the_documented_one(written):
    schema = pq.read_schema(written)
    assert schema.field("image").type == pa.fixed_shape_tensor(pa.uint8(), [28, 28])
    assert schema.field("label").type == pa.uint8()
    assert schema.metadata[b"dataset"] == b"x"
    assert schema.metadata[b"split"] == b"train"
    assert schema.metadata[b"images_sha256"].decode() == SAMPLE.train.images.sha256
    assert schema.metadata[b"labels_sha256"].decode() == SAMPLE.train.labels.sha256


def test_one_changed_pixel_or_label_is_found(tmp_path):
    """Even though the file is valid Parquet."""
    for number in range(2):
        arrays = [array.copy() for array in mnist_sample.arrays(SAMPLE.train)]
        arrays[number].flat[100] ^= 1
        path = tmp_path / "changed.parquet"
        parquet.write(path, parquet.Examples(*arrays), "x", SAMPLE.train)
        with pytest.raises(DamagedDataError, match="digits ingest"):
            parquet.read(path, SAMPLE.train)


def test_a_changed_file_is_verified_again_even_if_its_size_and_time_are_the_same(written):
    """A program may set the time of the last modification, and a backup does."""
    parquet.read(written, SAMPLE.train)
    status = written.stat()
    data = bytearray(written.read_bytes())
    data[len(data) // 2] ^= 1
    with written.open("r+b") as stream:
        stream.write(data)
    os.utime(written, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DamagedDataError):
        parquet.read(written, SAMPLE.train)


@pytest.mark.parametrize("damage", ["missing", "truncated", "emptied", "columns"])
def test_a_damaged_parquet_file_is_refused(written, damage):
    if damage == "missing":
        written.unlink()
    elif damage == "columns":
        pq.write_table(pa.table({"label": [1]}), written)
    else:
        written.write_bytes(written.read_bytes()[: {"truncated": 1000, "emptied": 0}[damage]])
    with pytest.raises(DamagedDataError, match=str(written)):
        parquet.read(written, SAMPLE.train)


@pytest.fixture
def mirror(home, monkeypatch):
    files = {f"{file.name}.gz": mnist_sample.gzipped(file) for file in SAMPLE.files}
    with web_mirror.mirror(files) as mirror:
        monkeypatch.setenv("DIGITS_MIRRORS", mirror.url)
        yield mirror


def test_ingestion_returns_verified_parquet_files_and_digests(mirror, home):
    data = ingest()
    assert data.train.path == home / "data" / "train.parquet"
    assert len(parquet.read(data.train.path, SAMPLE.train)) == mnist_sample.TRAINING
    assert len(parquet.read(data.test.path, SAMPLE.test)) == mnist_sample.TEST
    assert data.inputs == {
        "train_images": SAMPLE.train.images.sha256,
        "train_labels": SAMPLE.train.labels.sha256,
        "test_images": SAMPLE.test.images.sha256,
        "test_labels": SAMPLE.test.labels.sha256,
    }


def _inodes(home):
    return {path: path.stat().st_ino for path in home.rglob("*") if path.is_file()}


def test_a_second_ingestion_downloads_and_writes_nothing(mirror, home):
    ingest()
    before = _inodes(home)
    assert len(mirror.requests) == 4
    ingest()
    assert _inodes(home) == before
    assert len(mirror.requests) == 4


@pytest.mark.parametrize("kind", ["idx", "parquet"])
def test_a_damaged_file_is_replaced_and_the_others_are_kept(mirror, home, kind):
    data = ingest()
    before = _inodes(home)
    path = {
        "idx": home / "data" / "idx" / SAMPLE.test.labels.name,
        "parquet": data.test.path,
    }[kind]
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    ingest()
    assert {changed for changed, inode in _inodes(home).items() if before[changed] != inode} == {
        path
    }
    assert len(mirror.requests) == (5 if kind == "idx" else 4)
    parquet.read(data.test.path, SAMPLE.test)


def test_if_every_mirror_fails_no_incomplete_file_is_left(mirror, home):
    mirror.behaviour = web_mirror.breaking_off(100)
    with pytest.raises(NoMirrorLeftError):
        ingest()
    assert [path.name for path in home.rglob("*") if path.is_file()] == [".lock"]


def test_the_leftovers_of_a_killed_ingestion_are_removed(mirror, home):
    idx_directory = home / "data" / "idx"
    (idx_directory / ".abc.tmp").mkdir(parents=True)
    (idx_directory / ".abc.tmp" / "x.whl").write_bytes(b"x")
    (idx_directory / ".train-images-idx3-ubyte.123.tmp").write_bytes(b"x")
    ingest()
    assert {path.name for path in idx_directory.iterdir()} == {f.name for f in SAMPLE.files}


def _download(directory, url, results):
    results.put(download(directory, [url], SAMPLE))


def test_two_ingestions_at_once_download_each_file_once(mirror, tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_download, args=(tmp_path / "data", mirror.url, results))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    assert sorted(results.get(timeout=60) for _ in workers) == [0, 4]
    for worker in workers:
        worker.join()
    assert len(mirror.requests) == 4


def test_a_killed_download_leaves_nothing_under_a_final_name(
    mirror, home, start_digits, monkeypatch
):
    """The next one resumes it."""

    def stall(handler, content):
        web_mirror.promise(handler, len(content))
        handler.wfile.write(content[:40_000])
        handler.wfile.flush()
        time.sleep(30)

    mirror.behaviour = stall
    process = start_digits("ingest", DIGITS_MIRRORS=mirror.url)
    directory = home / "data" / "idx"
    while not any(p.stat().st_size >= 40_000 for p in directory.glob(".*.partial")):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert all(path.name.startswith(".") for path in directory.iterdir())

    mirror.behaviour = web_mirror.serve_file
    mirror.requests.clear()
    monkeypatch.setenv("DIGITS_MIRRORS", mirror.url)
    ingest()
    assert mirror.requests[0].range == "bytes=40000-"


def test_a_full_rebuild_needs_no_network(mirror, home):
    """The verified IDX files are kept, and converted again."""
    data = ingest()
    data.train.path.unlink()
    mirror.requests.clear()
    assert convert(home / "data", SAMPLE) == data
    assert mirror.requests == []


def test_the_files_of_mnist_have_their_known_sizes():
    """60,000 and 10,000 images of 28×28 bytes behind 16 bytes of header, labels behind 8."""
    for split, count in ((MNIST.train, 60_000), (MNIST.test, 10_000)):
        assert isinstance(split, Split)
        assert split.images.size == count * 28 * 28 + 16
        assert split.labels.size == count + 8
    assert len({file.sha256 for file in MNIST.files}) == 4


@given(st.lists(st.integers(0, 9), min_size=12, max_size=400), st.randoms())
def test_the_split_is_disjoint_complete_stratified_and_always_the_same(digits, random):
    random.shuffle(digits)
    labels = np.array(digits, np.uint8)
    training, validation = training_and_validation(labels)
    assert len(validation) == len(labels) // 12
    assert sorted([*training, *validation]) == list(range(len(labels)))
    for digit in range(10):
        share = np.count_nonzero(labels[validation] == digit)
        assert abs(share - np.count_nonzero(labels == digit) / 12) < 1.01
    again = training_and_validation(labels)
    assert (again[0] == training).all()
    assert (again[1] == validation).all()


def test_the_split_does_not_take_every_twelfth_image_in_order():
    _, validation = training_and_validation(np.zeros(600, np.uint8))
    assert len(set(np.diff(validation))) > 5
