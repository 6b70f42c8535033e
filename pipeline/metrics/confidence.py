"""Confidence in images that were normalized.

The temperature of a network is fitted to MNIST's images as they are. What people send is
normalized first, which loses something, and was written with other pens: a network is too sure of
it. The logits of such images are divided by a second temperature, which changes no prediction.
"""

import numpy as np
from numpy.typing import NDArray

# Chosen on 14,400 validation digits that were drawn as people send them. For `quick` and three
# trainings of `standard` their likelihood is largest at 1.30 to 1.35, their calibration error
# smallest at 1.15 to 1.25. A fit for each version would need thousands of drawings: there are few
# mistakes among hundreds.
_TEMPERATURE = 1.2


def softened(
    probabilities: NDArray[np.float32], is_normalized: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the probabilities of images, those of normalized images less sure.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, 10)
        As the network returned them.
    is_normalized : ndarray of bool, shape (n,)
        Which of the images were normalized.
    """
    if not is_normalized.any():
        return probabilities
    # Logits are the logarithms of probabilities, up to a term that a softmax leaves out.
    powers = probabilities[is_normalized] ** np.float32(1 / _TEMPERATURE)
    found = probabilities.copy()
    found[is_normalized] = powers / powers.sum(axis=1, keepdims=True)
    return found
