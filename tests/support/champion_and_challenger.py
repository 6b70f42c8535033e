"""Two versions of the sample: the champion, and a challenger that is worse."""

from collections.abc import Sequence

import mnist_sample
from mnist_sample import SAMPLE

from nn import NeuralNetwork
from pipeline import open_registry
from registry import Check, RunRecord

_PASSED = (Check("validation_accuracy", 0.98, 0.97, passed=True),)


def train_for(epochs: Sequence[int]) -> list[NeuralNetwork]:
    """Return a network for each number of epochs."""
    images, labels = mnist_sample.arrays(SAMPLE.train)
    return [
        NeuralNetwork((784, 20, 10), epochs=number, seed=1).fit(images, labels) for number in epochs
    ]


def register_both(networks: Sequence[NeuralNetwork]) -> None:
    """Register the first network as the champion, and the second as the challenger."""
    with open_registry() as registry:
        for network in networks:
            registry.register("mnist", network.to_bytes(), RunRecord(gate=_PASSED))
        registry.set_alias("mnist", "champion", 1)
        registry.set_alias("mnist", "challenger", 2)
