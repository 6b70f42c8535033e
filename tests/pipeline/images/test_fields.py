"""Fields of several digits, cut into their digits."""

import cv2
import mnist_sample
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mnist_sample import SAMPLE

from pipeline.images.fields import split
from pipeline.images.reading import Reader, digits_as_seen
from pipeline.scoring import specimens

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)


def _field(indices, rng, gap=12):
    """Digits on a line, so many pixels apart; they touch if it is negative."""
    parts = [specimens.enlarged(IMAGES[index], 4) for index in indices]
    sheet = np.zeros((150, sum(part.shape[1] + max(gap, 0) for part in parts) + 80))
    left = 30
    for part in parts:
        top = (150 - part.shape[0]) // 2
        place = sheet[top : top + part.shape[0], left : left + part.shape[1]]
        np.maximum(place, part, out=place)
        left += part.shape[1] + gap
    return specimens.printed(sheet, rng)


def _likeness(seen, indices):
    return [
        np.corrcoef(image.ravel(), IMAGES[index].ravel())[0, 1]
        for image, index in zip(seen.images, indices, strict=True)
    ]


@pytest.mark.parametrize("is_light", [True, False])
@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_digits_that_lie_apart_come_in_reading_order(count, is_light):
    rng = np.random.default_rng(count)
    alike = []
    for first in range(0, 60, count)[:10]:
        indices = range(first, first + count)
        field = _field(indices, rng)
        seen, numbers = digits_as_seen([255 - field if is_light else field], Reader(split=0))
        if numbers == [count]:
            alike.append(min(_likeness(seen, indices)))
        else:
            alike.append(-1)
    assert np.mean(np.array(alike) > 0.6) >= 0.8


def test_digits_that_touch_are_cut_if_their_number_is_known(judge):
    rng = np.random.default_rng(0)
    found = []
    for first in range(0, 40, 2):
        indices = (first, first + 1)
        pieces = split(_field(indices, rng, gap=-6), "auto", judge, 2)
        assert len(pieces) == 2
        seen, _ = digits_as_seen([_field(indices, rng, gap=-6)], Reader(split=2, judge=judge))
        found.append(len(seen.images) == 2 and min(_likeness(seen, indices)) > 0.5)
    # The network of the sample is a poor judge; MNIST's champion finds nine of ten.
    assert np.mean(found) >= 0.6


@pytest.mark.parametrize(("width", "pieces"), [(60, 1), (100, 1), (160, 2)])
def test_only_what_is_wider_than_digits_are_is_cut_for_a_little_more_likelihood(width, pieces):
    def judge(images):
        # One image is the whole; more of them are halves.
        return np.full(len(images), 0.3 if len(images) == 1 else 0.9)

    sheet = np.full((160, 240), 240, np.uint8)
    cv2.ellipse(sheet, (120, 80), (width // 2, 50), 0, 0, 360, 20, 8)
    assert len(split(sheet, "auto", judge)) == pieces


def test_a_digit_of_small_parts_only_is_kept_and_dust_is_not():
    sheet = np.full((160, 240), 240, np.uint8)
    cv2.line(sheet, (60, 20), (60, 140), 20, 8)
    # A 5: its bar, and its bowl, which is less than half as tall as the 1.
    cv2.line(sheet, (150, 60), (190, 50), 20, 8)
    cv2.ellipse(sheet, (165, 105), (20, 25), 0, -100, 150, 20, 8)
    cv2.circle(sheet, (110, 40), 5, 20, -1)
    one, five = split(sheet)
    assert one.shape[0] > 2 * one.any(axis=0).sum()
    assert five.any(axis=1).sum() > 80


def test_lines_are_read_one_after_the_other():
    rng = np.random.default_rng(0)
    upper, lower = _field([0, 1, 2], rng), _field([3, 4], rng)
    width = max(upper.shape[1], lower.shape[1])
    sheet = np.full((300, width), 245, np.uint8)
    for top, field in ((0, upper), (150, lower)):
        sheet[top : top + 150, : field.shape[1]] = field
    seen, numbers = digits_as_seen([sheet], Reader(split=0))
    assert numbers == [5]
    assert min(_likeness(seen, range(5))) > 0.6


def test_an_empty_field_has_no_digit_and_a_reason():
    sheets = [np.full((60, 300), 240, np.uint8), "truncated image"]
    seen, numbers = digits_as_seen(sheets, Reader(split=0))
    assert numbers == [0, 0]
    assert seen.reasons == {0: "blank image", 1: "truncated image"}


@given(
    arrays.arrays(
        np.uint8,
        st.tuples(st.integers(1, 40), st.integers(1, 90)),
        elements=st.integers(0, 255),
        fill=st.just(220),
    ),
    st.sampled_from([None, 1, 3]),
)
def test_any_image_is_cut_or_blank(grey, count):
    pieces = split(grey, "auto", lambda images: np.full(len(images), 0.4, np.float32), count)
    assert count is None or len(pieces) <= count
    assert all(piece.any() for piece in pieces)
