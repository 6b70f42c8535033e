"""What is taken for an image, and what is said of everything else."""

import io
import json
import os

import mnist_sample
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnist_sample import SAMPLE
from PIL import Image

from pipeline import score
from pipeline.errors import InputError, InvalidParameterError
from pipeline.images.encoding import png
from pipeline.inputs.selection import Selection

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def encoded(image, kind, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def pages(images, kind="TIFF"):
    others = [Image.fromarray(image) for image in images[1:]]
    return encoded(images[0], kind, save_all=True, append_images=others)


def rows(output="out"):
    return pq.read_table(f"{output}/predictions").to_pylist()


def paths(output="out"):
    return [row["path"] for row in rows(output)]


def test_every_image_is_found_whatever_its_name_and_every_page_is_a_row(here, network):
    put(here / "in" / "a.png", png(IMAGES[0]))
    put(here / "in" / "b", encoded(IMAGES[1], "JPEG"))
    put(here / "in" / "c.jfif", encoded(IMAGES[2], "JPEG"))
    put(here / "in" / "d.dat", png(IMAGES[3]))
    put(here / "in" / "e.tif", pages(IMAGES[4:7]))
    put(here / "in" / "f" / "g", pages(IMAGES[7:9], "GIF"))
    put(here / "in" / "notes.txt", b"no image")
    put(here / "in" / "README", b"no image")
    put(here / "in" / ".hidden.png", png(IMAGES[0]))
    put(here / "in" / ".cache" / "x.png", png(IMAGES[0]))
    (here / "in" / "link").symlink_to(here)
    done = score("in", "out")
    assert paths() == [
        "a.png",
        "b",
        "c.jfif",
        "d.dat",
        *(f"e.tif#{page}" for page in (1, 2, 3)),
        *(f"f/g#{page}" for page in (1, 2)),
    ]
    lossless = [row["prediction"] for row in rows() if row["path"] not in {"b", "c.jfif"}]
    assert lossless == list(network.predict(IMAGES[[0, 3, 4, 5, 6, 7, 8]]))
    assert done.counts.files == 6
    kinds = {".txt": 1, "without a suffix": 1, "hidden": 2, "links to directories": 1}
    assert done.left_out == dict(sorted(kinds.items()))
    assert json.loads((here / "out" / "summary.json").read_text())["left_out"] == done.left_out
    again = score("in", "out")
    assert (again.resumed, again.left_out) == (6, done.left_out)


@pytest.mark.parametrize("shard", [1, 2, 100])
def test_pages_are_in_order_wherever_shards_and_batches_end(here, monkeypatch, shard):
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", shard)
    monkeypatch.setattr("pipeline.scoring.scorer._BATCH_SIZE", 3)
    put(here / "in" / "1.tif", pages(IMAGES[:4]))
    put(here / "in" / "2.png", png(IMAGES[5]))
    put(here / "in" / "3.tif", pages(IMAGES[:3]))
    expected = [*(f"1.tif#{n}" for n in range(1, 5)), "2.png", *(f"3.tif#{n}" for n in (1, 2, 3))]
    assert score("in", "out").counts.files == 3
    assert paths() == expected


def test_labels_of_pages_are_theirs_or_those_of_the_file(here):
    put(here / "in" / "1.tif", pages(IMAGES[:3]))
    put(here / "in" / "2.tif", pages(IMAGES[3:5]))
    table = f"path,label\n1.tif,{LABELS[0]}\n1.tif#2,{(LABELS[1] + 1) % 10}\n2.tif#1,{LABELS[3]}\n"
    put(here / "in" / "labels.csv", table.encode())
    done = score("in", "out")
    assert done.counts.labelled == 4
    assert done.label_sources == ("labels.csv",)
    assert done.left_out == {}


def test_what_is_named_is_scored_whatever_it_is_called(here):
    put(here / "x.txt", png(IMAGES[0]))
    put(here / "y", b"no image")
    done = score(["x.txt", "y"], "out")
    assert [(row["path"], row["error"]) for row in rows()] == [
        ("x.txt", None),
        ("y", "not an image"),
    ]
    assert done.left_out == {}


def test_what_is_no_file_is_neither_read_nor_waited_for(here):
    put(here / "in" / "a.png", png(IMAGES[0]))
    os.mkfifo(here / "in" / "pipe")
    (here / "in" / "gone").symlink_to("nowhere")
    done = score("in", "out")
    assert paths() == ["a.png"]
    assert done.left_out == {"without a suffix": 2}


def test_files_are_selected_by_patterns(here):
    for name in ("a.png", "b.gif", "thumbs/c.png", "x/thumbs/d.png", "x/y/e.png", "notes.txt"):
        put(here / "in" / name, encoded(IMAGES[0], "GIF" if name.endswith("gif") else "PNG"))

    def taken(**patterns):
        done = score("in", "out", **patterns)
        return paths(), done.left_out.get("not selected", 0)

    assert taken(include=["*.gif"]) == (["b.gif"], 5)
    assert taken(include=["a*", "x/*"]) == (["a.png", "x/thumbs/d.png", "x/y/e.png"], 3)
    # A directory is left out as a whole, and counts as one.
    assert taken(exclude=["thumbs"]) == (["a.png", "b.gif", "notes.txt", "x/y/e.png"], 2)
    assert taken(include=["*.png"], exclude=["./x/*"]) == (["a.png", "thumbs/c.png"], 4)
    with pytest.raises(InputError, match="no images in there"):
        score("in", "out", include=["*.jpg"])


PARTS = st.lists(st.sampled_from(["a", "b", "ab.png", "c"]), min_size=1, max_size=3).map("/".join)
PATTERNS = st.lists(st.sampled_from(["a", "*", "a*", "*.png", "a/*", "b/c", "?"]), max_size=3)


@given(PARTS, PATTERNS, PATTERNS)
def test_exclusion_wins_and_includes_narrow(path, include, exclude):
    selection = Selection(tuple(include), tuple(exclude))
    only_included = Selection(tuple(include)).takes(path)
    assert selection.takes(path) == (only_included and not selection.excludes(path))
    assert selection.takes_all == (not include and not exclude)
    assert Selection().takes(path)


# Labels.


def _digits(directory, numbers=range(10)):
    for number in numbers:
        put(directory / str(LABELS[number]) / f"{number}.png", png(IMAGES[number]))


@pytest.mark.parametrize(
    ("parent", "other", "reason"),
    [
        ("in", "unsorted", "because 'unsorted' is beside them"),
        ("in/2026", None, "because they may be days or months"),
    ],
)
def test_directories_that_are_no_labels_are_told_and_may_be_made_labels(
    here, caplog, parent, other, reason
):
    _digits(here / parent)
    if other:
        put(here / parent / other / "x.png", png(IMAGES[11]))
    done = score("in", "out")
    assert (done.counts.labelled, done.label_sources) == (0, ())
    assert caplog.text.count("are not taken for labels") == 1
    assert f"{parent}: the directories called 0 to 9" in caplog.text
    assert reason in caplog.text
    done = score("in", "out", labels="folders")
    assert (done.counts.labelled, done.label_sources) == (10, ("directories 0 to 9",))
    assert done.resumed == 0
    summary = json.loads((here / "out" / "summary.json").read_text())
    assert summary["labels"] == ["directories 0 to 9"]
    if other:
        assert score("in", "out", exclude=[other]).counts.labelled == 10
    with pytest.raises(InvalidParameterError, match="labels: expected one of auto, folders"):
        score("in", "out", labels="files")


def test_the_command_says_what_was_taken(here, digits):
    _digits(here / "in")
    put(here / "in" / "0" / "notes.txt", b"")
    put(here / "in" / "x" / "scan.tif", pages(IMAGES[:2]))
    options = ("--output", "out", "--direct")
    ended = digits("score", "in", *options, "--labels", "folders", "--exclude", "x")
    assert "of 10 labelled images correct" in ended.out
    assert "(labels: directories 0 to 9)" in ended.out
    assert "not taken for images: 1 .txt, 1 not selected" in ended.out
    ended = digits("score", "in", *options, "--include", "*.tif")
    assert paths() == ["x/scan.tif#1", "x/scan.tif#2"]
