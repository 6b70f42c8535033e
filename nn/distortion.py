"""Images deformed at random, so that a network never sees the same one twice.

Affine and elastic deformations as in Simard, Steinkraus and Platt 2003 ("Best practices for
convolutional neural networks applied to visual document analysis") and Cireşan et al. 2010
(arXiv:1003.0358), with bilinear interpolation.
"""

from __future__ import annotations  # NumPy loads numpy.random when it is first named

import threading
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nn import validation
from nn.activations import Array
from nn.errors import InvalidDataError, InvalidParameterError

# Of the smoothest fields, those kept; the ones left out are below this share of the largest.
_NEGLIGIBLE = 1e-3

# Whole numbers up to this are exact in float32.
_EXACT = 1 << 24

# Below this there is nothing to smooth: a pixel's neighbours weigh less than a billionth.
_LEAST_SIGMA = 0.15

# Images deformed at once: enough that threads spend their time outside of the interpreter's
# lock, and few enough for a core's own cache.
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Distortion:
    """How far images are deformed. Every draw is uniform within plus and minus its limit.

    Raises
    ------
    InvalidParameterError
        Where a limit is outside its domain.
    """

    rotation: float = 15.0
    """Degrees."""
    scaling: float = 0.15
    """A fraction, drawn for each axis by itself."""
    shear: float = 0.15
    """Pixels that a row moves, for each row that it is away from the centre."""
    shift: float = 1.0
    """Pixels, drawn for each axis by itself."""
    alpha: float = 36.0
    """Elastic deformation, pixels: random fields, uniform in [-1, 1], are smoothed and
    multiplied by this. With sigma 5, 36 moves a pixel by 1.2 on average of squares."""
    sigma: float = 5.0
    """Standard deviation of the Gaussian that smooths the fields, in pixels."""

    def __post_init__(self) -> None:
        for field in fields(self):
            name = f"distortion.{field.name}"
            check = validation.positive if field.name == "sigma" else validation.not_negative
            # Frozen for users; whatever kind of number was given, a plain one is kept.
            object.__setattr__(self, field.name, check(name, getattr(self, field.name)))
        validation.below("distortion.scaling", self.scaling, 1)
        if self.sigma < _LEAST_SIGMA:
            raise InvalidParameterError(
                "distortion.sigma", f"a number from {_LEAST_SIGMA}", self.sigma
            )


