"""A user's own labelled images: read, deduplicated, and split for ever."""

import json
import os
import shutil
import unicodedata
import zipfile

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from mnist_sample import SAMPLE
from PIL import Image
from pyarrow import fs
from s3_server import s3_server

from pipeline.data import parquet
from pipeline.data.labelled import collect, read
from pipeline.errors import DamagedDataError, InputError
from pipeline.images.encoding import png
from pipeline.images.reading import Reader, as_seen, sheet
from pipeline.jobs.ingestion import ingest


@pytest.fixture
def data(sources):
    return ingest()


def _image(seed):
    """Random lines: an image that is normalized already, and not in MNIST."""
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 8:20] = np.random.default_rng(seed).integers(1, 3, (20, 12)) * 100
    return image


def _write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _fill(directory, count=60):
    for seed in range(count):
        _write(directory / str(seed % 10) / f"{seed}.png", png(_image(seed)))


def test_images_are_normalized_as_in_scoring_and_each_is_in_one_part(data, tmp_path):
    _fill(tmp_path / "own")
    collection = collect(str(tmp_path / "own"), data, tmp_path / "kept")
    own = read(collection.reference.path, collection.reference.sha256)
    assert collection.training == len(own.training.labels)
    assert collection.held_out == len(own.held_out.labels)
    assert collection.training + collection.held_out == 60
    assert collection.training > collection.held_out > 0
    assert not collection.conflicts
    assert not collection.errors
    for part in (own.training, own.held_out):
        for image, label, path in zip(part.images, part.labels, part.paths, strict=True):
            assert path.startswith(f"{label}/")
            content = (tmp_path / "own" / path).read_bytes()
            seen = as_seen([sheet(content)], 1, Reader())
            assert np.array_equal(image, seen.images[0])
    assert not set(own.training.paths) & set(own.held_out.paths)
    assert pq.read_table(collection.reference.path).num_rows == 60


@settings(max_examples=examples(20))
@given(st.sets(st.integers(0, 200), min_size=2, max_size=40), st.integers(1, 39))
def test_an_image_stays_in_its_part(data_once, tmp_path_factory, seeds, first):
    """Whatever other images there are, and whatever the name of its file."""
    directory = tmp_path_factory.mktemp("own")
    seeds = sorted(seeds)
    held_out, everything = [], []
    for name, chosen in (("a", seeds[:first]), ("b", seeds)):
        for seed in chosen:
            _write(directory / name / str(seed % 10) / f"{name}{seed}.png", png(_image(seed)))
        reference = collect(str(directory / name), data_once, directory / "kept").reference
        own = read(reference.path, reference.sha256)
        held_out.append({image.tobytes() for image in own.held_out.images})
        training = {image.tobytes() for image in own.training.images}
        assert not held_out[-1] & training
        everything.append(held_out[-1] | training)
        assert len(everything[-1]) == len(chosen)
    early, late = held_out
    assert early == late & everything[0]


@pytest.fixture(scope="module")
def data_once(tmp_path_factory):
    from mnist_sample import DIRECTORY

    from pipeline.settings import Settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.data.mnist.MNIST", SAMPLE)
        home = tmp_path_factory.mktemp("home")
        return ingest(settings=Settings(home=home, mirrors=(str(DIRECTORY),)))


def test_the_digest_depends_on_images_not_on_names(data, tmp_path):
    _fill(tmp_path / "a", 12)
    for path in sorted((tmp_path / "a").rglob("*.png")):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        _, bmp = cv2.imencode(".bmp", image)
        _write(tmp_path / "b" / path.parent.name / "deeper" / "no", b"not an image by its name")
        _write(tmp_path / "b" / path.parent.name / f"other-{path.stem}.bmp", bmp.tobytes())
    references = [collect(str(tmp_path / name), data, tmp_path / "kept").reference for name in "ab"]
    assert references[0] == references[1]
    _write(tmp_path / "b" / "0" / "one-more.png", png(_image(1000)))
    assert collect(str(tmp_path / "b"), data, tmp_path / "kept").reference != references[0]


