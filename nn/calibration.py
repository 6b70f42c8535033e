"""Temperature scaling of probabilities, and the expected calibration error.

Guo et al. 2017, arXiv:1706.04599. A network trained on one-hot labels is overconfident, one
trained on smoothed labels underconfident. Dividing the logits by one number, the temperature,
corrects most of either and changes no prediction.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from nn import validation
from nn.activations import Array
from nn.objectives import softmax

# Limits of the temperature. If all images are classified correctly, the best one would be 0.
_LOWEST, _HIGHEST = 0.1, 10.0
_TOLERANCE = 1e-4


def probabilities(z: Array, output: str, temperature: float) -> Array:
    """Return the probability of each class, shape ``(k, m)``, from logits of that shape.

    Sigmoid outputs do not sum to 1 by themselves: each column is divided by its sum.
    """
    z = z / np.float32(temperature)
    if output == "sigmoid":
        # The softmax of the logarithms of the outputs: these may be too small for float32, but
        # not their ratios.
        z = -np.logaddexp(0, -z)
    return softmax(z)


def best_temperature(z: Array, labels: np.ndarray, output: str) -> float:
    """Return the temperature that maximises the likelihood of these labels.

    Parameters
    ----------
    z : ndarray, shape (k, m)
        Logits of examples that are not training data.
    labels : ndarray of int, shape (m,)
    """

    def loss(logarithm: float) -> float:
        a = probabilities(z, output, math.exp(logarithm))
        likelihoods = a[labels, np.arange(len(labels))]
        return -float(np.log(likelihoods + np.finfo(np.float32).tiny).mean(dtype=np.float64))

    # Golden-section search: the loss has one minimum in the logarithm of the temperature.
    ratio = (math.sqrt(5) - 1) / 2
    low, high = math.log(_LOWEST), math.log(_HIGHEST)
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > _TOLERANCE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, *, bins: int = 15
) -> float:
    """Return the mean difference between confidence and accuracy, a fraction in [0, 1].

    Predictions are grouped by their confidence, which is the largest probability, in bins of
    equal width. The absolute difference between mean confidence and accuracy of each bin is
    weighted by its share of the predictions (Guo et al. 2017, section 2).

    Parameters
    ----------
    probabilities : array, shape (n, k)
    labels : array of int, shape (n,)

    Raises
    ------
    InvalidDataError
        If either has a wrong shape, type or range.
    """
    p = validation.probability_rows(probabilities)
    confidence = p.max(axis=1).astype(np.float64)
    correct = p.argmax(axis=1) == validation.class_labels(labels, len(p), p.shape[1])
    bin_index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_index, weights=confidence - correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(p))