class Distorter:
    """Deforms images of one shape.

    A deformation says, for every pixel, from where in the image it takes its value. These
    coordinates are a linear combination of fixed fields: constant, row and column for the affine
    part, and for the elastic part the fields that smoothing leaves of random ones. Smoothing is
    ``G N G.T`` with a Gaussian matrix ``G = U S U.T``; ``U.T N U`` is as random as ``N``, so the
    same fields come from ``(U S) N (U S).T``, and of S only the first few are not negligible.
    All coordinates of all images are then one product of matrices, with a few dozen random
    numbers for an image in place of two for a pixel.
    """

    def __init__(self, distortion: Distortion, shape: tuple[int, int]) -> None:
        if (shape[0] + 2) * (shape[1] + 2) > _EXACT:
            raise InvalidDataError("images", f"fewer than {_EXACT} pixels each", str(shape))
        self._distortion = distortion
        self._shape = shape
        self._scratch = _Scratch(*shape)
        rows, columns = (_smooth(length, distortion.sigma) for length in shape)
        elastic = np.einsum("ya,xb->abyx", rows, columns).reshape(-1, *shape)
        y, x = (np.arange(length) - (length - 1) / 2 for length in shape)
        y, x = np.meshgrid(y, x, indexing="ij")
        fields = [np.stack([np.ones(shape), y, x]), elastic]
        self._fields = np.concatenate(fields).reshape(-1, y.size).astype(np.float32)

    def __call__(self, images: Array, rng: np.random.Generator) -> None:
        """Deform each image by itself, in place.

        Parameters
        ----------
        images : ndarray of float32, shape (m, h * w)
            What lies outside of an image is taken to be 0.
        """
        scratch = self._scratch
        block = len(scratch.padded)
        for start in range(0, len(images), block):
            self._deform(images[start : start + block], rng, scratch)

    def _deform(self, images: Array, rng: np.random.Generator, scratch: _Scratch) -> None:
        height, width = self._shape
        count = len(images)
        padded = scratch.padded[:count]
        padded[:, 1:-1, 1:-1] = images.reshape(-1, height, width)
        pixels = scratch.padded.reshape(-1)

        coefficients = self._coefficients(count, rng)
        y = np.matmul(coefficients[0], self._fields, out=scratch.y[:count])
        x = np.matmul(coefficients[1], self._fields, out=scratch.x[:count])
        # Just before the last pixel, so that a place always has a neighbour beyond it.
        np.clip(y, 0, np.nextafter(np.float32(height + 1), np.float32(0)), out=y)
        np.clip(x, 0, np.nextafter(np.float32(width + 1), np.float32(0)), out=x)
        above = np.floor(y, out=scratch.first[:count])
        left = np.floor(x, out=scratch.second[:count])
        y -= above
        x -= left
        # A place in all of the block's pixels, exact in float32.
        above *= width + 2
        above += left
        above += scratch.starts[:count]
        places = scratch.places[:count]
        np.copyto(places, above, casting="unsafe")

        upper, right = scratch.first[:count], scratch.second[:count]
        lower = images
        for row, offset in ((upper, 0), (lower, width + 2)):
            # The coordinates are clipped already; "clip" spares NumPy a check and a copy.
            pixels[offset:].take(places, mode="clip", out=row)
            pixels[offset + 1 :].take(places, mode="clip", out=right)
            right -= row
            right *= x
            row += right
        lower -= upper
        lower *= y
        lower += upper

    def _coefficients(self, count: int, rng: np.random.Generator) -> Array:
        """Return what each field weighs, shape ``(2, count, fields)``: for rows and columns."""
        limits = self._distortion
        coefficients = np.empty((2, count, len(self._fields)), np.float32)
        # Of a uniform number in [-1, 1] the standard deviation is 1/sqrt(3), and sums of many
        # are normal.
        rng.standard_normal(out=coefficients, dtype=np.float32)
        coefficients *= np.float32(limits.alpha / np.sqrt(3))

        def drawn(limit: float) -> NDArray[np.float64]:
            return rng.uniform(-limit, limit, count)

        angle = np.deg2rad(drawn(limits.rotation))
        shear = drawn(limits.shear)
        sine, cosine = np.sin(angle), np.cos(angle)
        for axis, (by_row, by_column) in enumerate(
            ((cosine, sine), (shear * cosine - sine, shear * sine + cosine))
        ):
            zoom = 1 + drawn(limits.scaling)
            # The centre, in coordinates of the padded image.
            centre = (self._shape[axis] + 1) / 2
            coefficients[axis, :, 0] = centre + drawn(limits.shift)
            coefficients[axis, :, 1] = zoom * by_row
            coefficients[axis, :, 2] = zoom * by_column
        return coefficients


def _smooth(length: int, sigma: float) -> NDArray[np.float64]:
    """Return ``U S`` of the matrix that smooths along an axis, shape ``(length, rank)``."""
    place = np.arange(length)
    distance = place[:, np.newaxis] - place
    gaussian = np.exp(-(distance**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    values, vectors = np.linalg.eigh(gaussian)
    kept = values > _NEGLIGIBLE * values[-1]
    return np.asarray(vectors[:, kept] * values[kept])


class _Scratch(threading.local):
    """Each thread's temporary arrays for a block of images.

    Allocated anew for every block, as the allocator returns them to the system each time, they
    would cost more than what is computed in them.
    """

    def __init__(self, height: int, width: int) -> None:
        block = min(_BLOCK, _EXACT // ((height + 2) * (width + 2)))
        shape = (block, height * width)
        self.padded = np.zeros((block, height + 2, width + 2), np.float32)
        self.starts = np.arange(0, self.padded.size, self.padded[0].size, dtype=np.float32)
        self.starts = self.starts[:, np.newaxis]
        self.y, self.x, self.first, self.second = np.empty((4, *shape), np.float32)
        self.places = np.empty(shape, np.intp)
