"""Inputs: real files, Parquet and objects, alone and in any combination."""

import contextlib
import json
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import cv2
import mnist_sample
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import web_mirror
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mnist_sample import SAMPLE
from pyarrow import fs
from s3_server import s3_server
from stage_runners import around

from pipeline import score
from pipeline.errors import InputError, OutputError
from pipeline.images.encoding import png
from pipeline.images.reading import Reader
from pipeline.inputs.globbing import EVERYTHING, Pattern, split_pattern, walk
from pipeline.inputs.parquet_rows import ParquetRows
from pipeline.inputs.source import path_text
from pipeline.jobs.inbox import _complete_files
from pipeline.stages.processes import spawned_map

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield server


@pytest.fixture
def bucket(s3):
    """A new prefix in the bucket."""
    return Bucket(s3, f"in {uuid.uuid4().hex}")


class Bucket:
    """A prefix in a bucket: its address without credentials, and a way to put objects."""

    def __init__(self, server, prefix):
        self.options = f"?scheme=http&endpoint_override={server.host}&region=us-east-1"
        self.shown = f"s3://{server.bucket}/{prefix}"
        self._fs, _ = fs.FileSystem.from_uri(server.address("x"))
        self._path = f"{server.bucket}/{prefix}"

    def address(self, name=""):
        return f"{self.shown}{name}{self.options}"

    def put(self, name, data):
        with self._fs.open_output_stream(f"{self._path}/{name}") as stream:
            stream.write(data)


def _put(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(IMAGES[number]))


def _tensors(images, shape=None):
    shape = list(shape or images.shape[1:])
    storage = pa.FixedSizeListArray.from_arrays(images.reshape(-1), images[0].size)
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), shape), storage)


