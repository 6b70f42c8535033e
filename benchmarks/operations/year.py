"""A year of nights and looks, by the jobs themselves on a clock that is set.

The inbox is looked into every minute; one look in a hundred finds an image. Every night at 3:00 in
New York, through both changes of daylight saving, a retraining runs; on six nights of seven new
labelled images have come in. MNIST is the sample of the tests, so a training takes a second. Nobody
touches anything in between.
"""

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mnist_sample
import numpy as np
import pyarrow.parquet as pq
import time_machine

from benchmarks.operations.homes import sizes, use_sample
from pipeline import open_registry, retrain, score_inbox
from pipeline.data import mnist
from pipeline.flows.schedules import cron_schedule, next_runs
from pipeline.images.encoding import png
from pipeline.settings import load_settings

ZONE = "America/New_York"
# Midnight in New York. In the past: `verify` would tell of events from the future.
BEGIN = datetime(2025, 1, 1, 5, tzinfo=UTC)
NIGHTS = 365
FINDS = 100
NEW_LABELS = 3


def looks(nights: int, every: int) -> Iterator[datetime]:
    """Yield the times of the looks of so many days, some minutes apart."""
    for minute in range(0, nights * 24 * 60, every):
        yield BEGIN + timedelta(minutes=minute)


def retrainings(nights: int) -> list[datetime]:
    """Return when `digits serve --cron "0 3 * * *" --timezone America/New_York` retrains."""
    runs = next_runs(cron_schedule("cron", "0 3 * * *", ZONE), nights, BEGIN)
    assert len({run.date() for run in runs}) == nights
    assert {(run.hour, run.minute) for run in runs} == {(3, 0)}
    return runs


class Year:
    """A home with an inbox, and what came of it."""

    def __init__(self, directory: Path) -> None:
        self.inbox, self.outbox = directory / "inbox", directory / "outbox"
        self.labelled = directory / "labelled"
        self.inbox.mkdir()
        self.settings = load_settings()
        self.rng = np.random.default_rng(0)
        self.outcomes: Counter[str] = Counter()
        self.sent = self.written = 0
        self.seconds: Counter[str] = Counter()

    def look(self) -> None:
        """Look into the inbox."""
        started = time.process_time()
        found = score_inbox(self.inbox, self.outbox, settle=0, settings=self.settings)
        kind = "look that finds an image" if found else "look that finds nothing"
        self.outcomes[kind] += 1
        self.seconds[kind] += time.process_time() - started

    def drop(self) -> None:
        """Put an image into the inbox."""
        (self.inbox / f"{self.sent}.png").write_bytes(self._image())
        self.sent += 1

    def night(self, number: int) -> None:
        """Bring new labelled images, on six nights of seven, and retrain."""
        if number % 7 != 6:
            for _ in range(NEW_LABELS):
                path = self.labelled / str(self.written % 10) / f"{self.written}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self._image())
                self.written += 1
        started = time.process_time()
        labelled = self.labelled if self.written >= 10 else None
        outcome = retrain(preset="quick", labelled=labelled).outcome
        self.outcomes[f"retraining: {outcome}"] += 1
        kind = "retraining that trains nothing" if outcome == "unchanged" else "retraining"
        self.seconds[kind] += time.process_time() - started

    def check(self) -> None:
        """Check that each image was scored once, and that the registry is whole."""
        scored: Counter[str] = Counter()
        for predictions in self.outbox.glob("2*/predictions"):
            scored.update(pq.read_table(predictions, columns=["path"])["path"].to_pylist())
        assert scored == {f"{number}.png": 1 for number in range(self.sent)}
        assert not any(self.inbox.iterdir())
        with open_registry() as registry:
            found = [each for each in registry.verify() if each.subject != "database"]
        assert found == [], found

    def _image(self) -> bytes:
        image = np.zeros((28, 28), np.uint8)
        image[4:24, 8:20] = self.rng.integers(0, 2, (20, 12)) * 255
        return png(image)


def live(year: Year, nights: int, every: int) -> None:
    """Let so many days pass, some minutes a time."""
    due = iter(retrainings(nights))
    night = next(due, None)
    number = 0
    with time_machine.travel(BEGIN, tick=False) as clock:
        # Without a champion, nothing can be scored.
        retrain(preset="quick")
        for number_of_look, now in enumerate(looks(nights, every)):
            clock.move_to(now)
            if night is not None and now >= night:
                year.night(number)
                night, number = next(due, None), number + 1
            if number_of_look % FINDS == FINDS - 1:
                year.drop()
            year.look()
            days, seconds = divmod(now - BEGIN, timedelta(days=1))
            if days and days % 30 == 0 and not seconds:
                tell_memory(days)


def tell_memory(days: int) -> None:
    """Print the most memory that this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"day {days}: peak memory {peak / 1024:,.0f} MB", flush=True)


def main(nights: int, every: int) -> None:
    """Live through a year and print what it took."""
    directory = Path(tempfile.mkdtemp(prefix="digits-year-"))
    use_sample(directory / "home")
    mnist.MNIST = mnist_sample.SAMPLE
    started, cpu = time.monotonic(), time.process_time()
    try:
        year = Year(directory)
        live(year, nights, every)
        took, used = time.monotonic() - started, time.process_time() - cpu
        for kind, count in sorted(year.outcomes.items()):
            print(f"{count:>9,} {kind}")
        for kind, seconds in year.seconds.items():
            count = sum(n for outcome, n in year.outcomes.items() if outcome.startswith(kind))
            print(f"{seconds:>9,.1f} s of CPU time: {kind}" + f" ({count:,})" * bool(count))
        for what, size in sizes(year.settings, year.outbox).items():
            print(f"{size / 1e6:>9,.1f} MB {what}")
        print(f"{nights} nights in {took:,.0f} s, {used:,.0f} s of them CPU time", flush=True)
        year.check()
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=NIGHTS)
    parser.add_argument("--every", type=int, default=1, help="minutes from one look to the next")
    chosen = parser.parse_args()
    main(chosen.nights, chosen.every)
