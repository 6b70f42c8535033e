"""Which images are like MNIST's already."""

import mnist_sample
import numpy as np
from mnist_sample import SAMPLE

from pipeline.images.normalization import are_normalized

IMAGES, _ = mnist_sample.arrays(SAMPLE.test)


def test_all_of_mnist_is_left_alone():
    assert are_normalized(IMAGES).all()
    assert are_normalized(mnist_sample.arrays(SAMPLE.train)[0]).all()


def test_what_is_moved_turned_over_or_grey_is_not():
    changed = [
        np.roll(IMAGES, 3, axis=1),
        255 - IMAGES,
        np.maximum(IMAGES, 9),
        np.zeros_like(IMAGES),
        IMAGES // 2 + np.roll(IMAGES, 6, axis=2) // 2,
    ]
    for images in changed[:4]:
        assert not are_normalized(images).any()
    assert are_normalized(changed[4]).mean() < 0.2