def _table(path, columns, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def _rows(output):
    return pq.read_table(output / "predictions").to_pylist()


def _paths(output):
    return [row["path"] for row in _rows(output)]


# Paths and patterns, and the paths in the results.


def test_paths_are_relative_to_the_only_directory_and_otherwise_as_they_were_given(here):
    for name in ("a/1.png", "a/b/2.png", "c/3.png", "4.png"):
        _put(here / name, 0)
    (here / "a" / "notes.txt").write_text("no image")

    def paths(*inputs):
        score(inputs, here.parent / "out")
        return _paths(here.parent / "out")

    assert paths("a") == paths(here / "a") == paths(f"file://{here}/a") == ["1.png", "b/2.png"]
    assert paths("a/", "./c") == ["a/1.png", "a/b/2.png", "c/3.png"]
    assert paths("4.png", here / "c") == ["4.png", f"{here}/c/3.png"]
    assert paths("4.png") == ["4.png"]
    assert paths(here / "4.png") == [f"{here}/4.png"]
    assert paths("*.png") == ["4.png"]
    assert paths("?/*.png") == ["a/1.png", "c/3.png"]
    assert paths("a/**") == ["a/1.png", "a/b/2.png"]
    assert paths("**/[23].png") == ["a/b/2.png", "c/3.png"]
    assert paths(f"{here}/c/*") == [f"{here}/c/3.png"]
    assert paths("4.png", "*.png") == ["4.png", "4.png"]


def test_a_name_that_looks_like_a_pattern_is_a_name_if_it_exists(here):
    _put(here / "[1]" / "*.png", 0)
    _put(here / "1" / "2.png", 0)
    score("[1]", here / "out")
    assert _paths(here / "out") == ["*.png"]
    score("[1]/*.png", here / "out")
    assert _paths(here / "out") == ["[1]/*.png"]


NAMES = st.sampled_from(["a", "b", "ab", ".a", "a.png", "b.png", "c.PNG", ".d.png", "e.txt"])
PARTS = st.sampled_from(["*", "?", "a", "[ab]", "**", "*.png", "a*", ".*", "*b*"])


@given(
    files=st.sets(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=8),
    pattern=st.lists(PARTS, min_size=1, max_size=4).map("/".join),
)
@settings(max_examples=examples(25))
def test_a_pattern_finds_what_the_standard_library_does(files, pattern):
    """Files only, each once."""
    import glob

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for file in sorted(files):
            # Of two names one may be the other's directory.
            if not (root / file).exists() and not any(p.is_file() for p in (root / file).parents):
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                (root / file).touch()
        found = [each.name for each in walk(os.scandir, name, Pattern(pattern), {".png"})]
        expected = {
            each
            for each in glob.glob(pattern, root_dir=name, recursive=True)  # noqa: PTH207 - as shells
            if (root / each).is_file() and each.lower().endswith(".png")
        }
        assert sorted(found) == sorted(expected)
        everything = [each.name for each in walk(os.scandir, name, EVERYTHING, {".png"})]
        assert len(everything) == len(set(everything))
        assert {root / each for each in everything} == {
            path
            for path in root.rglob("*")
            if path.is_file() and path.suffix.lower() == ".png"
            # Hidden files are left alone, as in an inbox.
            if not any(part.startswith(".") for part in path.relative_to(root).parts)
        }


def test_a_pattern_is_cut_where_it_begins():
    assert split_pattern("/scans/2026-*/*.png") == ("/scans", "2026-*/*.png")
    assert split_pattern("/*.png") == ("/", "*.png")


def test_links_to_directories_are_followed_where_a_pattern_names_them(here, tmp_path):
    _put(tmp_path / "elsewhere" / "1.png", 0)
    _put(here / "in" / "2.png", 0)
    (here / "in" / "link").symlink_to(tmp_path / "elsewhere")
    (here / "in" / "loop").symlink_to(here / "in")
    (here / "in" / "self.png").symlink_to(here / "in" / "self.png")
    for inputs, paths in (
        ("in", ["2.png", "self.png"]),
        ("in/**", ["in/2.png", "in/self.png"]),
        ("in/l*k/*", ["in/link/1.png"]),
    ):
        score(inputs, here / "out")
        assert _paths(here / "out") == paths


def test_links_out_of_a_directory_are_refused_however_many_inputs_there_are(here, tmp_path):
    _put(tmp_path / "outside.png", 0)
    _put(here / "a" / "1.png", 0)
    _put(here / "b" / "1.png", 0)
    (here / "b" / "out.png").symlink_to(tmp_path / "outside.png")
    (here / "b" / "beside.png").symlink_to(here / "a" / "1.png")
    score(["a", "b"], here / "out")
    assert {row["path"]: row["error"] for row in _rows(here / "out")} == {
        "a/1.png": None,
        "b/1.png": None,
        "b/out.png": "link out of the directory",
        "b/beside.png": "link out of the directory",
    }
    # A link that is named itself is followed.
    assert score("b/out.png", here / "out").counts.errors == {}


def test_labels_are_those_of_each_directory_and_of_the_directories_in_a_pattern(here, network):
    for number in range(20):
        _put(here / "tabled" / f"{number}.png", number)
        _put(here / "classed" / str(LABELS[number]) / f"{number}.png", number)
    lines = [f"{number}.png,{LABELS[number]}\n" for number in range(20)]
    (here / "tabled" / "labels.csv").write_text("path,label\n" + "".join(lines))
    right = int((network.predict(IMAGES[:20]) == LABELS[:20]).sum())
    for inputs, times in (
        (["tabled", "classed"], 2),
        (["classed/*/*.png"], 1),
        (["classed/**"], 1),
        ([str(path) for path in (here / "classed").rglob("*.png")], 0),
        (["tabled/*.png"], 0),
    ):
        counts = score(inputs, here / "out").counts
        assert (counts.labelled, counts.correct) == (20 * times, right * times)


@given(st.sets(st.text(st.sampled_from("\\x5cf\udcff\udce4\xe4"), max_size=8), min_size=2))
def test_two_paths_have_two_texts(paths):
    """Whatever their bytes; each text is valid UTF-8."""
    texts = {path_text(path) for path in paths}
    assert len(texts) == len({os.fsencode(path) for path in paths})
    assert all(text.encode() for text in texts if text)


def test_directories_whose_path_is_not_utf8_are_scored(here, digits):
    name = os.fsdecode(b"sc\xe4n")
    for path in (f"{name}/1.png", f"{name}/\\xff.png", f"{name}/" + os.fsdecode(b"\xff.png")):
        _put(here / path, 0)
    (here / name / "labels.csv").write_text(f"path,label\n1.png,{LABELS[0]}\n")
    (here / name / "set").mkdir()
    _table(here / "x", {"image": _tensors(IMAGES[:1])}).rename(here / name / "set" / "a.parquet")
    done = score([name, f"{name}/set/a.parquet"], here / "out")
    assert done.counts.labelled == 1
    assert sorted(_paths(here / "out")) == [
        r"sc\xe4n/1.png",
        r"sc\xe4n/\x5cxff.png",
        r"sc\xe4n/\xff.png",
        r"sc\xe4n/set/a.parquet#0",
    ]
    assert digits("score", name, "--output", here / "out", "--direct").status == 0


@contextlib.contextmanager
def _unprivileged():
    """Be a user who may not list everything; root may."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_directory_that_may_not_be_listed_stops_nothing(caplog):
    """In a scoring and in an inbox."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        for directory in ("a", "lost+found", "z"):
            _put(root / directory / "1.png", 0)
        (root / "lost+found").chmod(0)
        with _unprivileged():
            found = [file.name for file in walk(os.scandir, name, EVERYTHING, {".png"})]
            in_inbox = list(_complete_files(root, 0))
        assert found == in_inbox == ["a/1.png", "z/1.png"]
        for end in ("is left out", "stays"):
            assert caplog.text.count(f"{root}/lost+found: cannot be listed, and {end}") == 1
        (root / "lost+found").chmod(0o700)


def test_a_directory_that_vanishes_while_it_is_listed_stops_nothing(here):
    for directory in "abc":
        _put(here / directory / "1.png", 0)

    def scan(directory):
        entries = list(os.scandir(directory))
        shutil.rmtree(here / "b", ignore_errors=True)
        return iter(entries)

    found = [file.name for file in walk(scan, str(here), EVERYTHING, {".png"})]
    assert found == ["a/1.png", "c/1.png"]


# Parquet.


def test_our_own_parquet_is_scored_with_its_labels(here, network):
    columns = {"image": _tensors(IMAGES), "label": pa.array(LABELS)}
    _table(here / "data" / "test.parquet", columns, row_group_size=50)
    for inputs, name in (
        ("data/test.parquet", "data/test.parquet"),
        ("data", "test.parquet"),
        ("data/*", "data/test.parquet"),
    ):
        done = score(inputs, here / "out", probabilities=True)
        rows = _rows(here / "out")
        assert [row["path"] for row in rows] == [f"{name}#{row}" for row in range(120)]
        expected = network.predict_proba(IMAGES)
        np.testing.assert_allclose([row["probabilities"] for row in rows], expected, rtol=1e-5)
        assert [row["prediction"] for row in rows] == list(expected.argmax(axis=1))
        assert (done.counts.labelled, done.counts.accuracy) == (
            120,
            (expected.argmax(axis=1) == LABELS).mean(),
        )


def _lists(kind):
    return pa.array(list(IMAGES.reshape(-1, 784)[:7]), kind)


FILES = [png(image) for image in IMAGES[:7]]
PAIRS = [{"bytes": file, "path": None} for file in FILES]

COLUMNS = {
    "tensor": _tensors(IMAGES[:7]),
    "tensor, columns first": pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.uint8(), [28, 28], permutation=[1, 0]),
        _tensors(np.ascontiguousarray(IMAGES[:7].transpose(0, 2, 1))).storage,
    ),
    "tensor, framed": _tensors(np.pad(IMAGES[:7], ((0, 0), (4, 10), (8, 2)))),
    "fixed_size_list": _lists(pa.list_(pa.uint8(), 784)),
    "list": _lists(pa.list_(pa.uint8())),
    "large_list": _lists(pa.large_list(pa.uint8())),
    "binary": pa.array(FILES, pa.binary()),
    "large_binary": pa.array(FILES, pa.large_binary()),
    "binary_view": pa.array(FILES, pa.binary_view()),
    "dictionary": pa.array(FILES, pa.binary()).dictionary_encode(),
    "struct": pa.array(PAIRS, pa.struct({"bytes": pa.binary(), "path": pa.string()})),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_kind_of_column_is_read_wherever_its_rows_are(here, network, kind):
    """Whatever its name, and beside other columns; larger images are normalized."""
    table = {"key": pa.array(range(7)), "pixels": COLUMNS[kind], "label": pa.array(LABELS[:7])}
    _table(here / "some.parquet", table, row_group_size=3)
    done = score("some.parquet", here / "out")
    assert done.counts.errors == {}
    assert done.counts.labelled == 7
    if "framed" not in kind:
        predicted = [row["prediction"] for row in _rows(here / "out")]
        assert predicted == list(network.predict(IMAGES[:7]))