def test_duplicates_are_used_once_and_conflicts_are_not_used(data, tmp_path, caplog):
    own = tmp_path / "own"
    _fill(own, 20)
    _write(own / "0" / "again.png", png(_image(0)))
    _write(own / "2" / "conflict.png", png(_image(1)))
    with caplog.at_level("WARNING"):
        collection = collect(str(own), data, tmp_path / "kept")
    assert collection.duplicates == 2
    assert collection.training + collection.held_out == 19
    (conflict,) = collection.conflicts
    assert conflict.labels == (1, 2)
    assert conflict.paths == ("1/1.png", "2/conflict.png")
    assert "An image with the labels 1, 2 is left out: 1/1.png, 2/conflict.png." in caplog.text


def test_images_of_mnist_are_left_out(data, tmp_path, caplog):
    """A user may try it on the output of `digits sample`: images of the test set."""
    test = parquet.read(data.test.path, SAMPLE.test)
    train = parquet.read(data.train.path, SAMPLE.train)
    own = tmp_path / "own"
    for n, image in enumerate((test.images[0], train.images[0])):
        _write(own / "3" / f"{n}.png", png(image))
    with caplog.at_level("WARNING"):
        collection = collect(str(own), data, tmp_path / "kept")
    assert (collection.of_mnist, collection.reference) == (2, None)
    assert "2 images are in MNIST and are left out" in caplog.text
    assert not list((tmp_path / "kept").glob("*.parquet"))


def test_files_that_cannot_be_used_are_counted_by_reason(data, tmp_path):
    own = tmp_path / "own"
    _fill(own, 10)
    _write(own / "1" / "empty.png", b"")
    _write(own / "1" / "text.png", b"text")
    _write(own / "1" / "blank.png", png(np.full((40, 40), 255, np.uint8)))
    collection = collect(str(own), data, tmp_path / "kept")
    assert collection.errors == {"blank image": 1, "empty file": 1, "not an image": 1}
    assert collection.training + collection.held_out == 10


def test_files_that_have_not_changed_are_not_read_again(data, tmp_path, monkeypatch):
    own = tmp_path / "own"
    _fill(own)
    _write(own / "2" / "conflict.png", png(_image(1)))
    _write(own / "1" / "empty.png", b"")
    first = collect(own, data, tmp_path / "kept")
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.inputs.image_files.sheet_or_pages", None)
        assert collect(own, data, tmp_path / "kept") == first
    first.reference.path.unlink()
    assert collect(own, data, tmp_path / "kept") == first
    assert first.reference.path.exists()
    _write(own / "1" / "empty.png", png(_image(1000)))
    assert collect(own, data, tmp_path / "kept").reference != first.reference


def test_a_copied_directory_reads_its_own_images(data, tmp_path, monkeypatch):
    """Not those of the original, even while these are still there."""
    _fill(tmp_path / "own")
    first = collect(tmp_path / "own", data, tmp_path / "kept").reference
    shutil.copytree(tmp_path / "kept", tmp_path / "copy")
    (record,) = (tmp_path / "copy").glob("*.json")
    values = json.loads(record.read_text())
    assert str(tmp_path / "kept") not in record.read_text()
    monkeypatch.setattr("pipeline.inputs.image_files.sheet_or_pages", None)
    # Earlier releases wrote the path.
    for reference in (values["reference"], {**values["reference"], "path": str(first.path)}):
        record.write_text(json.dumps({**values, "reference": reference}))
        copied = collect(tmp_path / "own", data, tmp_path / "copy").reference
        assert copied.sha256 == first.sha256
        assert copied.path == tmp_path / "copy" / first.path.name


