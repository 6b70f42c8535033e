"""The presets that take long, over several seeds: mean and spread, from checkpoints on.

A training that was cut off goes on from its last epoch when this is run again. Those that are
finished are not repeated. The test set is measured once for each training and decides nothing.

It also prints the accuracy of all seeds as one committee. A committee's members are trained as they
would be alone, with consecutive seeds. So the two members of `best` with seed 0, and the two with
seed 2, are together `record` with seed 0.
"""

import argparse
import statistics
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import table
from benchmarks.network.accuracy import GOALS
from nn import NeuralNetwork
from pipeline.cli.progress_display import show_progress
from pipeline.data import parquet
from pipeline.data.preparation import DataReference
from pipeline.data.splits import training_and_validation
from pipeline.jobs.ingestion import ingest
from pipeline.provenance import code_version
from pipeline.training.candidates import Candidate
from pipeline.training.presets import network_params
from pipeline.training.training import train

_METRICS = {
    "accuracy on validation, %": "validation_accuracy",
    "accuracy on test, %": "test_accuracy",
    "calibration error on test, %": "test_calibration_error",
}


def trained(data: DataReference, preset: str, seed: int, directory: Path) -> Candidate:
    """Return a training's outcome, from its checkpoint or from the beginning.

    Trainings of other code are kept apart: they would give other weights.
    """
    work = directory / f"{preset}-{seed}-{code_version()}"
    work.mkdir(parents=True, exist_ok=True)
    with show_progress():
        return train(data, None, network_params(preset, seed), work)


def accuracy_together(
    candidates: list[Candidate], images: NDArray[np.uint8], labels: NDArray[np.integer]
) -> float:
    """Return the accuracy of the mean of the candidates' logits."""
    total = np.zeros((len(images), 10))
    for candidate in candidates:
        network = NeuralNetwork.load(candidate.path)
        probabilities = network.predict_proba(images)
        # The logits but for a constant of each image, which does not move its maximum.
        smallest = np.finfo(probabilities.dtype).tiny
        total += network.temperature * np.log(np.maximum(probabilities, smallest))
    return float(np.mean(total.argmax(axis=1) == labels))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="?", default="best", choices=["best", "record"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--directory", type=Path, default=Path("run/best"), help="checkpoints")
    chosen = parser.parse_args()
    data = ingest()
    goal = GOALS[chosen.preset]
    candidates = []
    for seed in chosen.seeds:
        candidate = trained(data, chosen.preset, seed, chosen.directory)
        candidates.append(candidate)
        accuracy = 100 * candidate.metrics["test_accuracy"]
        took = candidate.metrics["training_seconds"]
        print(f"seed {seed}: {accuracy:.2f} % on test, {took:.0f} s", flush=True)
    table.heading(f"{chosen.preset}: seeds {', '.join(map(str, chosen.seeds))}")
    limits = {
        "accuracy on test, %": f"mean ≥ {goal.accuracy}",
        "calibration error on test, %": f"≤ {goal.calibration_error}",
    }
    for name, metric in _METRICS.items():
        figures = [100 * candidate.metrics[metric] for candidate in candidates]
        table.row(name, figures, limits.get(name, ""))
        table.row(f"{name}: mean", [statistics.mean(figures)], digits=3)
        if len(figures) > 1:
            table.row(f"{name}: standard deviation", [statistics.stdev(figures)], digits=3)
    if len(candidates) > 1:
        examples, test = (parquet.read(part.path, part.split) for part in (data.train, data.test))
        _, held_out = training_and_validation(examples.labels)
        for name, images, labels in (
            ("validation", examples.images[held_out], examples.labels[held_out]),
            ("test", test.images, test.labels),
        ):
            together = 100 * accuracy_together(candidates, images, labels)
            table.row(f"accuracy on {name}, %: all as one committee", [together])
    seconds = [candidate.metrics["training_seconds"] for candidate in candidates]
    table.row("seconds of the epochs", seconds, f"≤ {goal.seconds}", digits=0)


if __name__ == "__main__":
    main()
