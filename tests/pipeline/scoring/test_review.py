"""The least certain predictions."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scoring.review import LowConfidence, least_certain, least_certain_of

CONFIDENCES = st.lists(st.sampled_from([0.2, 0.3, 0.5, 0.9, 1.0]), min_size=1, max_size=80)


@given(CONFIDENCES, st.integers(1, 79))
def test_they_do_not_depend_on_the_shards(confidences, cut):
    """Among equal confidences the paths decide."""
    probabilities = np.zeros((len(confidences), 10), np.float32)
    probabilities[:, 3] = confidences
    images = np.arange(len(confidences) * 784).astype(np.uint8).reshape(-1, 28, 28)
    paths = [f"{n * 7 % 80}.png" for n in range(len(confidences))]
    parts = (slice(0, cut), slice(cut, None))
    least_by_shard = [
        least_certain_of(paths[part], images[part], probabilities[part])
        for part in parts
        if paths[part]
    ]
    merged = least_certain(each for part in least_by_shard for each in part)
    order = sorted(range(len(paths)), key=lambda n: (probabilities[n, 3], paths[n]))[:24]
    assert [(one.path, one.image) for one in merged] == [
        (paths[n], images[n].tobytes()) for n in order
    ]
    assert {one.prediction for one in merged} == {3}


def test_json_restores_a_prediction():
    one = LowConfidence("a\n/é.png", 7, 0.25, bytes(range(256)) * 3 + bytes(16))
    assert LowConfidence.from_json(json.loads(json.dumps(one.as_json()))) == one
