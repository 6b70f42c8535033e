"""Predictions as CSV, lines of JSON and a workbook; what is not its own a scoring leaves alone."""

import csv
import io
import json
import zipfile
from xml.etree import ElementTree

import mnist_sample
import numpy as np
import pandas as pd
import PIL.Image
import pytest
from mnist_sample import SAMPLE

from nn import NeuralNetwork
from pipeline import open_registry, score
from pipeline.errors import InvalidParameterError, OutputError
from pipeline.images.encoding import png
from registry import RunRecord

IMAGES, _ = mnist_sample.arrays(SAMPLE.train)
CELLS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(scope="module")
def scored_home(tmp_path_factory):
    """A registry with a champion, and images: one is no image, one has a name like a formula."""
    directory = tmp_path_factory.mktemp("formats")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITS_HOME", str(directory / "home"))
        network = NeuralNetwork((784, 10), epochs=1, seed=1).fit(IMAGES[:50], np.arange(50) % 10)
        with open_registry() as registry:
            registry.register("mnist", network.to_bytes(), RunRecord())
            registry.set_alias("@latest", "champion", force=True)
    (directory / "in").mkdir()
    for number in range(5):
        (directory / "in" / f"{number}é.png").write_bytes(png(IMAGES[number]))
    (directory / "in" / "=1+1.png").write_bytes(png(IMAGES[5]))
    (directory / "in" / "bad.png").write_bytes(b"")
    return directory


@pytest.fixture
def scored(scored_home, monkeypatch, tmp_path):
    """Score the images into an output of the test."""
    monkeypatch.setenv("DIGITS_HOME", str(scored_home / "home"))
    return lambda **options: score(scored_home / "in", tmp_path / "out", **options)


def _sheets(file):
    """The cells of each sheet of a workbook, and its pictures."""
    with zipfile.ZipFile(file) as archive:
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        names = [sheet.get("name") for sheet in book.iter(f"{CELLS}sheet")]
        sheets = {}
        for number, name in enumerate(names, 1):
            root = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
            assert not list(root.iter(f"{CELLS}f")), "a formula"
            sheets[name] = [
                ["".join(cell.itertext()) for cell in row] for row in root.iter(f"{CELLS}row")
            ]
        pictures = [archive.read(name) for name in archive.namelist() if "media/" in name]
    return sheets, pictures


