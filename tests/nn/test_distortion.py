"""Deformed images, compared with oracles that compute one pixel at a time.

Images of ramps show what a deformation does: if the value of each pixel is its row, a deformed
image gives the row from which each pixel was taken.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn import Distortion, InvalidDataError, InvalidParameterError, single_threaded_blas
from nn.distortion import Distorter

HEIGHT, WIDTH = 9, 7
NONE = {"rotation": 0, "scaling": 0, "shear": 0, "shift": 0, "alpha": 0}
IMAGE = np.random.default_rng(0).random((HEIGHT, WIDTH), np.float32)


class Extreme:
    """A random generator that always draws the same place within the limits, -1 to 1."""

    def __init__(self, place):
        self.place = place

    def uniform(self, low, high, count):
        return np.full(count, (low + high) / 2 + self.place * (high - low) / 2)

    def standard_normal(self, out, dtype):
        out[...] = 0


@pytest.fixture(scope="module", autouse=True)
def _one_blas_thread():
    """As in a training. Several threads would spin while other processes have their cores."""
    with single_threaded_blas():
        yield


def _deformed(image, rng, **limits):
    images = np.array(image, np.float32).reshape(1, -1)
    Distorter(Distortion(**{**NONE, **limits}), np.shape(image))(images, rng)
    return images.reshape(np.shape(image))


def _interpolated(image, y, x):
    """The value between four pixels; 0 is all around the image."""

    def pixel(row, column):
        inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
        return float(image[row, column]) if inside else 0.0

    top, left = math.floor(y), math.floor(x)
    down, right = y - top, x - left
    upper = (1 - right) * pixel(top, left) + right * pixel(top, left + 1)
    lower = (1 - right) * pixel(top + 1, left) + right * pixel(top + 1, left + 1)
    return (1 - down) * upper + down * lower


def _coordinates(rng_of, count, shape, **limits):
    """Rows and columns from which `count` deformed images of a shape have their pixels."""
    distorter = Distorter(Distortion(**{**NONE, **limits}), shape)
    found = []
    for ramp in np.indices(shape, np.float32):
        # From 1, so that what is inside of the image is told from what is not.
        images = np.tile(ramp.reshape(1, -1) + 1, (count, 1))
        distorter(images, rng_of())
        found.append(images.reshape(count, *shape) - 1)
    return found


@pytest.mark.parametrize("shape", [(28, 28), (9, 7), (5, 30)])
def test_limits_of_zero_are_the_identity(shape):
    images = np.random.default_rng(0).random((130, shape[0] * shape[1]), np.float32)
    kept = images.copy()
    Distorter(Distortion(**NONE), shape)(images, np.random.default_rng(1))
    np.testing.assert_allclose(images, kept, atol=2e-6)


def test_many_pixels_are_told_apart_to_the_last():
    """A block of these images has more than float32 could count."""
    images = np.random.default_rng(0).random((27, 800 * 800), np.float32)
    kept = images.copy()
    Distorter(Distortion(**NONE, sigma=400), (800, 800))(images, np.random.default_rng(1))
    np.testing.assert_allclose(images, kept, atol=2e-4)


def test_images_with_more_pixels_than_float32_counts_are_refused():
    with pytest.raises(InvalidDataError, match=r"images: expected fewer .*, got \(4095, 4095\)"):
        Distorter(Distortion(), (4095, 4095))


@pytest.mark.parametrize("shift", [1, 2, 3])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_shift_of_whole_pixels_moves_ink_and_nothing_else(shift, sign):
    """Pixels from outside the image are 0."""
    deformed = _deformed(IMAGE, Extreme(sign), shift=shift)
    expected = np.zeros_like(IMAGE)
    if sign > 0:
        expected[:-shift, :-shift] = IMAGE[shift:, shift:]
    else:
        expected[shift:, shift:] = IMAGE[:-shift, :-shift]
    # Beyond the image's edge a rounding of the edge itself may be left.
    np.testing.assert_allclose(deformed, expected, atol=3e-6)


@given(
    place=st.floats(-1, 1),
    rotation=st.floats(0, 180),
    scaling=st.floats(0, 0.9),
    shear=st.floats(0, 2),
    shift=st.floats(0, 12),
)
def test_affine_deformations_take_each_pixel_from_where_they_should(
    place, rotation, scaling, shear, shift
):
    """Wherever that is: the image is rotated about its centre, sheared, zoomed and moved."""
    deformed = _deformed(
        IMAGE, Extreme(place), rotation=rotation, scaling=scaling, shear=shear, shift=shift
    )
    angle = math.radians(place * rotation)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            y, x = row - (HEIGHT - 1) / 2, column - (WIDTH - 1) / 2
            y, x = (
                math.cos(angle) * y + math.sin(angle) * x,
                math.cos(angle) * x - math.sin(angle) * y,
            )
            x += place * shear * y
            y, x = (value * (1 + place * scaling) + place * shift for value in (y, x))
            expected = _interpolated(IMAGE, y + (HEIGHT - 1) / 2, x + (WIDTH - 1) / 2)
            assert deformed[row, column] == pytest.approx(expected, abs=3e-5)


@pytest.mark.parametrize("degrees", [-30, 7, 90])
def test_a_rotation_is_that_of_opencv(degrees):
    image = cv2.GaussianBlur(np.pad(IMAGE, ((10, 9), (11, 10))), (5, 5), 1)
    height, width = image.shape
    # OpenCV rounds coordinates to fractions of a pixel.
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    expected = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    deformed = _deformed(image, Extreme(math.copysign(1, degrees)), rotation=abs(degrees))
    assert np.abs(expected - image).max() > 0.1
    np.testing.assert_allclose(deformed, expected, atol=0.02)


def test_each_axis_of_each_image_is_moved_and_zoomed_by_itself():
    """Uniformly, from one limit to the other."""
    shape, count = (21, 21), 4000

    def draws(**limits):
        y, x = _coordinates(lambda: np.random.default_rng(0), count, shape, **limits)
        return y[:, 10, 10] - 10, x[:, 10, 10] - 10, y[:, 15, 10] - y[:, 5, 10]

    down, right, height = draws(shift=3)
    for moved in (down, right):
        assert np.histogram(moved, 6, (-3, 3))[0] == pytest.approx(np.full(6, count / 6), rel=0.15)
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.1
    np.testing.assert_allclose(height, 10, atol=1e-4)
    down, right, height = draws(scaling=0.4)
    np.testing.assert_allclose([down, right], 0, atol=1e-5)
    zooms = np.histogram(height / 10 - 1, 8, (-0.4, 0.4))[0]
    assert zooms == pytest.approx(np.full(8, count / 8), rel=0.15)


@pytest.mark.parametrize("sigma", [1.5, 5])
def test_elastic_fields_are_smoothed_uniform_noise(sigma):
    """They have its standard deviation at every pixel, and its correlation between pixels."""
    length, count, alpha = 24, 1500, 0.8 * sigma
    rng = np.random.default_rng(1)
    place = np.arange(length)
    kernel = np.exp(-((place[:, np.newaxis] - place) ** 2) / (2 * sigma**2))
    kernel /= sigma * math.sqrt(2 * math.pi)
    noise = rng.uniform(-1, 1, (count, length, length))
    smoothed = alpha * (kernel @ noise @ kernel.T)

    fields = _coordinates(
        lambda: np.random.default_rng(2), count, (length, length), alpha=alpha, sigma=sigma
    )
    inside = slice(3, -3)
    for field, origin in zip(fields, np.indices((length, length)), strict=True):
        moved = field - origin
        np.testing.assert_allclose(
            moved[:, inside, inside].std(axis=0), smoothed[:, inside, inside].std(axis=0), rtol=0.13
        )
        assert moved[:, inside, inside].std() == pytest.approx(
            smoothed[:, inside, inside].std(), rel=0.03
        )
        for away in (1, 3):
            pairs = [
                np.mean(values[:, 4:16, 4:20] * values[:, 4 + away : 16 + away, 4:20])
                for values in (moved, smoothed)
            ]
            assert pairs[0] == pytest.approx(pairs[1], abs=0.08 * smoothed.var())
    # The rows' field tells nothing of the columns'.
    down, right = (field[:, 12, 12] for field in fields)
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.1


def test_alpha_36_and_sigma_5_move_a_pixel_by_1_2_on_average_of_squares():
    centre = [
        field[:, 20, 20] - 20
        for field in _coordinates(
            lambda: np.random.default_rng(0), 2000, (41, 41), alpha=36, sigma=5
        )
    ]
    assert np.sqrt(np.square(centre).mean()) == pytest.approx(1.2, abs=0.06)


@given(
    seed=st.integers(0, 2**32),
    strength=st.floats(0, 8),
    ink=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_results_stay_between_0_and_1(seed, strength, ink):
    rng = np.random.default_rng(seed)
    images = rng.random((3, 64), np.float32)
    images[rng.random(images.shape) < ink] = 1
    distortion = Distortion(
        rotation=40 * strength,
        scaling=strength / 9,
        shear=strength,
        shift=strength,
        alpha=36 * strength,
    )
    Distorter(distortion, (8, 8))(images, rng)
    assert ((images >= 0) & (images <= 1)).all()


@pytest.mark.parametrize("limit", NONE)
def test_equal_generators_give_equal_images_and_others_do_not(limit):
    distorter = Distorter(Distortion(**{**NONE, limit: 0.5}), IMAGE.shape)
    deformed = []
    for seed in (1, 1, 2):
        images = np.tile(IMAGE.reshape(1, -1), (70, 1))
        distorter(images, np.random.default_rng(seed))
        deformed.append(images)
    assert (deformed[0] == deformed[1]).all()
    assert len(np.unique(np.concatenate(deformed[1:]), axis=0)) == 140


def test_threads_share_a_distorter_and_not_its_scratch():
    distorter = Distorter(Distortion(), (28, 28))

    def deform(seed):
        images = np.random.default_rng(seed).random((100, 784), np.float32)
        distorter(images, np.random.default_rng(seed))
        return images

    alone = [deform(seed) for seed in range(24)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(deform, range(24)))
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))


@given(st.floats(0, 1), st.floats(0, 1))
def test_fading_makes_the_limits_smaller_as_a_training_goes_on(fading, progress):
    limits = {"rotation": 15, "scaling": 0.1, "shear": 0.2, "shift": 1, "alpha": 36}
    strength = 1 - fading * progress
    fixed = {name: strength * limit for name, limit in limits.items()}
    images = [np.tile(IMAGE.reshape(1, -1), (5, 1)) for _ in range(2)]
    fades = Distorter(Distortion(**limits, fading=fading), IMAGE.shape)
    fades(images[0], np.random.default_rng(1), progress)
    Distorter(Distortion(**fixed), IMAGE.shape)(images[1], np.random.default_rng(1))
    assert images[0] == pytest.approx(images[1], abs=1e-4)


@pytest.mark.parametrize(
    "limit", ["rotation", "scaling", "shear", "shift", "alpha", "sigma", "fading"]
)
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "much", None, True])
def test_a_limit_outside_its_domain_is_named(limit, value):
    with pytest.raises(InvalidParameterError, match=f"^distortion.{limit}: expected .*, got "):
        Distortion(**{limit: value})


@pytest.mark.parametrize(("limit", "value"), [("sigma", 0), ("sigma", 1e-200), ("scaling", 1)])
def test_images_are_not_scaled_to_nothing_and_fields_are_smoothed_by_something(limit, value):
    with pytest.raises(InvalidParameterError) as raised:
        Distortion(**{limit: value})
    assert raised.value.name == f"distortion.{limit}"


def test_its_params_make_it_again():
    distortion = Distortion(rotation=3, alpha=0, sigma=4.5)
    assert Distortion(**asdict(distortion)) == distortion
