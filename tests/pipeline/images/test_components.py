import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.images.components import connected


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.floats(0.05, 0.95))
def test_the_parts_are_those_of_opencv_numbered_in_any_order(seed, height, width, share):
    mask = (np.random.default_rng(seed).random((height, width)) < share).astype(np.uint8)
    count, labels, stats, centres = connected(mask)
    expected, usual, *_ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    assert count == expected == len(stats) == len(centres)
    assert len(np.unique(np.stack([labels.ravel(), usual.ravel()]), axis=1).T) == len(
        np.unique(usual)
    )
    for number in range(1, count):
        y, x = np.nonzero(labels == number)
        box = [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1, len(x)]
        assert stats[number].tolist() == box
        assert np.allclose(centres[number], [x.mean(), y.mean()])
