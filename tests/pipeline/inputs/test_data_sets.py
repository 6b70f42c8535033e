"""Data sets as people have them: tables of pixels, arrays, IDX files, archives of images."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile

import mnist_sample
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mnist_sample import SAMPLE

from pipeline import score
from pipeline.data import idx
from pipeline.errors import InputError
from pipeline.images.encoding import png
from pipeline.inputs.array_rows import _label_names
from pipeline.inputs.pixel_columns import find_pixel_columns

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)
FEW, FEW_LABELS = IMAGES[:7], LABELS[:7]

NAMES = [f"pixel{number}" for number in range(784)]


def rows(output="out"):
    return pq.read_table(f"{output}/predictions").to_pylist()


def paths(output="out"):
    return [row["path"] for row in rows(output)]


def predictions(output="out"):
    return [row["prediction"] for row in rows(output)]


def errors(output="out"):
    return {row["path"]: row["error"] for row in rows(output) if row["error"]}


def table(images, labels=None, delimiter=",", names=NAMES, end="\n"):
    """Return images as a table of pixels."""
    lines = (
        [delimiter.join((["label"] if labels is not None else []) + list(names))] if names else []
    )
    for number, image in enumerate(images):
        label = [] if labels is None else [str(labels[number])]
        lines.append(delimiter.join(label + [str(pixel) for pixel in image.ravel()]))
    return (end.join(lines) + end).encode()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(compressed=False, **arrays):
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


TABLES = {
    "Kaggle's": table(FEW, FEW_LABELS),
    "one by one": table(FEW, FEW_LABELS, names=[f"{y}x{x}" for y in range(28) for x in range(28)]),
    "without a header": table(FEW, FEW_LABELS, names=None).replace(b"label,", b""),
    "semicolons": table(FEW, FEW_LABELS, delimiter=";"),
    "Windows": b"\xef\xbb\xbf" + table(FEW, FEW_LABELS, end="\r\n"),
    "blank lines": table(FEW, FEW_LABELS).replace(b"\n", b"\n\n"),
    "without its last end": table(FEW, FEW_LABELS).rstrip(),
    "decimals": table(FEW.astype(float), FEW_LABELS.astype(float)),
    "fractions": table(FEW / 255, FEW_LABELS),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("given", ["train.csv", ".", "*.csv"])
def test_tables_of_pixels_are_scored_with_their_labels(here, network, monkeypatch, kind, given):
    monkeypatch.setattr("pipeline.inputs.csv_rows._ROWS", 3)
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", 3)
    put(here / "train.csv", TABLES[kind])
    put(here / "other.csv", b"a,b\n1,2\n")
    done = score(given, "../out")
    assert paths("../out") == [f"train.csv#{row}" for row in range(7)]
    assert predictions("../out") == list(network.predict(FEW))
    assert (done.counts.labelled, done.counts.errors) == (7, {})


def test_rows_of_a_table_that_are_no_image_have_a_reason(here, network):
    lines = table(FEW, FEW_LABELS).splitlines()
    lines[2] = b"5,1,2"
    lines[3] = lines[3].replace(b",0", b",x", 1)
    lines[4] = lines[4].replace(b",0", b",-1", 1)
    lines[5] = b",".join([b"99", *lines[5].split(b",")[1:]])
    put(here / "train.csv", b"\n".join(lines))
    done = score("train.csv", "out")
    assert errors() == {
        "train.csv#1": "not a row of 784 pixels",
        "train.csv#2": "not a row of 784 pixels",
        "train.csv#3": "pixels outside 0 to 255",
    }
    assert predictions()[4:] == list(network.predict(FEW[4:]))
    assert done.counts.labelled == 3


def test_a_table_that_has_changed_is_an_error(here):
    put(here / "train.csv", table(FEW))
    score("train.csv", "out")
    put(here / "train.csv", table(FEW[:3]))
    assert score("train.csv", "out").resumed == 0
    assert len(rows()) == 3


@pytest.mark.parametrize("number", [pa.uint8(), pa.int64(), pa.float64()])
def test_columns_of_pixels_in_parquet_are_scored(here, network, number):
    columns = {
        name: pa.array(FEW.reshape(7, -1)[:, n]).cast(number) for n, name in enumerate(NAMES)
    }
    pq.write_table(pa.table({"label": FEW_LABELS, **columns}), here / "a.parquet", row_group_size=3)
    done = score("a.parquet", "out")
    assert predictions() == list(network.predict(FEW))
    assert done.counts.labelled == 7


def test_missing_pixels_in_parquet_have_a_reason(here):
    columns = {name: pa.array(FEW.reshape(7, -1)[:, n]) for n, name in enumerate(NAMES)}
    columns["pixel5"] = pa.array([None, *[0] * 6], pa.uint8())
    pq.write_table(pa.table(columns), here / "a.parquet")
    score("a.parquet", "out")
    assert errors() == {"a.parquet#0": "pixels outside 0 to 255"}


@pytest.mark.parametrize("kind", [pa.binary(784), pa.binary(), pa.large_binary()])
def test_bytes_of_pixels_in_parquet_are_scored(here, network, kind):
    """Beside image files, if the column may have both."""
    values = [image.tobytes() for image in FEW]
    expected = list(network.predict(FEW))
    if kind != pa.binary(784):
        values.append(png(IMAGES[8]))
        expected += list(network.predict(IMAGES[8:9]))
    column = pa.array([*values, None], kind)
    pq.write_table(pa.table({"image": column}), here / "a.parquet", row_group_size=3)
    score("a.parquet", "out")
    assert predictions() == [*expected, None]
    assert list(errors().values()) == ["no image"]


ARRAYS = {
    "images": FEW,
    "rows": FEW.reshape(7, -1),
    "channel last": FEW[..., None],
    "channel first": FEW[:, None],
    "colors": np.repeat(FEW[..., None], 3, axis=3),
    "integers": FEW.astype(">i4"),
    "fractions": (FEW / 255).astype(np.float32),
    "floats": FEW.astype(np.float64),
    "framed": np.pad(FEW, ((0, 0), (4, 10), (8, 2))),
}


@pytest.mark.parametrize("shape", ARRAYS)
def test_arrays_are_scored_whatever_their_shape_and_type(here, network, monkeypatch, shape):
    monkeypatch.setattr("pipeline.inputs.array_rows._ROWS", 3)
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", 3)
    put(here / "x.npy", npy(ARRAYS[shape]))
    put(here / "y.npy", npy(FEW_LABELS.astype(np.int64)))
    done = score("x.npy", "out")
    assert paths() == [f"x.npy#{row}" for row in range(7)]
    assert (done.counts.labelled, done.counts.errors) == (7, {})
    if shape != "framed":
        assert predictions() == list(network.predict(FEW))


@pytest.mark.parametrize("compressed", [False, True])
def test_archives_of_arrays_are_scored(here, network, compressed):
    few, more = FEW[:3], FEW[3:]
    put(
        here / "in" / "mnist.npz",
        npz(compressed, x_train=few, y_train=FEW_LABELS[:3], x_test=more, y_test=FEW_LABELS[3:]),
    )
    done = score("in", "out")
    assert paths() == [
        *(f"mnist.npz/x_train#{n}" for n in range(3)),
        *(f"mnist.npz/x_test#{n}" for n in range(4)),
    ]
    assert predictions() == list(network.predict(FEW))
    assert done.counts.labelled == 7


def test_the_only_other_array_has_the_labels(here):
    put(here / "a.npz", npz(images=FEW, digits=FEW_LABELS))
    assert score("a.npz", "out").counts.labelled == 7
    put(here / "b.npz", npz(images=FEW, digits=FEW_LABELS, ages=FEW_LABELS))
    assert score("b.npz", "out").counts.labelled == 0


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"])
def test_the_files_of_mnist_are_scored(here, network, suffix, name):
    pack = gzip.compress if suffix else bytes
    put(here / "in" / f"{name}{suffix}", pack(idx.encode(FEW)))
    labels = name.replace("images", "labels").replace("idx3", "idx1")
    put(here / "in" / f"{labels}{suffix}", pack(idx.encode(FEW_LABELS)))
    for source, prefix in (("in", ""), (f"in/{name}{suffix}", "in/")):
        done = score(source, "out")
        assert paths() == [f"{prefix}{name}{suffix}#{row}" for row in range(7)]
        assert predictions() == list(network.predict(FEW))
        assert done.counts.labelled == 7
    # Other labels are noticed.
    put(here / "in" / f"{labels}{suffix}", pack(idx.encode((FEW_LABELS + 1) % 10)))
    assert score(source, "out").resumed == 0


# Archives.


def zipped(files, **options):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(files, mode="w"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


PACKED = {
    "a.zip": zipped,
    "b.zip": lambda files: zipped(files, compression=zipfile.ZIP_DEFLATED),
    "c.tar": tarred,
    "d.tar.gz": lambda files: tarred(files, "w:gz"),
    "e.tgz": lambda files: tarred(files, "w:gz"),
    "f.tar.bz2": lambda files: bz2.compress(tarred(files)),
    "g.tar.xz": lambda files: lzma.compress(tarred(files)),
    "h": tarred,
    "i": zipped,
}


@pytest.mark.parametrize("name", PACKED)
def test_images_in_archives_are_scored_as_in_directories(here, network, monkeypatch, name):
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", 3)
    files = {f"set/{LABELS[n]}/{n}.png": png(IMAGES[n]) for n in range(7)}
    others = {"set/notes.txt": b"", "__MACOSX/set/._1.png": b"", "set/5/.DS_Store": b""}
    put(here / "in" / name, PACKED[name](files | others))
    for source, prefix in (("in", ""), (f"in/{name}", "in/")):
        done = score(source, "out")
        assert sorted(paths()) == sorted(f"{prefix}{name}/{file}" for file in files)
        expected = {f"{n}.png": digit for n, digit in enumerate(network.predict(FEW))}
        assert {row["path"].rpartition("/")[2]: row["prediction"] for row in rows()} == expected
        assert (done.counts.labelled, done.counts.errors) == (7, {})
        assert done.left_out == {".txt": 1, "hidden": 1}
        assert score(source, "out").resumed == 7


def test_a_table_in_an_archive_has_its_labels(here):
    files = {f"data/{n}.png": png(IMAGES[n]) for n in range(3)}
    files["data/labels.csv"] = b"path,label\n0.png,1\n./2.png,3\n"
    put(here / "a.zip", zipped(files))
    done = score("a.zip", "out")
    assert (done.counts.labelled, done.label_sources) == (2, ("labels.csv",))


def test_data_sets_in_archives_are_scored_but_no_archives_in_archives(here, network):
    """Kaggle's downloads are such: train.csv.zip."""
    put(here / "train.csv.zip", zipped({"train.csv": table(FEW, FEW_LABELS)}))
    assert score("train.csv.zip", "out").counts.labelled == 7
    assert paths()[0] == "train.csv.zip/train.csv#0"
    assert predictions() == list(network.predict(FEW))
    inner = zipped({"1.png": png(IMAGES[1])})
    put(here / "outer.zip", zipped({"inner.zip": inner}))
    with pytest.raises(InputError, match="no images in there"):
        score("outer.zip", "out")


