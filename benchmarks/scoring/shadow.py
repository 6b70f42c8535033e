"""What a shadow costs: processor time of scoring with one and without, in turn, in one process.

Files are MNIST's test images as 28×28 PNG. They cost the least to read, so a shadow costs the most.
Both versions have the network of the champion under DIGITS_HOME.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.mnist_data import mnist
from nn import NeuralNetwork
from pipeline import Settings, open_registry, score
from pipeline.images.encoding import png
from registry import Check, RunRecord

_PASSED = (Check("validation_accuracy", 0.98, 0.97, passed=True),)


def register(settings: Settings) -> None:
    """Register the champion, and a challenger of the same size with other weights."""
    with open_registry() as registry:
        network = NeuralNetwork.from_bytes(registry.load("mnist@champion"))
    with open_registry(settings) as registry:
        registry.register("mnist", network.to_bytes(), RunRecord(gate=_PASSED))
        registry.set_alias("mnist", "champion", 1)
        rng = np.random.default_rng(0)
        for weights in network.weights[1:]:
            weights *= 1 + 0.05 * rng.standard_normal(weights.shape, dtype=np.float32)
        registry.register("mnist", network.to_bytes())
        registry.set_alias("mnist", "challenger", 2)


def main() -> None:
    """Print the seconds of each round, and what the shadow adds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    _, test = mnist()
    with tempfile.TemporaryDirectory() as name:
        directory, settings = Path(name), Settings(home=Path(name) / "home")
        register(settings)
        (directory / "images").mkdir()
        for number, image in enumerate(test.images):
            (directory / "images" / f"{number:05}.png").write_bytes(png(image))
        seconds: dict[str | None, list[float]] = {None: [], "challenger": []}
        score(directory / "images", directory / "warm", settings=settings)
        for number in range(chosen.rounds):
            for shadow, taken in seconds.items():
                output = directory / f"{number}-{shadow}"
                started = time.process_time()
                score(directory / "images", output, shadow=shadow, settings=settings)
                taken.append(time.process_time() - started)
    alone, both = (statistics.median(taken) for taken in seconds.values())
    for shadow, taken in seconds.items():
        print(f"{shadow or 'alone':<12}", *(f"{each:.2f}" for each in taken))
    print(f"\nmedian {alone:.2f} s alone, {both:.2f} s with a shadow: {both / alone - 1:+.1%}")
    print("goal: at most +15 %")


if __name__ == "__main__":
    main()