@pytest.mark.parametrize("kind", COLUMNS)
def test_rows_without_an_image_have_a_reason(here, kind):
    column = COLUMNS[kind]
    storage = getattr(column, "storage", column)
    if kind == "binary_view":  # nothing can be taken of it
        storage = storage.cast(pa.binary())
    missing = storage.take(pa.array([0, None, 1, None, 2]))
    if kind == "binary_view":
        storage = column
        missing = missing.cast(pa.binary_view())
    if storage is not column:
        missing = pa.ExtensionArray.from_storage(column.type, missing)
    _table(here / "some.parquet", {"image": missing}, row_group_size=2)
    score("some.parquet", here / "out")
    errors = [row["error"] for row in _rows(here / "out")]
    assert errors == [None, "no image", None, "no image", None]


@pytest.mark.parametrize("is_struct", [False, True])
def test_a_dictionary_of_images_is_not_multiplied(here, is_struct):
    """One large image, a thousand times, in a small file."""
    noise = np.random.default_rng(0).integers(0, 256, (500, 600), np.uint8)
    column = pa.array([png(noise)] * 1000)
    if is_struct:
        column = pa.StructArray.from_arrays([column], names=["bytes"])
    path = _table(here / "some.parquet", {"image": column})
    assert path.stat().st_size < 1_000_000
    rows = ParquetRows("", str(path), "some.parquet")
    before = pa.total_allocated_bytes()
    with _unread_sheets() as most:
        read = sum(len(batch.paths) for batch in rows.batches([(0, 0, 1000)], 1024, Reader()))
    assert read == 1000
    # The file has 290 MB of images, 1,000 times the same.
    assert max(most) - before < 100_000_000


