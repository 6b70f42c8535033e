"""A month in which scans drift, with 200 decisions a day, and without any.

Every day a batch of scans comes in and is scored. A reviewer decides on the first images of the
queue, always as the true label says. Every night `digits retrain --labelled reviews` runs. Beside
it, a version that nobody reviews for stays as it is: MNIST does not change, so there is nothing to
retrain on. Both are measured on scans of the same day whose digits are in no batch.
"""

import argparse
import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.mnist_data import mnist
from benchmarks.review.scans import found, write_scans
from pipeline import Settings, load_settings, retrain, score
from pipeline.data.parquet import Examples
from pipeline.review.decisions import new_id
from pipeline.review.networks import load_if_kept
from pipeline.review.queue import ReviewQueue
from pipeline.review.scored_batch import ScoredBatch
from pipeline.training.outcome import Refused

# Of the test set: digits that are in no batch.
_HELD_OUT = 2_000

# Images that the reviewer's window asks for at a time.
_AHEAD = 20


class Day(NamedTuple):
    """What became of a day."""

    wrong: int
    """Wrong predictions of the batch."""
    found: int
    """Those of them that are among the first 5 % of the queue."""
    decided: int
    """Decisions that day."""
    seconds: float
    """Time of the night's retraining."""
    outcome: str


class Month:
    """The days of a month, one after another.

    Parameters
    ----------
    directory : Path
    days, images, decisions : int
        Number of days, of images and of decisions a day.
    preset : str
    """

    def __init__(
        self, directory: Path, days: int, images: int, decisions: int, preset: str
    ) -> None:
        self._directory = directory
        self._days = days
        self._images = images
        self._decisions = decisions
        self._preset = preset
        self._rng = np.random.default_rng(0)
        _, self._test = mnist()
        shuffled = self._rng.permutation(len(self._test.labels))
        self._held_out, self._incoming = np.split(shuffled, [_HELD_OUT])
        self._settings = Settings(home=directory / "home")
        shutil.copytree(load_settings().data, self._settings.data)
        retrain(preset=preset, settings=self._settings)

    def day(self, number: int) -> Day:
        """Let a day and its night pass."""
        chosen = self._rng.choice(self._incoming, self._images, replace=False)
        output = self._score(f"day-{number}", number, self._of(chosen), "mnist@champion")
        wrong, right_found, _ = found(output, self._test.labels[chosen])
        decided = self._review(output, self._test.labels[chosen])
        started = time.perf_counter()
        outcome = retrain(preset=self._preset, labelled="reviews", settings=self._settings)
        kind = "refused" if isinstance(outcome, Refused) else "promoted"
        return Day(wrong, right_found, decided, time.perf_counter() - started, kind)

    def wrong(self, number: int, model: str) -> float:
        """Return the share of a day's held-out scans that a version reads wrongly."""
        name = f"held-out-{number}-of-{'champion' if '@' in model else 'first'}"
        batch = self._score(name, number, self._of(self._held_out), model)
        wrong, _, _ = found(batch, self._test.labels[self._held_out])
        return wrong / len(batch)

    def _drift(self, number: int) -> float:
        return (number - 1) / max(1, self._days - 1)

    def _of(self, places: np.ndarray) -> Examples:
        return Examples(self._test.images[places], self._test.labels[places])

    def _score(self, name: str, day: int, digits: Examples, model: str) -> ScoredBatch:
        scans, output = self._directory / name, self._directory / f"{name}-scores"
        # The same scans of a day for each version.
        write_scans(scans, digits.images, self._drift(day), np.random.default_rng(day))
        score(scans, output, model=model, settings=self._settings)
        return ScoredBatch.open(output)

    def _review(self, batch: ScoredBatch, labels: np.ndarray) -> int:
        load = partial(load_if_kept, self._settings.blobs_url)
        queue = ReviewQueue(self._settings.reviews, [batch], load)
        decided = 0
        while decided < self._decisions:
            items = queue.take("window", "truth", min(_AHEAD, self._decisions - decided))
            if not items:
                break
            for item in items:
                label = str(labels[int(item.path[:5])])
                queue.decide(
                    queue.decision_on(item.batch, item.row, item.sha256, label, "truth", new_id())
                )
            decided += len(items)
        return decided


def main() -> None:
    """Print a line for each day."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--images", type=int, default=1_000, help="that come in on a day")
    parser.add_argument("--decisions", type=int, default=200, help="on a day")
    parser.add_argument("--preset", default="quick")
    chosen = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {chosen.preset}, {chosen.days} "
        f"days, {chosen.images} images and {chosen.decisions} decisions a day"
    )
    print(
        f"{'day':>3} {'drift':>5} {'wrong':>6} {'found by 5 %':>13} {'decided':>8} {'night':>9} "
        f"{'seconds':>8} {'held out, wrong: never reviewed':>33} {'reviewed':>9}"
    )
    with tempfile.TemporaryDirectory() as name:
        month = Month(Path(name), chosen.days, chosen.images, chosen.decisions, chosen.preset)
        for number in range(1, chosen.days + 1):
            day = month.day(number)
            share = f"{day.found / day.wrong:.0%}" if day.wrong else "-"
            print(
                f"{number:>3} {(number - 1) / max(1, chosen.days - 1):>5.2f} {day.wrong:>6} "
                f"{share:>13} {day.decided:>8} {day.outcome:>9} {day.seconds:>8.0f} "
                f"{month.wrong(number, 'mnist/1'):>33.2%} "
                f"{month.wrong(number, 'mnist@champion'):>9.2%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
