"""The batches of training examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn.batches import Batches
from nn.distortion import Distorter, Distortion
from nn.objectives import targets
from nn.parallel.workers import Workers
from nn.views import VIEWS, view


def _batches(x, y, **changes):
    options = {"batch_size": 10, "label_smoothing": 0.0, "distorter": None, "workers": Workers(1)}
    return Batches(x, y, 10, **{**options, **changes})


def _pass(batches, order, seed=0):
    """Copies of all chunks of a pass: images, targets and labels."""
    seeds = np.random.SeedSequence(seed).spawn(batches.generators)
    chunks = batches(order, [np.random.default_rng(seed) for seed in seeds])
    return [(chunk.x.copy(), chunk.targets, chunk.labels) for chunk in chunks]


@given(
    count=st.integers(1, 1500),
    batch_size=st.integers(1, 1600),
    smoothing=st.sampled_from([0.0, 0.25]),
)
def test_a_pass_is_every_example_once_in_the_order_asked_for(count, batch_size, smoothing):
    """With its own label, and in whole batches but for the last."""
    rng = np.random.default_rng(count)
    x = rng.integers(0, 256, (count, 3), np.uint8)
    y = rng.integers(0, 10, count)
    order = rng.permutation(count)
    batches = _batches(x, y, batch_size=batch_size, label_smoothing=smoothing)
    chunks = _pass(batches, order)
    assert all(len(images) % batch_size == 0 for images, _, _ in chunks[:-1])
    assert max(len(images) for images, _, _ in chunks) == batches.longest
    images = np.concatenate([images for images, _, _ in chunks])
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, x[order] / 255, rtol=1e-6)
    labels = np.concatenate([labels for _, _, labels in chunks])
    assert (labels == y[order]).all()
    smoothed = np.concatenate([columns for _, columns, _ in chunks], axis=1)
    assert (smoothed == targets(labels, 10, smoothing)).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f8"])
def test_floats_of_any_size_become_float32(dtype):
    x = np.random.default_rng(0).random((5, 4)).astype(dtype)
    ((images, _, _),) = _pass(_batches(x, np.arange(5)), np.arange(5))
    assert images.dtype == np.float32
    assert (images == x.astype(np.float32)).all()


def test_each_pass_deforms_each_image_in_its_own_way():
    """Equal images come out different, and the given array does not change."""
    x = np.zeros((600, 8, 8), np.uint8)
    x[:, 2:6, 3:5] = 200
    x = x.reshape(600, 64)
    kept = x.copy()
    batches = _batches(
        x, np.zeros(600, int), distorter=Distorter(Distortion(), (8, 8)), batch_size=7
    )
    first, again, other = (
        np.concatenate([images for images, _, _ in _pass(batches, np.arange(600), seed)])
        for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert len(np.unique(np.concatenate([first, other]), axis=0)) == 1200
    assert (x == kept).all()


def test_what_one_process_draws_is_nothing_to_another():
    """Each piece of a chunk has a generator of its own, so it may be prepared anywhere."""
    x = np.random.default_rng(0).integers(0, 256, (300, 64), np.uint8)
    batches = _batches(x, np.zeros(300, int), distorter=Distorter(Distortion(), (8, 8)))

    def images(*seeds):
        (chunk,) = batches(np.arange(300), [np.random.default_rng(seed) for seed in seeds])
        return chunk.x.copy()

    usual, other = images(1, 2, 3), images(1, 7, 3)
    changed = (usual != other).any(axis=1).nonzero()[0]
    assert 0 < len(changed) < 300
    assert (changed == np.arange(changed[0], changed[-1] + 1)).all()
    assert batches.generators == 3


def test_a_view_is_that_of_the_deformed_images():
    x = np.random.default_rng(0).integers(0, 256, (300, 144), dtype=np.uint8)

    def chunks(view):
        distorter = Distorter(Distortion(), (12, 12))
        batches = _batches(x, np.zeros(300, int), distorter=distorter, view=view)
        seeds = np.random.SeedSequence(1).spawn(batches.generators)
        for chunk in batches(np.arange(300), [*map(np.random.default_rng, seeds)]):
            yield chunk.x.copy()

    for name in VIEWS:
        for plain, seen in zip(chunks("plain"), chunks(name), strict=True):
            np.testing.assert_array_equal(seen, view(name, plain))
