"""Drift: found if there is any, and hardly ever by chance."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import open_registry, retrain, score
from pipeline.data import parquet
from pipeline.images.encoding import png
from pipeline.jobs.ingestion import ingest
from pipeline.metrics.counts import PredictionCounts
from pipeline.metrics.drift import PROFILE, as_text, drift, from_text, profile_of
from pipeline.training.presets import PRESETS

COUNTS = st.lists(st.integers(0, 10_000), min_size=10, max_size=10).filter(sum)


def _of(shares, size, rng):
    return {"predictions": rng.multinomial(size, shares).tolist()}


@given(COUNTS, COUNTS)
def test_the_index_is_symmetric_not_negative_and_zero_without_drift(a, b):
    first, second = {"predictions": a}, {"predictions": b}
    (there,), (back,) = drift(first, second), drift(second, first)
    assert there.index == pytest.approx(back.index)
    assert there.index >= 0
    assert drift(first, first)[0].index == 0
    assert there.limit >= 0.25


def test_the_index_equals_its_formula():
    """With half an image added to each bin."""
    (one,) = drift({"ink": [9, 19]}, {"ink": [29, 9]})
    p, q = np.array([9.5, 19.5]) / 29, np.array([29.5, 9.5]) / 39
    assert one.index == pytest.approx(float(((p - q) * np.log(p / q)).sum()))


@pytest.mark.parametrize("size", [20, 100, 1000])
def test_without_drift_the_limit_is_hardly_ever_exceeded(size):
    """One batch in a thousand may exceed it; three of four hundred would be too many."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(10, 5.0))
    profile = _of(shares, 5000, rng)
    far = sum(drift(_of(shares, size, rng), profile)[0].is_far for _ in range(400))
    assert far <= 2


@pytest.mark.parametrize("size", [100, 1000])
def test_another_population_is_far(size):
    rng = np.random.default_rng(0)
    profile = _of(np.full(10, 0.1), 5000, rng)
    postcodes = np.array([0.4, 0.2, *[0.05] * 8])
    assert drift(_of(postcodes, size, rng), profile)[0].is_far


def test_an_empty_batch_has_no_drift():
    empty = profile_of(PredictionCounts())
    assert drift(empty, empty) == []


@given(st.text(max_size=30) | st.sampled_from(["[]", "null", '{"ink":[1]}', "{}"]))
def test_a_text_that_is_not_a_profile_gives_none(text):
    assert from_text(text) is None


def test_a_profile_survives_its_text():
    counts = PredictionCounts()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 28, 28), np.uint8)
    counts.add(images, rng.dirichlet(np.ones(10), 50).astype(np.float32), np.full(50, -1, np.int8))
    profile = profile_of(counts)
    assert from_text(as_text(profile)) == profile
    assert {sum(counts) for counts in profile.values()} == {50}


def test_ink_is_counted_by_the_mean_pixel():
    images = np.zeros((3, 28, 28), np.uint8)
    images[1] = 255
    images[2] = 36  # ink 0.141
    counts = PredictionCounts()
    counts.add(images, np.eye(10, dtype=np.float32)[:3], np.full(3, -1, np.int8))
    assert np.flatnonzero(counts.ink).tolist() == [0, 6, 11]


def test_a_batch_is_compared_with_the_profile_of_its_version(
    sources, home, monkeypatch, tmp_path, caplog
):
    monkeypatch.setitem(PRESETS, "quick", {**PRESETS["quick"], "epochs": 8})
    version = retrain(preset="quick", min_accuracy=0.2).version
    profile = json.loads(version.tags[PROFILE])
    data = ingest()
    assert {sum(counts) for counts in profile.values()} == {40}
    images = parquet.read(data.test.path, data.test.split).images
    for n, image in enumerate(images):
        for name, pixels in (("near", image), ("far", np.where(image > 0, 255, 0))):
            path = tmp_path / name / f"{n}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(png(pixels.astype(np.uint8)))

    near = score(tmp_path / "near", tmp_path / "near-scores")
    assert {one.what for one in near.drift} == {"predictions", "confidence", "ink"}
    assert not any(one.is_far for one in near.drift)
    assert caplog.messages == []
    far = score(tmp_path / "far", tmp_path / "far-scores")
    (ink,) = (one for one in far.drift if one.what == "ink")
    assert ink.is_far
    assert f"Drift in ink: these images differ from those that {version.reference}" in caplog.text
    summary = json.loads((tmp_path / "far-scores" / "summary.json").read_text())
    assert summary["drift"]["ink"] == {"index": ink.index, "limit": ink.limit, "is_far": True}
    assert summary["per_second"] > 0


def test_a_version_without_a_profile_has_no_drift(home, version, tmp_path):
    (tmp_path / "a.png").write_bytes(png(np.eye(28, dtype=np.uint8) * 255))
    scored = score(tmp_path / "a.png", tmp_path / "scores")
    assert scored.drift == ()
    with open_registry() as registry:
        assert PROFILE not in registry.get("mnist@champion").tags
