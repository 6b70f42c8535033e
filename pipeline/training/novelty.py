"""Fitting the novelty score of a network: digits against drawings that are not one digit."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork, single_threaded_blas
from pipeline.metrics.novelty import NoveltyScore, features
from pipeline.training.drawings import NON_DIGITS, draw_non_digits, rewrite

# Neurons of the head.
_NEURONS = 64

# Drawings at most, and for each image of the training set.
_MOST_DRAWN = 16_000
_DRAWN_SHARE = 1 / 3

# Digits as other hands would write them, for each drawing. As many as there are drawings come
# unchanged.
_REWRITTEN_SHARE = 1 / 4

# Passes over the examples, and how many examples these make at least.
_EPOCHS = 8
_FEWEST = 12_000

# Activations count as fractions of so many standard deviations.
_DEVIATIONS = 4.0

_SEED = 0


def fit_novelty(
    network: NeuralNetwork,
    images: NDArray[np.uint8],
    held_out: NDArray[np.uint8],
    kinds: Collection[str] = NON_DIGITS,
) -> NoveltyScore:
    """Return a novelty score for a network.

    Some of the digits are as they are, some as other hands would write them: what people send is
    not MNIST's, and digits are not to be flagged for their writer's pen.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 28, 28)
        Digits that the network was trained on.
    held_out : ndarray of uint8, shape (m, 28, 28)
        Digits that it was not trained on: they calibrate the score.
    kinds : collection of str
        The kinds of drawings that it is fitted to.
    """
    rng = np.random.default_rng(_SEED)
    count = min(_MOST_DRAWN, max(1, int(len(images) * _DRAWN_SHARE)))
    drawings = draw_non_digits(images, count, rng, kinds)
    rewritten = round(_REWRITTEN_SHARE * count)
    digits = images[rng.permutation(len(images))[: rewritten + count]]
    digits = np.concatenate([digits[rewritten:], rewrite(digits[:rewritten], rng)])
    both = np.concatenate([digits, drawings])
    is_other = np.repeat(np.array([0, 1], np.uint8), [len(digits), len(drawings)])
    with single_threaded_blas():
        _, hidden = network.predict_with_hidden(both)
        scale = _DEVIATIONS * hidden.std(axis=0) + np.float32(1e-3)
        head = NeuralNetwork(
            (hidden.shape[1], _NEURONS, 2),
            activation="relu",
            initializer="he",
            optimizer="momentum",
            learning_rate=0.4,
            schedule="cosine",
            batch_size=256,
            epochs=max(_EPOCHS, _FEWEST // len(both)),
            l2=0.2,
            seed=_SEED,
            threads=1,
        ).fit(np.ascontiguousarray(features(hidden, scale)), is_other)
        score = NoveltyScore(
            scale=scale,
            weights=head.weights[1],
            biases=head.biases[1].ravel(),
            output=head.weights[2][1] - head.weights[2][0],
            calibration=np.zeros(0, np.float32),
        )
        _, hidden = network.predict_with_hidden(held_out)
        return NoveltyScore(
            score.scale, score.weights, score.biases, score.output, np.sort(score.answers(hidden))
        )
