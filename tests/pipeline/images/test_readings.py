"""Images of any size and polarity, made what MNIST's are."""

import cv2
import mnist_sample
import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mnist_sample import SAMPLE
from scans import scan

from pipeline.images.decoding import decode
from pipeline.images.encoding import png
from pipeline.images.explaining import explanation
from pipeline.images.reading import Reader, as_seen
from pipeline.images.readings import first_reading, other_readings
from pipeline.scoring.specimens import tight_crop

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)


def _centre_of_mass(image):
    rows, columns = np.nonzero(image)
    weights = image[rows, columns].astype(float)
    return np.average(rows, weights=weights), np.average(columns, weights=weights)


def _check_frame(image):
    """20 pixels long, and its centre of mass in the middle, as far as there is room."""
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    rows, columns = np.nonzero(image)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
    for place, ends in zip(_centre_of_mass(image), (rows, columns), strict=True):
        assert abs(place - 14) < 1 or ends.min() == 0 or ends.max() == 27


def _is_blank(sheet):
    return as_seen([sheet], 1, Reader()).reasons == {0: "blank image"}


@pytest.mark.parametrize("factor", [3, 5, 8])
@pytest.mark.parametrize("dark", [True, False])
def test_larger_ones_come_back(factor, dark):
    """Enlarged, in either polarity and off the centre: much as they were, give or take a pixel."""
    alike = []
    for image in IMAGES[:40]:
        sheet = np.zeros((28 * factor + 90, 28 * factor + 60), np.uint8)
        large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        sheet[70 : 70 + 28 * factor, 12 : 12 + 28 * factor] = large
        reading = first_reading(255 - sheet if dark else sheet)
        assert reading.is_dark_on_light == dark
        _check_frame(reading.image)
        alike.append(np.corrcoef(reading.image.ravel(), image.ravel())[0, 1])
    assert min(alike) > 0.6
    assert np.mean(alike) > 0.9


def test_scans_are_read_as_well_as_the_images_themselves(network):
    """The whole test set is measured by `make bench-scoring`; this is a sample."""
    rng = np.random.default_rng(0)
    scans = [first_reading(decode(scan(image, rng))).image for image in IMAGES]
    for image in scans:
        _check_frame(image)
    plain, scanned = (network.validate(images, LABELS) for images in (IMAGES, np.array(scans)))
    assert plain > 0.8
    assert scanned >= plain - 0.05


@given(st.integers(1, 60), st.integers(1, 60), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_anything_becomes_an_image_or_is_blank(height, width, data):
    grey = data.draw(
        arrays.arrays(np.uint8, (height, width), elements=st.integers(0, 255), fill=st.just(200))
    )
    before = grey.copy()
    for polarity in ("auto", "dark", "light"):
        first = first_reading(grey, polarity)
        for reading in (first, *other_readings(grey, polarity, first)):
            assert polarity == "auto" or reading.is_dark_on_light == (polarity == "dark")
            if reading.image is not None:
                _check_frame(reading.image)
                assert reading.image.any()
    assert (grey == before).all()


@pytest.mark.parametrize("value", [0, 127, 255])
@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (300, 200)])
def test_nothing_on_the_paper_is_blank(value, shape):
    assert _is_blank(np.full(shape, value, np.uint8))


def test_noise_and_uneven_light_alone_are_blank():
    rng = np.random.default_rng(0)
    light = np.linspace(120, 220, 300)[:, np.newaxis] + np.linspace(0, 30, 200)
    sheet = np.clip(light + rng.normal(0, 3, light.shape), 0, 255).astype(np.uint8)
    assert _is_blank(sheet)


def test_a_small_digit_on_a_large_sheet_is_looked_at_closely():
    sheet = np.full((2000, 1500), 235, np.uint8)
    sheet[1500:1584, 200:284] = 235 - cv2.resize(IMAGES[0], (84, 84)) // 2
    _check_frame(first_reading(sheet).image)


def test_each_step_is_drawn(tmp_path):
    (tmp_path / "scan.jpg").write_bytes(scan(IMAGES[0], np.random.default_rng(0)))
    (tmp_path / "mnist.png").write_bytes(png(IMAGES[0]))
    crop = tight_crop(IMAGES[2], np.random.default_rng(0), is_light=False)
    (tmp_path / "crop.png").write_bytes(png(crop))
    five, six, more = (
        explanation(tmp_path / name) for name in ("scan.jpg", "mnist.png", "crop.png")
    )
    assert five.dtype == np.uint8
    assert six.shape == (five.shape[0], five.shape[1] // 5 * 6)
    # The polarity of a crop is close: both are shown.
    assert more.shape[1] > six.shape[1]