def test_all_formats_hold_the_rows_of_the_data_set(scored, tmp_path):
    done = scored(formats=("csv", "xlsx", "jsonl", "parquet"), probabilities=True)
    output = tmp_path / "out"
    assert done.tables == tuple(output / f"predictions.{form}" for form in ("csv", "xlsx", "jsonl"))
    rows = list(done)
    assert len(rows) == 7
    lines = list(map(json.loads, (output / "predictions.jsonl").read_text("utf-8").splitlines()))
    assert [line["path"] for line in lines] == [row["path"] for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert (line["prediction"], line["error"]) == (row["prediction"], row["error"])
        assert line["model"] == "mnist/1"
        if row["prediction"] is not None:
            assert line["confidence"] == pytest.approx(row["confidence"], abs=1e-6)
            assert line[f"p{row['prediction']}"] == line["confidence"]
    table = pd.read_csv(output / "predictions.csv")
    known = [line["confidence"] for line in lines if line["confidence"] is not None]
    assert table["confidence"].dropna().tolist() == known
    assert list(table.columns) == list(lines[0])
    sheets, _ = _sheets(output / "predictions.xlsx")
    header, *cells = sheets["predictions"]
    assert header == list(lines[0])
    assert [row[0] for row in cells] == [row["path"] for row in rows]
    assert [float(row[2]) for row in cells if row[1] != "empty file"] == known


def test_excel_reads_the_csv_as_unicode_and_runs_no_formula(scored, tmp_path):
    scored(formats="csv")
    content = (tmp_path / "out" / "predictions.csv").read_bytes()
    assert content.startswith("\ufeffpath,".encode())
    paths = [row["path"] for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig")))]
    assert "./=1+1.png" in paths
    assert "0é.png" in paths


def test_a_workbook_shows_what_to_review(scored, tmp_path):
    """Failures first, then the least certain with their pictures."""
    done = scored(formats="xlsx")
    sheets, pictures = _sheets(tmp_path / "out" / "predictions.xlsx")
    header, failed, *others = sheets["review"]
    assert header == ["image", "path", "prediction", "confidence", "error", "true label"]
    assert failed == ["bad.png", "empty file"]
    assert [row[0] for row in others] == [one.path for one in done.least_certain]
    assert len(pictures) == len(others) == 6
    # Equal pictures are stored once, in the order of the rows.
    first = IMAGES[5 if "=" in others[0][0] else int(others[0][0][0])].reshape(28, 28)
    shown = np.asarray(PIL.Image.open(io.BytesIO(pictures[0])))
    assert np.array_equal(shown[::2, ::2], first)


def _drawn(directory, count):
    directory.mkdir()
    for number in range(count):
        pixels = np.kron(255 - IMAGES[number].reshape(28, 28), np.ones((4, 4), np.uint8))
        (directory / f"{number:02}.png").write_bytes(png(pixels))


def test_a_workbook_has_a_picture_for_each_row_to_review(scored_home, monkeypatch, tmp_path):
    """More than are kept of a shard, and of any size."""
    monkeypatch.setenv("DIGITS_HOME", str(scored_home / "home"))
    _drawn(tmp_path / "in", 40)
    score(tmp_path / "in", tmp_path / "out", min_confidence=1.0, formats="xlsx")
    sheets, pictures = _sheets(tmp_path / "out" / "predictions.xlsx")
    rows = sheets["review"][1:]
    with (tmp_path / "out" / "review.csv").open(newline="") as stream:
        assert {row[0] for row in rows} == {row["path"] for row in csv.DictReader(stream)}
    assert len(rows) == len(pictures) == 40
    confidences = [float(row[2]) for row in rows]
    assert confidences == sorted(confidences)
    assert {PIL.Image.open(io.BytesIO(each)).size for each in pictures} == {(56, 56)}


def test_a_workbook_has_at_most_so_many_pictures(scored_home, monkeypatch, tmp_path):
    """The least certain ones; review.csv has all rows."""
    monkeypatch.setenv("DIGITS_HOME", str(scored_home / "home"))
    monkeypatch.setattr("pipeline.scoring.workbook._MAX_REVIEWED", 3)
    _drawn(tmp_path / "in", 10)
    done = score(tmp_path / "in", tmp_path / "out", min_confidence=1.0, formats="xlsx")
    sheets, pictures = _sheets(tmp_path / "out" / "predictions.xlsx")
    assert [row[0] for row in sheets["review"][1:]] == [e.path for e in done.least_certain[:3]]
    assert (len(pictures), done.review) == (3, 10)


def test_pictures_of_fields_are_those_of_their_digits(scored_home, monkeypatch, tmp_path):
    monkeypatch.setenv("DIGITS_HOME", str(scored_home / "home"))
    (tmp_path / "in").mkdir()
    pixels = np.hstack([255 - IMAGES[number].reshape(28, 28) for number in (1, 3)])
    (tmp_path / "in" / "field.png").write_bytes(png(np.kron(pixels, np.ones((4, 4), np.uint8))))
    score(tmp_path / "in", tmp_path / "out", split=2, min_confidence=1.0, formats="xlsx")
    sheets, pictures = _sheets(tmp_path / "out" / "predictions.xlsx")
    assert {row[0] for row in sheets["review"][1:]} == {"field.png#1", "field.png#2"}
    assert len(pictures) == 2


def test_rows_of_a_data_set_have_their_pictures_as_well(scored_home, monkeypatch, tmp_path):
    monkeypatch.setenv("DIGITS_HOME", str(scored_home / "home"))
    np.save(tmp_path / "rows.npy", IMAGES[:30].reshape(-1, 28, 28))
    score(tmp_path / "rows.npy", tmp_path / "out", min_confidence=1.0, formats="xlsx")
    sheets, pictures = _sheets(tmp_path / "out" / "predictions.xlsx")
    assert len(sheets["review"][1:]) == len(pictures) == 30


def test_a_full_sheet_is_followed_by_another(scored, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.scoring.workbook._MAX_ROWS", 4)
    done = scored(formats="xlsx")
    sheets, _ = _sheets(tmp_path / "out" / "predictions.xlsx")
    names = ["predictions", "predictions 2", "predictions 3"]
    assert list(sheets) == [*names, "review"]
    assert [len(sheets[name]) for name in names] == [4, 4, 2]
    paths = [row[0] for name in names for row in sheets[name][1:]]
    assert paths == [row["path"] for row in done]


def test_an_outcome_gives_its_rows_and_a_short_text(scored):
    done = scored(min_confidence=0.5)
    assert done.to_arrow().to_pylist() == list(done)
    assert done.to_pandas()["path"].tolist() == [row["path"] for row in done]
    assert len(repr(done).splitlines()) <= 3
    assert max(map(len, repr(done).splitlines())) <= 102
    assert "mnist/1" in repr(done)
    html = done._repr_html_()
    ElementTree.fromstring(html)
    assert "images</th><td style='text-align: left'>7" in html


def test_an_unknown_format_is_refused_before_anything_is_written(scored, tmp_path):
    with pytest.raises(InvalidParameterError, match="formats: expected any of parquet, csv, xlsx"):
        scored(formats="doc")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["predictions.csv", "summary.json", "predictions/mine"])
def test_files_that_are_not_of_a_scoring_are_not_overwritten(scored, tmp_path, name):
    file = tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(OutputError, match=r"not of an earlier scoring.*--force"):
        scored(formats="csv")
    assert file.read_text() == "mine"
    assert scored(formats="csv", force=True).counts.files == 7


def test_a_table_that_was_changed_is_not_overwritten(scored, tmp_path):
    scored(formats=("csv", "jsonl"))
    scored(formats=("csv", "jsonl"))
    table = tmp_path / "out" / "predictions.csv"
    table.write_text("mine")
    with pytest.raises(OutputError, match=r"predictions.csv was changed since it was written"):
        scored(formats="csv")
    assert table.read_text() == "mine"
    scored(formats="csv", force=True)
    assert table.read_text() != "mine"


def test_tables_of_another_run_are_removed(scored, tmp_path):
    scored(formats="csv")
    scored(probabilities=True)
    assert not (tmp_path / "out" / "predictions.csv").exists()


def test_a_run_that_was_killed_while_it_started_over_can_be_run_again(scored, tmp_path):
    """There are predictions, but no file that says whose they are."""
    scored()
    (tmp_path / "out" / "run.json").unlink()
    assert scored().counts.files == 7