@pytest.mark.parametrize("given", ["own", "own/*/*.png", "own/table.csv", "own.parquet"])
def test_changed_pixels_are_read_again(data, tmp_path, given):
    """Even through links, and if size and mtime are as before."""
    targets = tmp_path / "own" / ".targets"
    names = []
    for seed in range(10):
        _write(targets / f"{seed}.bin", png(_image(seed)))
        link = tmp_path / "own" / str(seed) / f"{seed}.png"
        link.parent.mkdir()
        link.symlink_to(targets / f"{seed}.bin")
        names.append(f"{seed}/{seed}.png,{seed}\n")
    (tmp_path / "own" / "table.csv").write_text("path,label\n" + "".join(names))

    def parquet_file(first):
        images = [png(_image(first + seed)).ljust(4000, b"\0") for seed in range(10)]
        table = pa.table({"image": images, "label": list(range(10))})
        pq.write_table(table, tmp_path / "own.parquet", compression="none", use_dictionary=False)

    def collected():
        return collect(str(tmp_path / given), data, tmp_path / "kept").reference

    parquet_file(0)
    files = [tmp_path / "own.parquet", *targets.iterdir()]
    for path in files:
        os.utime(path, (1, 1))
    sizes = [path.stat().st_size for path in files]
    first = collected()
    assert collected() == first
    parquet_file(100)
    for path in targets.iterdir():
        size = path.stat().st_size
        path.write_bytes(png(_image(100 + int(path.stem))).ljust(size, b"\0")[:size])
    for path in files:
        os.utime(path, (1, 1))
    assert [path.stat().st_size for path in files] == sizes
    assert collected() != first


@pytest.mark.parametrize("where", ["in the directory", "given itself"])
def test_labels_may_come_from_a_table(data, tmp_path, where):
    own = tmp_path / "own"
    for seed in range(10):
        _write(own / f"{seed}.png", png(_image(seed)))
    table = own / ("labels.csv" if where == "in the directory" else "mine.csv")
    table.write_text("path,label\n" + "".join(f"{n}.png,{n}\n" for n in range(8)) + "gone.png,1\n")
    collection = collect(str(own if table.name == "labels.csv" else table), data, tmp_path / "kept")
    assert collection.errors == {"cannot be opened": 1}
    read_back = read(collection.reference.path, collection.reference.sha256)
    labels = dict(
        pair
        for part in (read_back.training, read_back.held_out)
        for pair in zip(part.paths, part.labels.tolist(), strict=True)
    )
    assert labels == {f"{n}.png": n for n in range(8)}