@contextlib.contextmanager
def _unread_sheets():
    """Note how much Arrow has allocated whenever an image is decoded, and decode none."""
    allocated = []

    def sheet(_):
        allocated.append(pa.total_allocated_bytes())
        return "not decoded"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.inputs.parquet_rows.sheet", sheet)
        yield allocated


def test_rows_with_a_bad_image_have_a_reason(here):
    files = [b"", b"text", FILES[0], FILES[0][:60], png(np.full((30, 40), 200, np.uint8))]
    _table(here / "files.parquet", {"image": pa.array(files)})
    pixels = IMAGES.reshape(-1, 784)[0].tolist()
    lists = [pixels, pixels[1:], [], [0] * 784, [*pixels[1:], None]]
    _table(here / "lists.parquet", {"image": pa.array(lists, pa.list_(pa.uint8()))})
    score(["files.parquet", "lists.parquet"], here / "out")
    assert [row["error"] for row in _rows(here / "out")] == [
        *("empty file", "not an image", None, "truncated image", "blank image"),
        *(None, "not 28×28 pixels", "not 28×28 pixels", "blank image", "no image"),
    ]


def test_pixels_in_columns_are_normalized_as_those_of_files(here):
    """Dark on light, moved, and as they are: the same predictions as of PNG files."""
    images = np.concatenate([255 - IMAGES[:20], np.roll(IMAGES[:20], 3, axis=2), IMAGES[:20]])
    _table(here / "some.parquet", {"image": _tensors(images)})
    for number, image in enumerate(images):
        (here / "in").mkdir(exist_ok=True)
        (here / "in" / f"{number:02}.png").write_bytes(png(image))
    for normalize in ("auto", "always", "never"):
        score("some.parquet", here / "rows", normalize=normalize)
        score("in", here / "files", normalize=normalize)
        rows, files = (
            [(row["prediction"], row["error"]) for row in _rows(here / each)]
            for each in ("rows", "files")
        )
        assert rows == files


def test_labels_that_are_not_digits_are_unknown(here):
    for column, known in (
        (pa.array([3, None, -1, 10, 9]), 2),
        (pa.array([3, None, 255, 10, 9], pa.uint8()), 2),
        (pa.array([3, None, 2.5, float("nan"), 9]), 2),
        (pa.array([3, None, 2.5, 11, 9], pa.float32()), 2),
        (pa.array([3, None, 3, 10, 9]).dictionary_encode(), 3),
        (pa.array(["3", "4", "5", "6", "7"]), 0),
    ):
        _table(here / "some.parquet", {"image": _tensors(IMAGES[:5]), "label": column})
        assert score("some.parquet", here / "out").counts.labelled == known


def test_a_directory_with_image_files_stands_for_these_alone(here):
    _put(here / "in" / "1.png", 0)
    _table(here / "in" / "other.parquet", {"a": pa.array([1])})
    score("in", here / "in" / "out")
    score("in", here / "in" / "out", normalize="never")
    assert _paths(here / "in" / "out") == ["1.png"]


