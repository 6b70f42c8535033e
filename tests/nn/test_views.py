"""Views of images, and committees whose members see them."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nn import InvalidParameterError, NeuralNetwork, Style, WeightsError
from nn.distortion import Distortion
from nn.edges import edges
from nn.session import training_session
from nn.slant import MAX_SLANT
from nn.views import OF_EDGES, VIEWS, view

BOTH = ("plain", "deslanted")

IMAGES = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 4), st.just(144)), elements=st.integers(0, 255)
)


def _strokes(count, side=28, seed=0):
    """Lines and ellipses, shape (count, side * side), with some room around them."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, side, side), np.uint8)
    for image in images:
        centre, lean = side // 2, int(rng.integers(-5, 6))
        cv2.line(image, (centre + lean, 5), (centre - lean, side - 6), 255, int(rng.integers(1, 4)))
        axes = tuple(int(n) for n in rng.integers(2, 7, 2))
        cv2.ellipse(image, (centre, centre), axes, 0, 0, 360, 200, 1)
    return images.reshape(count, -1)


def test_a_deslanted_image_is_what_opencv_shears():
    """By its moments: each row comes from columns that are moved by the slant."""
    x = _strokes(300).astype(np.float32) / 255
    rows, columns = np.indices((28, 28), np.float32)
    for image, seen in zip(x.reshape(-1, 28, 28), view("deslanted", x), strict=True):
        moments = cv2.moments(image)
        slant = np.clip(moments["mu11"] / moments["mu02"], -MAX_SLANT, MAX_SLANT)
        moved = columns + slant * (rows - moments["m01"] / moments["m00"])
        expected = cv2.remap(image, moved.astype(np.float32), rows, cv2.INTER_LINEAR)
        # OpenCV rounds positions to 1/32 of a pixel.
        np.testing.assert_allclose(seen.reshape(28, 28), expected, atol=1 / 32 + 1e-3)


def test_a_deslanted_image_has_no_slant():
    seen = view("deslanted", _strokes(300).astype(np.float32) / 255).reshape(-1, 28, 28)
    for image in seen:
        moments = cv2.moments(image)
        assert abs(moments["mu11"]) < 0.02 * moments["mu02"]


@given(IMAGES)
def test_every_image_has_every_view(pixels):
    """Empty ones, single rows and noise too: within [0, 1], rows stay rows, nothing is changed."""
    before = pixels.copy()
    for name in VIEWS:
        seen = view(name, pixels.astype(np.float32) / 255)
        assert np.isfinite(seen).all()
        assert seen.min() >= 0
        assert seen.max() <= (1.9 if name in OF_EDGES else 1 + 1e-6)
        empty = seen[pixels.max(axis=1) == 0]
        assert not empty.any()
    is_empty = pixels.reshape(-1, 12, 12).max(axis=2) == 0
    upright = view("deslanted", pixels.astype(np.float32) / 255)
    assert not upright.reshape(-1, 12, 12)[is_empty].any()
    assert (pixels == before).all()
    assert (view("plain", pixels / np.float32(255)) == pixels / np.float32(255)).all()


