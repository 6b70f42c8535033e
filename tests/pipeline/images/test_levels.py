import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.images import levels

SHARES = st.floats(0.001, 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), SHARES)
def test_a_quantile_is_numpys_inverted_cdf(values, share):
    expected = np.quantile(values, share, method="inverted_cdf")
    assert levels.quantile(np.array(values), share) == expected


@given(st.lists(st.integers(0, 255), min_size=1, max_size=50), SHARES)
def test_a_percentile_of_counts_is_that_of_the_pixels(values, share):
    grey = np.array([values], np.uint8)
    assert levels.percentile(levels.histogram(grey), share) == levels.quantile(grey, share)


def test_a_masked_histogram_counts_pixels_in_the_mask():
    counts = levels.histogram(np.array([[1, 2, 2]], np.uint8), np.array([[0, 1, 1]], np.uint8))
    assert counts[2] == 2 == counts.sum()
