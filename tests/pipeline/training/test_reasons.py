"""Why a version replaces another, in words."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.labelled import packs, storage
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

    kept = set()
    directory = packs.directory_of(tmp_path)

    def store(*images):
        rows = []
        for number, label in images:
            pixels = np.full(784, number, np.uint8).tobytes()
            rows.append((hashlib.sha256(pixels).digest(), pixels, label, f"{number}.png"))
        rows.sort()
        new = [row for row in rows if row[0] not in kept]
        kept.update(row[0] for row in new)
        part = tmp_path / "part.parquet"
        columns = {
            "digest": pa.array([row[0] for row in new], pa.binary(32)),
            "image": pa.array([row[1] for row in new], pa.binary(784)),
        }
        pq.write_table(pa.table(columns), part)
        paths = pa.array([row[3] for row in new])
        packs.add(directory, [part], np.arange(len(new)), paths)
        digests = np.array([row[0] for row in rows], "S32")
        labels = np.array([row[2] for row in rows], np.uint8)
        names = pa.array([row[3] for row in rows])
        return storage.write(tmp_path, packs.index(directory), digests, labels, names).sha256

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
