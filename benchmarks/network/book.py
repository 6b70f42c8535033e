"""The experiments of Nielsen's *Neural Networks and Deep Learning* that the network repeats.

Each is trained on the book's own split (the first 50,000 images, or 1,000 of them; the next
10,000 validate), with several seeds, one process for each core. As in the book, the figure is
the highest accuracy of any epoch. Known differences: the book draws biases from N(0, 1), here
they start at 0; it scales pixels by 1/256, here by 1/255; it computes in float64.
"""

import argparse
import functools
import multiprocessing
import statistics
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.mnist_data import mnist
from nn import NeuralNetwork, available_cores

_TRAINING = 50_000
_SIGMOID: dict[str, Any] = {"activation": "sigmoid", "output": "sigmoid", "batch_size": 10}
_QUADRATIC = {
    **_SIGMOID,
    "loss": "quadratic",
    "initializer": "standard",
    "learning_rate": 3.0,
    "epochs": 30,
}
# The book overfits a network with large weights.
_OVERFITTING = {
    **_SIGMOID,
    "sizes": (784, 30, 10),
    "initializer": "standard",
    "learning_rate": 0.5,
    "epochs": 400,
}


@dataclass(frozen=True)
class Experiment:
    """What the book trained, and what it got."""

    params: dict[str, Any]
    book: float
    """Percent."""
    within: float
    """How far from it the mean over seeds may be, in points."""
    images: int = _TRAINING
    measured_on: str = "test"


EXPERIMENTS = {
    # Chapter 1.
    "quadratic-30": Experiment({**_QUADRATIC, "sizes": (784, 30, 10)}, 95.42, 0.5),
    "quadratic-100": Experiment({**_QUADRATIC, "sizes": (784, 100, 10)}, 96.59, 0.5),
    # Chapter 3.
    "cross-entropy-100": Experiment(
        {
            **_SIGMOID,
            "sizes": (784, 100, 10),
            "learning_rate": 0.1,
            "l2": 5.0,
            "epochs": 60,
        },
        98.04,
        0.5,
        measured_on="validation",
    ),
    "overfitting": Experiment(_OVERFITTING, 82.27, 1.5, images=1000),
    "overfitting-l2": Experiment({**_OVERFITTING, "l2": 0.1}, 87.1, 1.5, images=1000),
}


@functools.cache
def data() -> dict[str, tuple[Any, Any]]:
    """Return images and labels of the book's three sets."""
    train, test = mnist()
    return {
        "training": (train.images[:_TRAINING], train.labels[:_TRAINING]),
        "validation": (train.images[_TRAINING:], train.labels[_TRAINING:]),
        "test": (test.images, test.labels),
    }


def accuracies(name: str, seed: int, epochs: int | None) -> list[float]:
    """Return the accuracy after every epoch of an experiment, percent."""
    experiment = EXPERIMENTS[name]
    images, labels = data()["training"]
    params = experiment.params if epochs is None else {**experiment.params, "epochs": epochs}
    # One thread for the network is also one for BLAS.
    network = NeuralNetwork(**params, seed=seed, threads=1)
    network.fit(
        images[: experiment.images],
        labels[: experiment.images],
        data()[experiment.measured_on],
    )
    return [100 * (epoch.validation_accuracy or 0) for epoch in network.history]


def line(name: str, seeds: list[list[float]]) -> str:
    """Return an experiment's line of the table."""
    experiment = EXPERIMENTS[name]
    peaks = [max(epochs) for epochs in seeds]
    mean = statistics.mean(peaks)
    spread = statistics.stdev(peaks) if len(peaks) > 1 else 0.0
    last = statistics.mean(epochs[-1] for epochs in seeds)
    return (
        f"{name:<20} {experiment.measured_on:<10} {len(seeds):>5} {last:>8.2f} {mean:>8.2f} "
        f"{spread:>6.2f} {experiment.book:>8.2f} {mean - experiment.book:>+10.2f}"
        f"   ± {experiment.within}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "experiments", nargs="*", default=[*EXPERIMENTS], help=", ".join(EXPERIMENTS)
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="fewer than the book's, to try it out")
    chosen = parser.parse_args()
    mnist()
    print(
        f"\n{'the book, accuracy in %':<20} {'on':<10} {'seeds':>5} {'last':>8} {'peak':>8} "
        f"{'±':>6} {'book':>8} {'difference':>10}   goal",
        flush=True,
    )
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(available_cores(), mp_context=context) as pool:
        running: dict[str, list[Future[list[float]]]] = {
            name: [
                pool.submit(accuracies, name, seed, chosen.epochs) for seed in range(chosen.seeds)
            ]
            for name in chosen.experiments
        }
        for name, trainings in running.items():
            print(line(name, [training.result() for training in trainings]), flush=True)


if __name__ == "__main__":
    main()
