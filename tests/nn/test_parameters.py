"""The vector of all weights and biases, its shares, and its initial values."""

import copy
import pickle
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn.initializers import INITIALIZERS, initialize
from nn.parameters import Parameters, count, share

SIZES = st.lists(st.integers(1, 7), min_size=2, max_size=5)


@given(SIZES)
def test_weights_and_biases_are_views_that_cover_the_vector(sizes):
    parameters = Parameters(sizes)
    assert parameters.vector.dtype == np.float32
    assert parameters.vector.shape == (count(sizes),)
    for layer in range(1, len(sizes)):
        assert parameters.weights[layer].shape == (sizes[layer], sizes[layer - 1])
        assert parameters.biases[layer].shape == (sizes[layer],)
    for values in parameters.weights:
        values += 1
    assert (parameters.vector[: parameters.weight_count] == 1).all()
    assert (parameters.vector[parameters.weight_count :] == 0).all()
    for values in parameters.biases:
        values += 1
    assert (parameters.vector == 1).all()


@given(SIZES, st.integers(1, 9))
def test_pieces_share_out_every_parameter_once(sizes, pieces):
    """A piece has its share of each layer's neurons: their weights, and their biases."""
    taken = Parameters(sizes)
    for piece in range(pieces):
        ranges = taken.ranges(piece, pieces)
        for where in ranges:
            taken.vector[where] += piece + 1
            assert where.stop <= taken.weight_count or where.start >= taken.weight_count
        for layer in range(1, len(sizes)):
            neurons = share(sizes[layer], piece, pieces)
            assert (taken.weights[layer][neurons] == piece + 1).all()
            assert (taken.biases[layer][neurons] == piece + 1).all()
        expected = sum(
            (share(size, piece, pieces).stop - share(size, piece, pieces).start) * (before + 1)
            for before, size in pairwise(sizes)
        )
        assert sum(where.stop - where.start for where in ranges) == expected


@given(st.integers(0, 1000), st.integers(1, 20))
def test_shares_are_adjacent_and_even(things, pieces):
    shares = [share(things, piece, pieces) for piece in range(pieces)]
    assert list(chain(*(range(part.start, part.stop) for part in shares))) == list(range(things))
    lengths = [part.stop - part.start for part in shares]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda values: pickle.loads(pickle.dumps(values))]
)
def test_views_are_still_views_of_a_copy(duplicate):
    parameters = Parameters((3, 2, 2))
    parameters.vector[:] = np.arange(len(parameters.vector))
    again = duplicate(parameters)
    assert (again.vector == parameters.vector).all()
    again.weights[1][0, 0] = 70
    assert again.vector[0] == 70
    assert parameters.vector[0] == 0


def test_weights_are_drawn_with_the_spread_their_initializer_promises():
    promised = {"scaled": 1 / 400, "standard": 1.0, "he": 2 / 400}
    assert set(promised) == set(INITIALIZERS)
    for initializer, variance in promised.items():
        parameters = Parameters((400, 500, 3))
        parameters.vector[:] = np.nan
        initialize(parameters, initializer, np.random.default_rng(0))
        weights = parameters.weights[1]
        assert weights.var() == pytest.approx(variance, rel=0.02)
        assert abs(weights.mean()) < 0.01 * np.sqrt(variance)
        assert parameters.weights[2].var() == pytest.approx(
            promised[initializer] * (400 / 500 if initializer != "standard" else 1), rel=0.1
        )
        assert all((biases == 0).all() for biases in parameters.biases)