def test_a_table_may_be_in_an_object_store(data, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with s3_server() as server:
        store, _ = fs.FileSystem.from_uri(server.address("x"))
        for seed in range(5):
            with store.open_output_stream(f"{server.bucket}/own/{seed}.png") as stream:
                stream.write(png(_image(seed)))
        with store.open_output_stream(f"{server.bucket}/own/labels.csv") as stream:
            stream.write(b"path,label\n" + b"".join(b"%d.png,%d\n" % (n, n) for n in range(6)))
        options = f"?scheme=http&endpoint_override={server.host}&region=us-east-1"
        address = f"s3://{server.bucket}/own/labels.csv{options}"
        collection = collect(address, data, tmp_path / "kept")
    assert collection.training + collection.held_out == 5
    assert collection.errors == {"cannot be opened": 1}


def test_a_table_reads_nothing_outside_its_directory(data, tmp_path):
    """Neither through links nor through ``..``."""
    own = tmp_path / "own"
    for seed, path in enumerate((own / "in" / "0.png", tmp_path / "secret" / "1.png")):
        _write(path, png(_image(seed)))
    (own / "link").symlink_to(tmp_path / "secret")
    (own / "file.png").symlink_to(tmp_path / "secret" / "1.png")
    (own / "inner").symlink_to(own / "in")
    names = [
        "in/0.png",
        "inner/0.png",
        "link/1.png",
        "../secret/1.png",
        "file.png",
        "../own/in/0.png",
    ]
    table = "".join(f"{name},1\n" for name in names)
    (own / "mine.csv").write_text("path,label\n" + table)
    collection = collect(str(own / "mine.csv"), data, tmp_path / "kept")
    assert collection.errors == {"link out of the directory": 3}
    assert (collection.used, collection.duplicates) == (1, 2)


def test_a_table_finds_names_of_another_spelling(data, tmp_path):
    """As macOS spells them, or with ``./``."""
    own = tmp_path / "own"
    _write(own / unicodedata.normalize("NFD", "\xe4.png"), png(_image(0)))
    _write(own / "1.png", png(_image(1)))
    (own / "mine.csv").write_text("path,label\n\xe4.png,0\n./1.png,1\n", encoding="utf-8")
    collection = collect(str(own / "mine.csv"), data, tmp_path / "kept")
    assert collection.training + collection.held_out == 2
    assert not collection.errors


def test_a_source_without_labelled_images_is_one_clear_error(data, tmp_path):
    own = tmp_path / "own"
    with pytest.raises(InputError, match="own: no such file or directory"):
        collect(str(own), data, tmp_path / "kept")
    own.mkdir()
    with pytest.raises(InputError, match="no images in there"):
        collect(str(own), data, tmp_path / "kept")
    _write(own / "a.png", png(_image(0)))
    with pytest.raises(InputError, match="got no labelled image"):
        collect(str(own), data, tmp_path / "kept")
    table = own / "labels.csv"
    table.write_text("path,label\na.png,1\na.png,2\n")
    with pytest.raises(InputError, match=r"line 3: expected one label for each path, got 2"):
        collect(str(own), data, tmp_path / "kept")
    table.write_text("path,label\na.png,ten\n")
    with pytest.raises(InputError, match=r"line 2: expected a path and a label from 0 to 9"):
        collect(str(own), data, tmp_path / "kept")


def test_stored_images_are_verified_against_their_digest(data, tmp_path):
    _fill(tmp_path / "own")
    reference = collect(str(tmp_path / "own"), data, tmp_path / "kept").reference
    table = pq.read_table(reference.path)
    labels = table["label"].to_pylist()
    labels[0] = (labels[0] + 1) % 10
    column = table.schema.get_field_index("label")
    pq.write_table(
        table.set_column(column, table.schema.field("label"), pa.array(labels, pa.uint8())),
        reference.path,
    )
    with pytest.raises(DamagedDataError, match="expected labelled images with the SHA-256"):
        read(reference.path, reference.sha256)
    reference.path.write_bytes(b"PAR1")
    with pytest.raises(DamagedDataError, match="cannot be read as labelled images"):
        read(reference.path, reference.sha256)
    assert collect(str(tmp_path / "own"), data, tmp_path / "kept").reference == reference
    read(reference.path, reference.sha256)


def test_data_sets_with_labels_are_collected(data, tmp_path):
    """As they are: a table of pixels, and an archive of directories 0 to 9."""
    images = [_image(seed) for seed in range(12)]
    lines = [",".join(["label", *(f"pixel{n}" for n in range(784))])]
    lines += [",".join(map(str, [n % 10, *image.ravel()])) for n, image in enumerate(images)]
    (tmp_path / "train.csv").write_text("\n".join(lines))
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        for n, image in enumerate(images):
            archive.writestr(f"own/{n % 10}/{n}.png", png(image))
    references = [
        collect(tmp_path / name, data, tmp_path / "kept").reference
        for name in ("train.csv", "own.zip")
    ]
    assert references[0].sha256 == references[1].sha256
    split = read(references[0].path, references[0].sha256)
    assert len(split.training.labels) + len(split.held_out.labels) == 12


def test_labels_of_folders_may_be_asked_for(data, tmp_path, caplog):
    own = tmp_path / "own"
    _fill(own, 20)
    _write(own / "unsorted" / "x.png", png(_image(100)))
    with pytest.raises(InputError, match="got no labelled image"):
        collect(own, data, tmp_path / "kept")
    assert "because 'unsorted' is beside them" in caplog.text
    assert collect(own, data, tmp_path / "kept", "folders").used == 20


def test_a_table_has_the_labels_of_pages(data, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    first, *others = [Image.fromarray(_image(seed)) for seed in range(4)]
    first.save(own / "scan.tif", save_all=True, append_images=others)
    (own / "mine.csv").write_text("path,label\nscan.tif#1,5\nscan.tif#3,6\n")
    collection = collect(own / "mine.csv", data, tmp_path / "kept")
    split = read(collection.reference.path, collection.reference.sha256)
    labels = {
        path: label
        for part in (split.training, split.held_out)
        for path, label in zip(part.paths, part.labels.tolist(), strict=True)
    }
    assert labels == {"scan.tif#1": 5, "scan.tif#3": 6}