def test_a_changed_archive_is_scored_anew(here):
    put(here / "a.tar", tarred({"1.png": png(IMAGES[1]), "2.png": png(IMAGES[2])}))
    score("a.tar", "out")
    put(here / "a.tar", tarred({"1.png": png(IMAGES[2]), "2.png": png(IMAGES[1])}))
    assert score("a.tar", "out").resumed == 0


def test_archives_beside_images_are_counted_and_not_scored_twice(here):
    put(here / "in" / "1.png", png(IMAGES[1]))
    put(here / "in" / "all.zip", zipped({"1.png": png(IMAGES[1])}))
    put(here / "in" / "x.npy", npy(FEW))
    assert score("in", "out").left_out == {".npy": 1, ".zip": 1}
    assert paths() == ["1.png"]


# What is damaged, and what is a trap.


def _bomb():
    return zipped(
        {f"{n}.png": bytes(40_000_000) for n in range(30)}, compression=zipfile.ZIP_DEFLATED
    )


def test_bombs_give_a_reason(here, monkeypatch):
    monkeypatch.setattr("pipeline.inputs.archives._MIN_LIMIT", 1_000_000)
    monkeypatch.setattr("pipeline.inputs.array_rows._MIN_LIMIT", 1_000_000)
    zeros = bytes(2_000_000)
    bombs = {
        "a.zip": zipped({"1.png": zeros}, compression=zipfile.ZIP_DEFLATED),
        "b.tar.gz": tarred({"1.png": zeros}, "w:gz"),
        "c.tar.xz": lzma.compress(tarred({"1.png": zeros})),
        "d-idx3-ubyte.gz": gzip.compress(idx.header((3_000, 28, 28)) + bytes(3_000 * 784)),
        "e.npz": npz(compressed=True, x=np.zeros((3_000, 28, 28), np.uint8)),
    }
    put(here / "in" / "0.npy", npy(FEW))
    for name, bomb in bombs.items():
        put(here / "in" / name, bomb)
    score("in", "out")
    assert errors() == dict.fromkeys(bombs, "unpacks to more than 200 times its size")
    assert len(rows()) == 7 + len(bombs)


