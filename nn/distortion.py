"""Random deformations of images, so that a network never sees the same image twice.

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

# Elastic fields with a smaller share of the largest amplitude are left out.
_NEGLIGIBLE = 1e-3

# Integers up to this are exact in float32.
_EXACT = 1 << 24

# Smallest sigma: below it nothing is smoothed, a neighbouring pixel weighs less than 1e-9.
_MIN_SIGMA = 0.15

# Images deformed together: enough that threads spend most of their time outside the global
# interpreter lock, and few enough for the cache of a core.
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Distortion:
    """Limits of the random deformations. A value is drawn uniformly between -limit and +limit.

    Raises
    ------
    InvalidParameterError
        If a limit is outside its domain.
    """

    rotation: float = 15.0
    """Degrees."""
    scaling: float = 0.15
    """A fraction, drawn for each axis separately."""
    shear: float = 0.15
    """Pixels that a row moves, for each row between it and the centre."""
    shift: float = 1.0
    """Pixels, drawn for each axis separately."""
    alpha: float = 36.0
    """Elastic deformation, pixels: random fields, uniform in [-1, 1], are smoothed and
    multiplied by this. With sigma 5, 36 moves a pixel by 1.2 pixels (root mean square)."""
    sigma: float = 5.0
    """Standard deviation of the Gaussian that smooths the fields, in pixels."""
    fading: float = 0.0
    """Fraction by which all limits fall in the course of a training, evenly: a network first learns
    from what is far from the data, and ends near them."""

    def __post_init__(self) -> None:
        for field in fields(self):
            name = f"distortion.{field.name}"
            check = validation.positive if field.name == "sigma" else validation.nonnegative
            # The class is frozen for users. Any type of number becomes a float.
            object.__setattr__(self, field.name, check(name, getattr(self, field.name)))
        validation.below("distortion.scaling", self.scaling, 1)
        validation.fraction("distortion.fading", self.fading)
        if self.sigma < _MIN_SIGMA:
            raise InvalidParameterError("distortion.sigma", f"a number >= {_MIN_SIGMA}", self.sigma)


class Distorter:
    """Deforms images of one shape.

    A deformation gives, for every pixel, the coordinates in the image from which it takes its
    value. They are a linear combination of fixed fields: constant, row and column for the affine
    part, and smoothed random fields for the elastic part. Smoothing is ``G N G.T`` with a
    Gaussian matrix ``G = U S U.T``. Since ``U.T N U`` has the same distribution as ``N``, the
    fields are ``(U S) N (U S).T``, and only the first few values of S are not negligible. So
    the coordinates of all images are one matrix product, with a few dozen random numbers per
    image instead of two per pixel.
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

    def __call__(self, images: Array, rng: np.random.Generator, progress: float = 0.0) -> None:
        """Deform each image independently, in place.

        Parameters
        ----------
        images : ndarray of float32, shape (m, h * w)
            Pixels outside an image count as 0.
        progress : float
            Part of the training that is over, in [0, 1].
        """
        scratch = self._scratch
        block = len(scratch.padded)
        strength = 1 - self._distortion.fading * progress
        for start in range(0, len(images), block):
            self._deform(images[start : start + block], rng, scratch, strength)

    def _deform(
        self, images: Array, rng: np.random.Generator, scratch: _Scratch, strength: float
    ) -> None:
        height, width = self._shape
        count = len(images)
        padded = scratch.padded[:count]
        padded[:, 1:-1, 1:-1] = images.reshape(-1, height, width)
        pixels = scratch.padded.reshape(-1)

        coefficients = self._coefficients(count, rng, strength)
        y = np.matmul(coefficients[0], self._fields, out=scratch.y[:count])
        x = np.matmul(coefficients[1], self._fields, out=scratch.x[:count])
        # Just before the last pixel, so that every position has a next pixel.
        np.clip(y, 0, np.nextafter(np.float32(height + 1), np.float32(0)), out=y)
        np.clip(x, 0, np.nextafter(np.float32(width + 1), np.float32(0)), out=x)
        above = np.floor(y, out=scratch.first[:count])
        left = np.floor(x, out=scratch.second[:count])
        y -= above
        x -= left
        # Indices in the pixels of the whole block, exact in float32.
        above *= width + 2
        above += left
        above += scratch.starts[:count]
        indices = scratch.indices[:count]
        np.copyto(indices, above, casting="unsafe")

        upper, right = scratch.first[:count], scratch.second[:count]
        lower = images
        for row, offset in ((upper, 0), (lower, width + 2)):
            # The coordinates are already clipped; "clip" saves a check and a copy in NumPy.
            pixels[offset:].take(indices, mode="clip", out=row)
            pixels[offset + 1 :].take(indices, mode="clip", out=right)
            right -= row
            right *= x
            row += right
        lower -= upper
        lower *= y
        lower += upper

    def _coefficients(self, count: int, rng: np.random.Generator, strength: float) -> Array:
        """Return the coefficient of each field, shape ``(2, count, fields)``: rows, columns.

        The limits are multiplied by `strength`.
        """
        limits = self._distortion
        coefficients = np.empty((2, count, len(self._fields)), np.float32)
        # A uniform number in [-1, 1] has the standard deviation 1/sqrt(3), and a sum of many is
        # normally distributed.
        rng.standard_normal(out=coefficients, dtype=np.float32)
        coefficients *= np.float32(strength * limits.alpha / np.sqrt(3))

        def drawn(limit: float) -> NDArray[np.float64]:
            return rng.uniform(-strength * limit, strength * limit, count)

        angle = np.deg2rad(drawn(limits.rotation))
        shear = drawn(limits.shear)
        sine, cosine = np.sin(angle), np.cos(angle)
        for axis, (by_row, by_column) in enumerate(
            ((cosine, sine), (shear * cosine - sine, shear * sine + cosine))
        ):
            zoom = 1 + drawn(limits.scaling)
            # The centre in coordinates of the padded image.
            centre = (self._shape[axis] + 1) / 2
            coefficients[axis, :, 0] = centre + drawn(limits.shift)
            coefficients[axis, :, 1] = zoom * by_row
            coefficients[axis, :, 2] = zoom * by_column
        return coefficients


def _smooth(length: int, sigma: float) -> NDArray[np.float64]:
    """Return ``U S`` of the matrix that smooths along an axis, shape ``(length, rank)``."""
    position = np.arange(length)
    distance = position[:, np.newaxis] - position
    gaussian = np.exp(-(distance**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    values, vectors = np.linalg.eigh(gaussian)
    significant = values > _NEGLIGIBLE * values[-1]
    return np.asarray(vectors[:, significant] * values[significant])


class _Scratch(threading.local):
    """Temporary arrays of each thread for a block of images.

    Allocating them for every block would cost more than the computation, since the allocator
    returns them to the system each time.
    """

    def __init__(self, height: int, width: int) -> None:
        block = min(_BLOCK, _EXACT // ((height + 2) * (width + 2)))
        shape = (block, height * width)
        self.padded = np.zeros((block, height + 2, width + 2), np.float32)
        self.starts = np.arange(0, self.padded.size, self.padded[0].size, dtype=np.float32)
        self.starts = self.starts[:, np.newaxis]
        self.y, self.x, self.first, self.second = np.empty((4, *shape), np.float32)
        self.indices = np.empty(shape, np.intp)
