"""Which training images are held out for validation: always the same ones."""

import numpy as np
from numpy.typing import NDArray

# One in twelve: 5,000 of MNIST's 60,000.
_SHARE = 12

# Fixed, and apart from the seed of a training: every version is measured on the same images.
_SEED = 20_160_530


def training_and_validation(
    labels: NDArray[np.uint8],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split indices in two, each digit in its proportion.

    Parameters
    ----------
    labels : ndarray of uint8, shape (n,)

    Returns
    -------
    training, validation : ndarray of int
        Ascending indices; ``n // 12`` of them in the second.
    """
    rng = np.random.default_rng(_SEED)
    shuffled = rng.permutation(len(labels))
    # Sorted by digit (stably, so still shuffled within each), every twelfth position takes
    # from each digit its share, to within one image.
    by_digit = shuffled[np.argsort(labels[shuffled], kind="stable")]
    count = len(labels) // _SHARE
    validation = np.sort(by_digit[_SHARE - 1 :: _SHARE][:count])
    return np.setdiff1d(np.arange(len(labels)), validation), validation
