"""Images that were normalized get less confidence, and the same predictions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.metrics.confidence import softened

_LOGITS = arrays.arrays(np.float32, (5, 10), elements=st.floats(-30, 30, width=32))
_NORMALIZED = arrays.arrays(bool, 5)


def _probabilities(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@given(_LOGITS, _NORMALIZED)
def test_the_logits_of_normalized_images_are_divided(logits, is_normalized):
    before = _probabilities(logits)
    after = softened(before, is_normalized)
    divided = _probabilities(logits / np.float32(1.2))
    assert after[is_normalized] == pytest.approx(divided[is_normalized], abs=1e-5)
    assert (after[~is_normalized] == before[~is_normalized]).all()


@given(_LOGITS, _NORMALIZED)
def test_no_prediction_changes_and_none_becomes_surer(logits, is_normalized):
    before = _probabilities(logits)
    after = softened(before, is_normalized)
    assert (after.max(axis=1) <= before.max(axis=1) + 1e-6).all()
    # Equally likely digits may change places by rounding.
    chosen = np.take_along_axis(after, before.argmax(axis=1)[:, np.newaxis], axis=1)
    assert chosen[:, 0] == pytest.approx(after.max(axis=1), abs=1e-6)