def test_a_member_that_is_too_large_gives_a_reason(here, monkeypatch):
    monkeypatch.setattr("pipeline.inputs.archives.MOST_BYTES", 1_000)
    put(here / "a.zip", zipped({"1.png": png(IMAGES[1]), "2.png": bytes(2_000)}))
    score("a.zip", "out")
    assert errors() == {"a.zip/2.png": "more than 256 MB"}


def test_damaged_data_sets_have_a_row_and_stop_nothing(here):
    good = {
        "a.zip": zipped({"1.png": png(IMAGES[1])}),
        "b.tar.gz": tarred({"1.png": png(IMAGES[1])}, "w:gz"),
        "c.npy": npy(FEW),
        "d.npz": npz(x=FEW),
        "e-ubyte": idx.encode(FEW),
    }
    for name, content in good.items():
        put(here / "in" / name, content[: len(content) // 2])
    put(here / "in" / "f.npy", npy(FEW))
    score("in", "out")
    assert errors() == {
        "a.zip": "damaged archive",
        "b.tar.gz": "damaged archive",
        "c.npy": "damaged array",
        "d.npz": "damaged array",
        "e-ubyte": "damaged array",
    }
    assert len(rows()) == 12
    put(here / "labels" / "y.npy", npy(FEW_LABELS))
    with pytest.raises(InputError, match="no images in there"):
        score("labels", "out")
    score("labels/y.npy", "out")
    assert errors() == {"labels/y.npy": "no array of images"}


def test_encrypted_and_broken_members_give_a_reason(here):
    content = bytearray(zipped({"1.png": png(IMAGES[1]), "2.png": png(IMAGES[2])}))
    content[60] ^= 0xFF
    put(here / "a.zip", bytes(content))
    score("a.zip", "out")
    assert errors() == {"a.zip/1.png": "cannot be opened"}
    assert len(rows()) == 2


def test_an_array_that_claims_too_much_gives_a_reason(here):
    put(here / "in" / "a-ubyte", b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 28, 28))
    put(
        here / "in" / "b-ubyte.gz",
        gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", 1, 2**20, 2**20)),
    )
    put(here / "in" / "c.npy", npy(FEW))
    score("in", "out")
    assert errors() == {"a-ubyte": "damaged array", "b-ubyte.gz": "more than 100 megapixels"}


@given(
    kind=st.sampled_from(["a.zip", "b.tar.gz", "c.npy", "d.npz", "e-ubyte.gz", "f.csv"]),
    data=st.data(),
)
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_anywhere_gives_rows_or_one_clear_error(here, kind, data):
    contents = {
        "a.zip": zipped({"1.png": png(IMAGES[1]), "2.png": png(IMAGES[2])}),
        "b.tar.gz": tarred({"1.png": png(IMAGES[1])}, "w:gz"),
        "c.npy": npy(FEW),
        "d.npz": npz(x=FEW, y=FEW_LABELS),
        "e-ubyte.gz": gzip.compress(idx.encode(FEW)),
        "f.csv": TABLES["Kaggle's"],
    }
    content = bytearray(contents[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    put(here / kind, bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        done = score(kind, "out")
    except InputError as error:
        message = str(error)
    else:
        message = f"{kind}: {done.counts.files} rows"
        assert done.counts.files == len(rows())
    assert message.startswith(kind)


# Names.


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("x_train.npy", "y_train.npy"),
        ("X.npy", "y.npy"),
        ("test_image.npy", "test_label.npy"),
    ],
)
def test_the_labels_of_an_array_are_called_like_it(images, labels):
    assert f"a.x/{labels}" in list(_label_names(f"a.x/{images}", is_path=True))


@given(st.permutations(["id", "label", "name"]), st.integers(0, 3))
def test_columns_of_pixels_are_found_among_others(others, where):
    names = [*others[:where], *NAMES, *others[where:]]
    columns = find_pixel_columns(names)
    assert [names[index] for index in columns.pixels] == NAMES
    assert names[columns.label] == "label"
    assert find_pixel_columns(names[:-5]) is None or where == 3
