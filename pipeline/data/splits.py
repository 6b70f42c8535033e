"""The validation split: training images that are held out, always the same ones."""

import numpy as np
from numpy.typing import NDArray

# One image in twelve is held out: 5,000 of MNIST's 60,000.
_ONE_IN = 12

# Independent of the seed of a training, so that every version is measured on the same images.
_SEED = 20_160_530


def training_and_validation(
    labels: NDArray[np.uint8],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split the indices of images in two, stratified by digit.

    Parameters
    ----------
    labels : ndarray of uint8, shape (n,)

    Returns
    -------
    training, validation : ndarray of int
        Indices in ascending order; the second has ``n // 12``.
    """
    rng = np.random.default_rng(_SEED)
    shuffled = rng.permutation(len(labels))
    # Sorted by digit, and still shuffled within each digit since the sort is stable. Every twelfth
    # position then takes one in twelve of each digit, to within one image.
    by_digit = shuffled[np.argsort(labels[shuffled], kind="stable")]
    count = len(labels) // _ONE_IN
    validation = np.sort(by_digit[_ONE_IN - 1 :: _ONE_IN][:count])
    return np.setdiff1d(np.arange(len(labels)), validation), validation