def _cell_weights(length, cell, sigma):
    position = np.arange(length)
    centres = np.arange(cell // 2 - 0.5, length, cell)
    gaussian = np.exp(-((position - centres[:, np.newaxis]) ** 2) / (2 * sigma**2))
    return gaussian / (sigma * math.sqrt(2 * math.pi))


def test_edges_are_gradients_that_are_split_between_eight_directions():
    """As Liu et al. 2003 describe them, pixel by pixel, with the gradients of OpenCV."""
    side = 28
    x = _strokes(40).astype(np.float32) / 255
    by_row, by_column = _cell_weights(side, 4, 1.6), _cell_weights(side, 2, 0.8)
    axes = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}
    directions = [np.array(d) for d in axes.values()]
    directions += [np.array((y, x)) / math.sqrt(2) for x in (1, -1) for y in (1, -1)]
    for image, found in zip(x.reshape(-1, side, side), edges(x), strict=True):
        padded = cv2.copyMakeBorder(image.astype(float), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        gradient = np.stack([cv2.Sobel(padded, -1, 0, 1), cv2.Sobel(padded, -1, 1, 0)])
        gradient = gradient[:, 1:-1, 1:-1]
        strength = np.zeros((8, side, side))
        for row, column in np.ndindex(side, side):
            vector = gradient[:, row, column]
            if not vector.any():
                continue
            # The two nearest directions, and the vector in terms of them.
            first, second = np.argsort([-float(vector @ d) for d in directions], kind="stable")[:2]
            basis = np.stack([directions[first], directions[second]], axis=1)
            strength[[first, second], row, column] = np.linalg.solve(basis, vector)
        expected = np.sqrt(by_row @ strength @ by_column.T + 0.04) - 0.2
        np.testing.assert_allclose(found.reshape(8, 7, 14), expected, atol=1e-5)


@given(IMAGES)
def test_the_edges_of_a_mirrored_image_are_mirrored(pixels):
    x = pixels.astype(np.float32) / 255
    mirrored = np.ascontiguousarray(x.reshape(-1, 12, 12)[:, :, ::-1]).reshape(x.shape)
    swapped = edges(x).reshape(-1, 8, 3, 6)[:, [1, 0, 2, 3, 6, 7, 4, 5], :, ::-1]
    np.testing.assert_allclose(edges(mirrored).reshape(swapped.shape), swapped, atol=1e-5)


def test_the_views_of_edges_are_the_edges_of_the_others():
    x = _strokes(70).astype(np.float32) / 255
    for name, of in (("edges", "plain"), ("deslanted_edges", "deslanted")):
        np.testing.assert_allclose(view(name, x), edges(view(of, x)), atol=1e-5)


def test_an_image_has_the_same_edges_whichever_others_it_is_with():
    x = _strokes(300).astype(np.float32) / 255
    together = view("edges", x)
    alone = np.concatenate([view("edges", row[np.newaxis]) for row in x])
    np.testing.assert_allclose(together, alone, atol=1e-5)


# Committees.


def _network(**changes):
    params = {"sizes": (144, 12, 8, 3), "activation": "relu", "initializer": "he", "epochs": 3}
    return NeuralNetwork(**{**params, "views": BOTH, "seed": 3, "batch_size": 16, **changes})


def _data(count=150):
    return _strokes(count, side=12), np.arange(count) % 3


def test_the_logits_of_a_committee_are_the_mean_of_its_members():
    images, labels = _data()
    committee = _network(l2=0.5).fit(images, labels)
    assert committee.weights[1].shape == (2, 12, 144)
    assert committee.biases[3].shape == (2, 3)
    logits = np.zeros((150, 3))
    for number, name in enumerate(BOTH):
        a = view(name, images.astype(np.float32) / 255)
        for layer in (1, 2, 3):
            z = a @ committee.weights[layer][number].T + committee.biases[layer][number]
            hidden, a = a, np.maximum(z, 0)
        logits += z / 2
        np.testing.assert_allclose(
            committee.predict_with_hidden(images)[1][:, 8 * number : 8 * (number + 1)],
            hidden,
            atol=1e-4,
        )
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(committee.predict_proba(images), p, atol=1e-4)
    np.testing.assert_array_equal(committee.predict(images), p.argmax(axis=1))


RANDOM = {"distortion": Distortion(), "style": Style(), "skipping": 0.5, "dropout": 0.2}


@pytest.mark.parametrize("second", VIEWS)
def test_each_member_is_trained_as_it_would_be_alone_with_the_next_seed(second):
    data = _data()
    changes = {**RANDOM, "l2": 0.1, "optimizer": "momentum", "learning_rate": 0.1}
    committee = _network(**changes, views=("plain", second), seed=7).fit(*data)
    for number, seen in enumerate(("plain", second)):
        alone = _network(**changes, views=(seen,), seed=7 + number).fit(*data)
        for layer in (1, 2, 3):
            np.testing.assert_array_equal(committee.weights[layer][number], alone.weights[layer])
            np.testing.assert_array_equal(committee.biases[layer][number], alone.biases[layer])


def test_a_committee_that_was_interrupted_resumes(tmp_path):
    images, labels = _data()
    data = (images, labels, (images[:30], labels[:30]))
    whole = _network(**RANDOM).fit(*data)

    def stop(epoch):
        if epoch.number == 2:
            raise KeyboardInterrupt

    file = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        _network(**RANDOM).fit(*data, on_epoch=stop, checkpoint=file)
    resumed = _network(**RANDOM).fit(*data, checkpoint=file)
    assert resumed.to_bytes() == whole.to_bytes()
    assert whole.to_bytes() == _network(**RANDOM).fit(*data).to_bytes()


def test_processes_that_share_a_committee_train_the_same():
    """But for dropout, of which each process draws its own."""
    images, labels = _data()
    network = _network(**{**RANDOM, "dropout": 0.0})
    results = []
    for size in (1, 3):
        with training_session(network, images, labels, (12, 12), 1, size) as training:
            losses = [training.run_epoch() for _ in range(2)]
            results.append((np.concatenate([m.vector for m in training.result()]), losses))
    (alone, one), (together, three) = results
    np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(three, one, rtol=1e-4)


@pytest.mark.parametrize("views", [("deslanted",), ("plain", "plain"), BOTH, OF_EDGES])
def test_a_committee_survives_its_bytes(views):
    images, labels = _data()
    network = _network(views=list(views)).fit(images, labels)
    network.attached["more"] = np.ones(3, np.float32)
    again = NeuralNetwork.from_bytes(network.to_bytes())
    assert again.to_bytes() == network.to_bytes()
    assert again.views == views
    np.testing.assert_array_equal(again.predict_proba(images), network.predict_proba(images))
    assert again.validate(images, labels) == network.validate(images, labels)


def test_views_need_square_images():
    with pytest.raises(InvalidParameterError, match="plain, as the images are not square"):
        NeuralNetwork((145, 3), views=BOTH)


def test_edges_need_cells_of_four_rows():
    with pytest.raises(InvalidParameterError, match="4 does not divide the side of the images, 13"):
        NeuralNetwork((169, 3), views=("deslanted", "deslanted_edges"))


def test_weights_of_another_committee_are_refused():
    images, labels = _data()
    data = _network().fit(images, labels).to_bytes()
    both, one = (rb"\"views\": [\"plain\", \"deslanted\"]", rb"\"views\": [\"deslanted\"]")
    changed = data.replace(both, one.ljust(len(both)))
    assert changed != data
    with pytest.raises(WeightsError, match="require tensors"):
        NeuralNetwork.from_bytes(changed)