def test_shards_are_row_groups_that_are_not_cut(here, monkeypatch):
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", 30)
    _table(here / "in" / "a.parquet", {"image": _tensors(IMAGES)}, row_group_size=50)
    _table(here / "in" / "b.parquet", {"image": _tensors(IMAGES[:45])}, row_group_size=10)
    done = score("in", here / "out")
    parts = sorted(done.path.iterdir())
    assert [pq.read_metadata(part).num_rows for part in parts] == [50, 50, 30, 30, 5]
    expected = [*(f"a.parquet#{n}" for n in range(120)), *(f"b.parquet#{n}" for n in range(45))]
    assert _paths(here / "out") == expected


# Object stores.


def test_objects_are_scored_as_files_are(here, bucket, network):
    for number in range(40):
        bucket.put(f"below/{number:02}.png", FILES[number % 7])
    bucket.put("cut.png", FILES[0][:60])
    bucket.put("labels.csv", b"path,label\nbelow/00.png,%d\n" % LABELS[0])
    bucket.put("notes.txt", b"no image")
    done = score(bucket.address(), here / "out")
    rows = _rows(here / "out")
    names = ["cut.png", *(f"below/{number:02}.png" for number in range(40))]
    assert [row["path"] for row in rows] == [f"{bucket.shown}/{name}" for name in names]
    predicted = network.predict(IMAGES[:7])
    assert [row["prediction"] for row in rows[1:]] == [predicted[n % 7] for n in range(40)]
    assert rows[0]["error"] == "truncated image"
    assert done.counts.labelled == 1
    for inputs, count in (("/below/0*.png", 10), ("/**/3*.png", 10), ("/below/07.png", 1)):
        assert score(bucket.address(inputs), here / "out").counts.files == count
    bucket.put("labels.csv", b"nothing\n1\n")
    with pytest.raises(
        InputError, match=r"labels.csv, line 1: expected the columns path and label"
    ):
        score(bucket.address(), here / "out")


def test_keys_with_an_empty_part_are_told_and_hide_no_other(here, bucket, s3, caplog):
    bucket.put("a.png", FILES[0])
    client = boto3.client("s3", endpoint_url=f"http://{s3.host}", region_name="us-east-1")
    prefix = bucket.shown.removeprefix(f"s3://{s3.bucket}/")
    client.put_object(Bucket=s3.bucket, Key=f"{prefix}//b.png", Body=FILES[1])
    assert score(bucket.address(), here / "out").counts.files == 1
    assert f"{prefix}//: left out, because these keys have an empty part" in caplog.text


def test_an_object_does_not_hide_those_below_its_name(here, bucket):
    bucket.put("both", b"")
    bucket.put("both/x.png", FILES[0])
    for inputs in ("", "/both"):
        score(bucket.address(inputs), here / "out")
        assert _paths(here / "out") == [f"{bucket.shown}/both/x.png"]


def test_an_object_whose_name_looks_encoded_can_be_named(here, bucket):
    """Either way, unless there is another that the address means."""
    bucket.put("%41.png", FILES[0])
    for name in ("/%41.png", "/%2541.png"):
        score(bucket.address(name), here / "out")
        assert _paths(here / "out") == [f"{bucket.shown}/%41.png"]
    bucket.put("A.png", FILES[1])
    score(bucket.address("/%41.png"), here / "out")
    assert _paths(here / "out") == [f"{bucket.shown}/A.png"]


def test_parquet_in_an_object_store_is_read_there(here, bucket, network):
    file = _table(here / "x", {"image": _tensors(IMAGES[:20]), "label": pa.array(LABELS[:20])})
    bucket.put("set/part=1/a.parquet", file.read_bytes())
    for name in ("", "/set/part=1/a.parquet", "/set/*/*.parquet"):
        done = score(bucket.address(name), here / "out")
        assert _paths(here / "out") == [
            f"{bucket.shown}/set/part=1/a.parquet#{n}" for n in range(20)
        ]
        assert done.counts.accuracy == (network.predict(IMAGES[:20]) == LABELS[:20]).mean()


def test_an_object_that_is_gone_has_a_reason(here, bucket):
    bucket.put("1.png", FILES[0])
    bucket.put("2.png", FILES[1])

    def spread(stage, calls):
        bucket._fs.delete_file(f"{bucket._path}/1.png")
        return [stage(*call) for call in calls]

    with around(map_calls=spread):
        score(bucket.address(), here / "out")
    assert [row["error"] for row in _rows(here / "out")] == ["cannot be opened", None]


def test_a_store_that_does_not_answer_is_an_error_and_writes_no_rows(here):
    """The images may be scored later."""
    with web_mirror.mirror({}, web_mirror.always(400)) as mirror:
        options = f"scheme=http&region=us-east-1&endpoint_override={urlsplit(mirror.url).netloc}"
        with pytest.raises(InputError, match=r"b/x: cannot be read .*run it again"):
            score(f"s3://b/x?{options}", here / "out")
    assert not (here / "out").exists()


