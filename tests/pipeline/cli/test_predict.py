"""`digits predict`: a line for each file."""

import io
import json
import sys
from pathlib import Path

import mnist_sample
import pytest
from mnist_sample import SAMPLE

from pipeline import Classifier
from pipeline.images.encoding import png

IMAGES, _ = mnist_sample.arrays(SAMPLE.test)


@pytest.fixture
def files(tmp_path, version):
    names = [str(tmp_path / f"{number}.png") for number in range(3)]
    for name, image in zip(names, IMAGES, strict=False):
        Path(name).write_bytes(png(image))
    return names


def test_a_line_has_the_digit_and_the_confidence(digits, files):
    ended = digits("predict", *files)
    assert ended.status == 0
    classifier = Classifier.load()
    expected = [
        [file, str(each.digit), f"{each.confidence:.4f}"]
        for file, each in zip(files, classifier.read(files), strict=True)
    ]
    assert [line.split() for line in ended.out.splitlines()] == expected
    assert ended.err == ""


def test_a_file_that_cannot_be_read_has_its_reason_and_the_status_is_1(digits, files, tmp_path):
    (tmp_path / "a.txt").write_text("text")
    ended = digits("predict", files[0], tmp_path / "a.txt", tmp_path / "nothing.png")
    assert ended.status == 1
    first, second, third = ended.out.splitlines()
    assert first.startswith(files[0])
    assert second.split() == [str(tmp_path / "a.txt"), "-", "not", "an", "image"]
    assert third.endswith("cannot be opened")


def test_a_dash_is_standard_input(digits, files, monkeypatch):
    content = io.TextIOWrapper(io.BytesIO(png(IMAGES[0])))
    monkeypatch.setattr(sys, "stdin", content)
    ended = digits("predict", "-", "--json")
    (read,) = json.loads(ended.out)
    assert read["file"] == "-"
    assert read["digit"] == Classifier.load().predict(IMAGES[0])
    assert sum(read["probabilities"]) == pytest.approx(1)


def test_a_version_and_the_way_to_read_can_be_chosen(digits, files):
    assert digits("predict", files[0], "-m", "1", "--normalize", "never").status == 0
    assert digits("predict", files[0], "-m", "2").status == 4
    assert digits("predict", files[0], "--reject", "0").status == 2
