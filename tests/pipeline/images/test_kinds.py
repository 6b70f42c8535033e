"""Images of the kinds that people send are read as the digits that they were drawn from."""

import cv2
import mnist_sample
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnist_sample import SAMPLE

from pipeline.images import lines
from pipeline.images.reading import BLANK, Reader, as_seen
from pipeline.images.readings import first_reading
from pipeline.scoring import specimens
from pipeline.scoring.specimens import KINDS

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)

# Of how many images the digit comes back, if not of nearly all.
_SHARE = {"thin": 0.85}


def _drawn(kind, count):
    rng = np.random.default_rng(1)
    return [KINDS[kind](image, rng) for image in IMAGES[:count]]


def _likeness(seen, count):
    """How much images are like the digits that they were drawn from; -1 for what is not read."""
    images = iter(seen.images)
    return np.array(
        [
            -1
            if place in seen.reasons
            else np.corrcoef(next(images).ravel(), IMAGES[place].ravel())[0, 1]
            for place in range(count)
        ]
    )


# Of a few images, one more may be lost.
@pytest.mark.parametrize(
    ("count", "less"), [(20, 0.05), pytest.param(60, 0, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_digits_come_back(kind, count, less, judge):
    sheets = _drawn(kind, count)
    seen = as_seen(sheets, len(sheets), Reader(judge=judge))
    assert np.mean(_likeness(seen, len(sheets)) > 0.6) >= _SHARE.get(kind, 0.95) - less


@pytest.mark.parametrize("kind", ["boxed", "two_borders", "inner_box", "comb", "ruled", "squared"])
def test_a_straight_1_is_not_taken_for_one_of_the_lines(kind):
    rng = np.random.default_rng(6)
    alike = []
    for _ in range(40):
        one = np.zeros((28, 28), np.uint8)
        ends = ((14 + int(rng.integers(-1, 2)), 4), (14, 23))
        cv2.line(one, *ends, 255, int(rng.integers(1, 4)))
        read = first_reading(KINDS[kind](one, rng)).image
        alike.append(-1 if read is None else np.corrcoef(read.ravel(), one.ravel())[0, 1])
    assert np.mean(np.array(alike) > 0.5) >= 0.95


def test_a_bar_alone_is_a_stroke():
    """It goes on to the edges, but nothing beside it is a line."""
    ink = np.zeros((150, 60), np.uint8)
    ink[7:143, 28:31] = 1
    assert lines.find(ink).count == 0


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("boxed", "lines removed"),
        ("two_borders", "lines removed"),
        ("inner_box", "lines removed"),
        ("comb", "lines removed"),
        ("ruled", "lines removed"),
        ("squared", "lines removed"),
        ("specks", "specks removed"),
        ("neighbours", "neighbours removed"),
        ("thin", "strokes thickened"),
    ],
)
def test_a_row_says_what_was_removed_or_done(kind, note):
    sheets = _drawn(kind, 20)
    notes = as_seen(sheets, len(sheets), Reader()).notes
    assert np.mean([note in notes.get(place, "") for place in range(len(sheets))]) > 0.8


@pytest.mark.parametrize("kind", ["margin", "photograph", "scan"])
def test_nothing_is_removed_from_clean_pictures(kind):
    sheets = _drawn("margin" if kind == "scan" else kind, 40)
    removed = [
        note for sheet in sheets for note in first_reading(sheet).notes if note.endswith("removed")
    ]
    assert len(removed) <= 2


def test_lines_are_removed_without_the_strokes_that_cross_them():
    """A ruled line through the middle of a digit: the digit stays as it is without it."""
    alike = []
    for image in IMAGES[:40]:
        ink = np.pad(specimens.enlarged(image, 5), 40)
        crossed = ink.copy()
        middle = ink.shape[0] // 2
        crossed[middle : middle + 3] = 1
        plain, ruled = (first_reading(np.uint8(255 - 255 * sheet)) for sheet in (ink, crossed))
        assert "lines removed" in ruled.notes
        alike.append(np.corrcoef(plain.image.ravel(), ruled.image.ravel())[0, 1])
    assert np.mean(np.array(alike) > 0.9) >= 0.9


@pytest.mark.parametrize("is_light", [True, False])
def test_the_batch_decides_on_the_polarity_of_crops(judge, is_light):
    rng = np.random.default_rng(3)
    sheets = [specimens.tight_crop(image, rng, is_light=is_light) for image in IMAGES[:40]]
    seen = as_seen(sheets, len(sheets), Reader(judge=judge))
    assert np.mean(_likeness(seen, len(sheets)) > 0.6) >= 0.97


@pytest.mark.parametrize("ink", ["dark", "light"])
def test_the_polarity_can_be_told(ink):
    rng = np.random.default_rng(4)
    sheets = [specimens.tight_crop(image, rng, is_light=ink == "light") for image in IMAGES[:40]]
    told = as_seen(sheets, len(sheets), Reader(ink=ink))
    assert np.mean(_likeness(told, len(sheets)) > 0.6) >= 0.97


def test_the_network_is_asked_if_a_reading_is_close():
    """Its surer answer is taken: here that of one who only likes what a light 5 would be."""
    sheet = specimens.tight_crop(IMAGES[0], np.random.default_rng(0), is_light=False)
    dark, light = (as_seen([sheet], 1, Reader(ink=ink)).images[0] for ink in ("dark", "light"))

    def judge(wanted):
        return lambda seen: np.where((seen == wanted).all(axis=(1, 2)), 0.999, 0.001)

    for wanted in (dark, light):
        seen = as_seen([sheet], 1, Reader(judge=judge(wanted)))
        assert np.array_equal(seen.images[0], wanted)


def test_several_digits_are_said_to_be_several():
    """All of them stay in the image: a part of them would be one digit."""
    for first in range(0, 40, 2):
        left, right = (specimens.enlarged(image, 4) for image in IMAGES[first : first + 2])
        sheet = np.zeros((140, left.shape[1] + right.shape[1] + 140))
        for ink, x in ((left, 30), (right, 30 + left.shape[1] + 70)):
            sheet[20 : 20 + ink.shape[0], x : x + ink.shape[1]] = ink
        assert "several digits" in first_reading(np.uint8(255 - 255 * sheet)).notes


def test_paper_with_dust_is_blank(judge):
    rng = np.random.default_rng(5)
    sheets = [specimens.blank_specks(image, rng) for image in IMAGES[:60]]
    reasons = as_seen(sheets, len(sheets), Reader(judge=judge)).reasons
    assert list(reasons.values()).count(BLANK) >= 57


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=6), st.integers(0, 1000))
def test_without_a_network_an_image_is_read_alike_in_every_batch(kinds, seed):
    """Own images are divided by their pixels: none may change from night to night."""
    rng = np.random.default_rng(seed)
    sheets = [KINDS[kind](IMAGES[k], rng) for k, kind in enumerate(kinds)]
    together = as_seen(sheets, len(sheets), Reader())
    images = iter(together.images)
    for place, sheet in enumerate(sheets):
        alone = as_seen([sheet], 1, Reader())
        assert (place in together.reasons) == bool(alone.reasons)
        if not alone.reasons:
            assert np.array_equal(next(images), alone.images[0])