def test_other_processes_score_every_kind(here, bucket, monkeypatch):
    _put(here / "a" / "1.png", 1)
    _table(here / "b.parquet", {"image": _tensors(IMAGES[:9])}, row_group_size=3)
    bucket.put("2.png", FILES[2])
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", 1)
    inputs = ["a", "b.parquet", bucket.address()]
    score(inputs, here / "alone")

    def spread(stage, calls):
        return spawned_map(stage, calls, worthwhile=0)

    with around(map_calls=spread):
        score(inputs, here / "together")
    assert len(list((here / "together" / "predictions").iterdir())) == 5
    assert _rows(here / "together") == _rows(here / "alone")


# Combinations.


def _directory(root, name, count, alone):
    for number in range(count):
        _put(root / name / f"{number}.png", number)
    return name, [f"{'' if alone else f'{name}/'}{number}.png" for number in range(count)]


def _file(root, name, count, alone):
    _put(root / f"{name}.png", count)
    return f"{name}.png", [f"{name}.png"]


def _pattern(root, name, count, alone):
    return f"{_directory(root, name, count, alone)[0]}/*", [f"{name}/{n}.png" for n in range(count)]


def _parquet(root, name, count, alone):
    _table(root / name / "a.parquet", {"image": _tensors(IMAGES[:count])}, row_group_size=2)
    return f"{name}/a.parquet", [f"{name}/a.parquet#{number}" for number in range(count)]


def _set(root, name, count, alone):
    _parquet(root, name, count, alone)
    return name, [f"{'' if alone else f'{name}/'}a.parquet#{number}" for number in range(count)]


@st.composite
def mixtures(draw):
    """Types of inputs, each with its number of images; None stands for objects."""
    kind = st.sampled_from([_directory, _file, _pattern, _parquet, _set, None])
    return draw(st.lists(st.tuples(kind, st.integers(1, 7)), min_size=1, max_size=5))


@given(mixture=mixtures(), shard=st.integers(1, 9), killed_at=st.integers(0, 6))
@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_the_images_of_any_mixture_in_order_even_after_a_kill(
    here, s3, mixture, shard, killed_at
):
    """Each once, in the order of the inputs; a killed run is resumed."""
    for left in here.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    inputs, expected = [], []
    for index, (make, count) in enumerate(mixture):
        if make:
            name, paths = make(here, f"in-{index}", count, alone=len(mixture) == 1)
        else:
            bucket = Bucket(s3, uuid.uuid4().hex)
            for number in range(count):
                bucket.put(f"{number}.png", FILES[number])
            name, paths = bucket.address(), [f"{bucket.shown}/{n}.png" for n in range(count)]
        inputs.append(name)
        expected += paths
    scored = []

    def killed(stage, calls):
        for index, call in enumerate(calls):
            if index == killed_at:
                raise KeyboardInterrupt
            scored.append(call[3])
            yield stage(*call)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.scoring.listing._SHARD_SIZE", shard)
        with contextlib.suppress(KeyboardInterrupt), around(map_calls=killed):
            score(inputs, here / "out")
        sizes = [len(pq.read_table(part)) for part in (here / "out" / "predictions").iterdir()]
        done = score(inputs, here / "out")
    assert (len(sizes), done.resumed) == (len(scored), sum(sizes))
    assert _paths(here / "out") == expected
    assert (done.counts.files, done.counts.errors) == (len(expected), {})


def test_a_run_with_other_inputs_starts_over_with_a_warning(here, caplog):
    _put(here / "a" / "1.png", 1)
    _put(here / "b" / "2.png", 2)
    _table(here / "c.parquet", {"image": _tensors(IMAGES[:4])})
    score(["a", "c.parquet"], here / "out")
    assert caplog.text == ""
    score(["a", "b", "c.parquet"], here / "out")
    assert "changed since the last run: inputs." in caplog.text
    caplog.clear()
    _table(here / "c.parquet", {"image": _tensors(IMAGES[1:5])})
    os.utime(here / "c.parquet", (1, 1))
    assert score(["a", "b", "c.parquet"], here / "out").resumed == 0
    assert caplog.text == ""


