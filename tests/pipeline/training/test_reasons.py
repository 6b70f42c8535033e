"""Why a version replaces another, in words."""

import hashlib

import numpy as np
import pytest

from pipeline.data.labelled import storage
from pipeline.training.reasons import what_changed
from registry import Registry, RunRecord


@pytest.fixture
def registered(tmp_path):
    """Register versions with some inputs, parameters and code."""
    with Registry(f"sqlite:///{tmp_path}/registry.db", str(tmp_path / "blobs")) as registry:
        yield lambda **record: registry.register("mnist", b"weights", RunRecord(**record))


@pytest.fixture
def stored(tmp_path):
    """Store images, given as a number and its label; return their digest."""

    def store(*images):
        rows = []
        for number, label in images:
            pixels = np.full(784, number, np.uint8).tobytes()
            sha256 = hashlib.sha256(pixels).hexdigest()
            rows.append(storage.LabelledRow(sha256, pixels, label, f"{number}.png"))
        return storage.write(tmp_path, sorted(rows, key=lambda row: row.sha256)).sha256

    return store


def test_labelled_images_are_counted(registered, stored, tmp_path):
    first = registered()
    second = registered(inputs={"labelled": stored((1, 1), (2, 2), (3, 3))})
    third = registered(inputs={"labelled": stored((1, 7), (2, 2), (4, 4), (5, 5))})
    assert what_changed(second, first, tmp_path) == "3 new labelled images"
    assert what_changed(third, second, tmp_path) == (
        "2 new labelled images, 1 corrected labelled image, 1 removed labelled image"
    )
    assert what_changed(first, third, tmp_path) == "without your labelled images"


def test_labelled_images_that_are_not_here_are_not_counted(registered, stored, tmp_path):
    first, second = registered(), registered(inputs={"labelled": "ab" * 32})
    third = registered(inputs={"labelled": stored((1, 1))})
    assert what_changed(second, first, tmp_path) == "labelled images of yours"
    assert what_changed(third, second, tmp_path) == "other labelled images"
    assert what_changed(third, second) == "other labelled images"


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({}, {}, "trained again on the same images, in the same way"),
        ({"params": {"seed": 1}}, {"params": {"seed": 2}}, "seed 2 instead of 1"),
        (
            {"params": {"preset": "quick", "epochs": 10}},
            {"params": {"preset": "best", "epochs": 300}},
            "preset best instead of quick",
        ),
        (
            {"params": {"preset": "quick", "epochs": 10}},
            {"params": {"preset": "quick", "epochs": 11}},
            "other parameters",
        ),
        ({"params": {"threads": 1, "gate": {}}}, {"params": {"threads": 2}}, "trained again"),
        ({"code_version": "a"}, {"code_version": "b"}, "new code (b)"),
        ({"inputs": {"train_images": "a" * 64}}, {"inputs": {}}, "other data than before"),
        (
            {"params": {"seed": 1}, "code_version": "a"},
            {"params": {"seed": 2}, "code_version": "b"},
            "seed 2 instead of 1, new code (b)",
        ),
    ],
)
def test_what_else_changed_is_named(registered, before, now, words):
    first, second = registered(**before), registered(**now)
    assert what_changed(second, first).startswith(words)
