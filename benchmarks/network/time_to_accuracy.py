"""Seconds of training until an accuracy on the validation split, against PyTorch.

The network, the optimizer and the schedule are those of a preset. All three train in one run: an
epoch of each, in turn, so that whatever else the machine does slows them alike. PyTorch has two
rivals in it: one that trains on images which `nn` varies and deforms, and one that deforms images
itself, as its users would. Neither skips learnt images, so they get half as many epochs: those of a
preset that skips have about half of the images. The measuring of the accuracy does not count.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import table
from benchmarks.mnist_data import mnist
from benchmarks.network import array_files
from benchmarks.network.contenders import Contender, Contestant
from nn import available_cores
from pipeline.data.splits import training_and_validation
from pipeline.training.presets import PRESETS, network_params

_ACCURACIES = (0.985, 0.99, 0.993, 0.995)

_OURS = "nn"
_NAMES = {
    _OURS: "race ours",
    "PyTorch, our images": "race torch, our images",
    "PyTorch alone": "race torch alone",
}
_GOALS = {"PyTorch, our images": "≥ 1.3", "PyTorch alone": "≥ 3"}

# Of these accuracies the goals are.
_GOAL_AT = 0.993


def seconds_until(epochs: Sequence[tuple[float, float]], accuracy: float) -> float | None:
    """Return the seconds until an accuracy was first reached; None if it never was.

    Parameters
    ----------
    epochs : sequence of (seconds, accuracy)
        Of each epoch, in order.
    """
    total = 0.0
    for seconds, reached in epochs:
        total += seconds
        if reached >= accuracy:
            return total
    return None


def race(preset: str, threads: int, epochs: int) -> dict[str, list[tuple[float, float]]]:
    """Return seconds and accuracy of each epoch, for each racer that could be started."""
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        examples, _ = mnist()
        for split, rows in zip(
            ("train", "validation"), training_and_validation(examples.labels), strict=True
        ):
            array_files.save(directory, split, examples.images[rows], examples.labels[rows])
        params = network_params(preset, seed=0)
        rivals = params
        if params["skipping"]:
            rivals = {**params, "skipping": 0.0, "epochs": params["epochs"] // 2}
        racers: dict[str, Contestant] = {}
        for racer, kind in _NAMES.items():
            options = {"params": params if racer == _OURS else rivals, "held_out": name}
            try:
                contestant = Contestant(Contender(kind, threads, options), directory)
            except ModuleNotFoundError as error:
                table.missing(racer, str(error))
            else:
                racers[racer] = stack.enter_context(contestant)
        for epoch in range(epochs):
            for racer, contestant in racers.items():
                if racer == _OURS or epoch < rivals["epochs"]:
                    seconds, accuracy = contestant.epoch()
                    found.setdefault(racer, []).append((seconds, accuracy))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="?", default="standard", help=", ".join(PRESETS))
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--epochs", type=int, help="fewer than the preset's, to try it")
    chosen = parser.parse_args()
    table.heading(f"{chosen.preset}: seconds until an accuracy, {chosen.threads} threads")
    found = race(chosen.preset, chosen.threads, chosen.epochs or PRESETS[chosen.preset]["epochs"])
    for accuracy in _ACCURACIES:
        times = {racer: seconds_until(epochs, accuracy) for racer, epochs in found.items()}
        for racer, seconds in times.items():
            name = f"{100 * accuracy:.1f} %: {racer}"
            if seconds is None:
                highest = max(reached for _, reached in found[racer])
                table.missing(name, f"not reached; the highest was {100 * highest:.2f} %")
                continue
            table.row(name, [seconds], digits=1)
            ours = times[_OURS]
            if racer != _OURS and ours is not None:
                goal = _GOALS[racer] if accuracy == _GOAL_AT else ""
                table.row(f"{name}: times as long as nn", [seconds / ours], goal)


if __name__ == "__main__":
    main()