def _overwrite(path, other):
    """Change the content of a file but neither its size nor its mtime, as `cp -p` may."""
    times = path.stat()
    path.write_bytes(other)
    assert path.stat().st_size == times.st_size
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _swap_link(path):
    path.unlink()
    path.symlink_to(path.with_name(".b.bin"))


@pytest.mark.parametrize("inputs", ["in", "in/*.bmp", "in/a.bmp", "link/*.bmp"])
@pytest.mark.parametrize(
    ("is_link", "change"),
    [
        (False, lambda file, new: _overwrite(file, new)),
        (True, lambda file, new: _overwrite(file.resolve(), new)),
        (True, lambda file, _: _swap_link(file)),
    ],
    ids=["same size and time", "target of a link", "link"],
)
def test_changed_pixels_are_scored_anew(here, inputs, is_link, change, network):
    """Even if name, size and mtime are as before, or only the target of a link changed."""
    images = [bytes(cv2.imencode(".bmp", IMAGES[n])[1]) for n in (0, 1)]
    (here / "in").mkdir()
    (here / "link").symlink_to(here / "in")
    file = here / "in" / "a.bmp"
    if is_link:
        for name, image in zip("ab", images, strict=True):
            (here / "in" / f".{name}.bin").write_bytes(image)
            os.utime(here / "in" / f".{name}.bin", (1, 1))
        file.symlink_to(here / "in" / ".a.bin")
    else:
        file.write_bytes(images[0])
    before, after = network.predict(IMAGES[:2])
    assert before != after
    score(inputs, here / "out")
    assert score(inputs, here / "out").resumed == 1
    assert [row["prediction"] for row in _rows(here / "out")] == [before]
    change(file, images[1])
    assert score(inputs, here / "out").resumed == 0
    assert [row["prediction"] for row in _rows(here / "out")] == [after]


# Inputs that cannot be scored.


def _bad_page(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 64] = bytes(64)
    path.write_bytes(data)


def test_an_input_without_images_is_one_clear_error(here, bucket):
    _put(here / "a" / "1.png", 1)
    (here / "empty").mkdir()
    _table(here / "none.parquet", {"a": pa.array([1]), "b": pa.array(["x"])})
    _table(here / "wide.parquet", {"image": pa.array([[1] * 784], pa.list_(pa.int64()))})
    two = {"one": pa.array([b"x"]), "two": pa.array([b"y"])}
    _table(here / "two.parquet", two)
    same = pa.table([pa.array([b"x"]), pa.array([b"y"])], names=["image", "image"])
    pq.write_table(same, here / "same.parquet")
    _table(here / "rows.parquet", {"image": _tensors(IMAGES)[:0]})
    (here / "text.parquet").write_text("no Parquet")
    (here / "cut.parquet").write_bytes(
        _table(here / "x", {"image": _tensors(IMAGES)}).read_bytes()[:-20]
    )
    for bad, message in (
        ("gone", r"gone: no such file or directory\. Expected image files "),
        ("gone/*.png", r"gone/\*\.png: no images match the pattern\. Expected image files"),
        ("a/*.jpg", r"a/\*\.jpg: no images match the pattern\."),
        ("empty", r"empty: no images in there\. Expected image files"),
        ("", "got an empty name"),
        ("none.parquet", r"none.parquet: expected a column `image`.*, got a: int64, b: string"),
        ("wide.parquet", "wide.parquet: expected a column `image`.*, got image: list<"),
        ("two.parquet", r"two.parquet: .*, got several: one, two\. Call exactly one of them"),
        ("same.parquet", r"same.parquet: .*, got several: image, image\. Call exactly one"),
        ("rows.parquet", "rows.parquet: no images in there"),
        ("text.parquet", "text.parquet: cannot be read as Parquet"),
        ("cut.parquet", "cut.parquet: cannot be read as Parquet"),
        (bucket.address("/x"), f"{bucket.shown}/x: no such file or directory"),
        (f"s3://never/x{bucket.options}", "s3://never/x: no such bucket as never"),
        ("ftp://host/x", "address of ftp:// cannot be used"),
        ("s3://b/x?never=1", "address of s3:// cannot be used"),
        ("s3://", "address of s3:// cannot be used"),
    ):
        for inputs in ([bad], ["a", bad]):
            with pytest.raises(InputError, match=message):
                score(inputs, here / "out")
        assert not (here / "out").exists()
    with pytest.raises(InputError, match="got none"):
        score([], here / "out")


def test_a_password_in_an_address_is_refused_and_not_shown(here, s3):
    with pytest.raises(InputError, match="has a password: expected credentials in the env") as told:
        score(s3.address("x").replace("secret", "pass-word-1234"), here / "out")
    assert "pass-word-1234" not in str(told.value)
    assert not (here / "out").exists()


