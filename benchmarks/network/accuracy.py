"""What the presets come to, trained as `digits retrain` does: seconds, accuracy, calibration.

Seconds are those of the stage that trains, from Parquet files to a file of weights. The test set
is measured once, at the end; it decides nothing.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import table
from pipeline.cli.progress_display import show_progress
from pipeline.data.preparation import DataReference
from pipeline.jobs.ingestion import ingest
from pipeline.training.presets import PRESETS, network_params
from pipeline.training.training import train


@dataclass(frozen=True)
class Goal:
    """What a preset is to reach, on two cores."""

    seconds: float
    accuracy: float
    """On the test set, percent."""
    calibration_error: float = 0.3
    """On the test set, percent."""


GOALS = {
    "quick": Goal(15, 99.0),
    "standard": Goal(150, 99.45),
    "best": Goal(3600, 99.65),
    "record": Goal(7200, 99.7),
}


@dataclass(frozen=True)
class Result:
    """What one training came to; all but the first in percent."""

    seconds: float
    validation_accuracy: float
    accuracy: float
    calibration_error: float


def result(data: DataReference, preset: str, seed: int) -> Result:
    """Train, from the beginning, and measure."""
    with tempfile.TemporaryDirectory() as name, show_progress():
        started = time.perf_counter()
        candidate = train(data, None, network_params(preset, seed), Path(name))
        seconds = time.perf_counter() - started
    names = ("validation_accuracy", "test_accuracy", "test_calibration_error")
    return Result(seconds, *(100 * candidate.metrics[name] for name in names))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "presets", nargs="*", default=["quick", "standard"], help=", ".join(PRESETS)
    )
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each preset")
    chosen = parser.parse_args()
    data = ingest()
    table.heading("presets")
    for preset in chosen.presets:
        results = [result(data, preset, seed) for seed in range(chosen.seeds)]
        goal = GOALS[preset]
        rows = (
            ("seconds", "seconds", f"≤ {goal.seconds}", 1),
            ("accuracy on validation, %", "validation_accuracy", "", 2),
            ("accuracy on test, %", "accuracy", f"≥ {goal.accuracy}", 2),
            ("calibration error on test, %", "calibration_error", f"≤ {goal.calibration_error}", 2),
        )
        for name, field, limit, digits in rows:
            figures = [getattr(one, field) for one in results]
            table.row(f"{preset}: {name}", figures, limit, digits)


if __name__ == "__main__":
    main()