def test_a_damaged_page_stops_the_run_and_predictions_so_far_stay(here, monkeypatch):
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", 1)
    _put(here / "a" / "1.png", 1)
    good = _table(here / "b.parquet", {"image": _tensors(IMAGES)}).read_bytes()
    _bad_page(here / "b.parquet")
    with pytest.raises(InputError, match=r"b.parquet: cannot be read as Parquet, or not to its"):
        score(["a", "b.parquet"], here / "out")
    assert _paths(here / "out") == ["a/1.png"]
    (here / "b.parquet").write_bytes(good)
    assert score(["a", "b.parquet"], here / "out").counts.files == 121


def test_a_file_that_changes_during_the_run_is_an_error(here):
    path = _table(here / "b.parquet", {"image": _tensors(IMAGES)})

    def spread(stage, calls):
        _table(path, {"image": _tensors(IMAGES[:7])})
        return [stage(*call) for call in calls]

    with (
        around(map_calls=spread),
        pytest.raises(InputError, match=r"b.parquet: has changed since the run began"),
    ):
        score("b.parquet", here / "out")
    assert score("b.parquet", here / "out").counts.files == 7


def test_the_output_must_not_become_part_of_a_parquet_data_set(here):
    _table(here / "in" / "a.parquet", {"image": _tensors(IMAGES[:3])})
    with pytest.raises(OutputError, match="expected a directory outside the Parquet data set in"):
        score("in", here / "in" / "out")
    assert not (here / "in" / "out").exists()
    score("in/a.parquet", here / "in" / "out")


@pytest.mark.parametrize(
    ("inputs", "output"), [("link", "in/out"), ("in", "link/out"), ("in", "x/../in/out")]
)
def test_the_output_must_not_become_part_of_it_through_links(here, inputs, output):
    _table(here / "in" / "a.parquet", {"image": _tensors(IMAGES[:3])})
    (here / "link").symlink_to(here / "in")
    (here / "x").mkdir()
    with pytest.raises(OutputError, match="expected a directory outside the Parquet data set"):
        score(inputs, Path(output))


@pytest.mark.parametrize("pattern", ["in/**", "in/**/*.parquet", "in/*/*"])
def test_predictions_in_an_input_are_left_out(here, pattern):
    _table(here / "in" / "set" / "a.parquet", {"image": _tensors(IMAGES[:3])})
    for _ in range(2):
        score(pattern, here / "in" / "out")
        assert _paths(here / "in" / "out") == [f"in/set/a.parquet#{row}" for row in range(3)]
    assert score("in", here / "out").counts.files == 3
    with pytest.raises(InputError, match="no images in there"):
        score("in/out", here / "other")


# The command line.


def test_the_command_takes_many_inputs(digits, here):
    _put(here / "a" / "1.png", 1)
    _table(here / "b.parquet", {"image": _tensors(IMAGES[:9]), "label": pa.array(LABELS[:9])})
    ended = digits("score", "a", "b.parquet", "a/*.png", "--output", "out", "--direct")
    assert ended.status == 0
    assert "11 files in" in ended.out
    assert "of 9 labelled images correct" in ended.out
    run = json.loads((here / "out" / "run.json").read_text())
    assert run["inputs"] == [f"{here}/a", f"{here}/b.parquet", f"{here}/a/*.png"]
    ended = digits("score", "a", "c", "--output", "out", "--direct")
    assert ended.status == 2
    assert "Error: c: no such file or directory." in ended.err
    assert len(_rows(here / "out")) == 11
    ended = digits("score", "a/1.png", "a/1.png", "--explain", "--output", "out")
    assert ended.status == 2
    assert "expected one file, got 2" in ended.err


def test_a_run_without_a_prediction_fails_whatever_its_input_is(digits, here):
    """A file without an image, named itself or in a directory, also when the run is repeated."""
    (here / "in").mkdir()
    (here / "in" / "a.png").write_text("no image")
    (here / "notes.txt").write_text("no image")
    for inputs in ("in", "in/a.png", "in/*.png", "notes.txt"):
        for _ in range(2):
            ended = digits("score", inputs, "--output", "out", "--direct")
            assert ended.status == 1
            assert "1 not scored: not an image" in ended.out
            assert "Error: no image got a prediction" in ended.err
    _put(here / "in" / "1.png", 1)
    assert digits("score", "in", "--output", "out", "--direct").status == 0
