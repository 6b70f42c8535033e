"""Twenty-four nights of `digits retrain --labelled`, one at once after the other.

Every night new labelled images come in, in a handwriting that leans more and more and whose pen
gets broader; some nights nothing comes in, twice an image comes in with two labels, and one night
all its sevens are labelled as ones, which the next morning is mended where the labels come from.
Nobody touches `digits`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from drifting_images import LabelledImages

from benchmarks.mnist_data import mnist
from nn import NeuralNetwork
from pipeline import Settings, load_settings, open_registry
from pipeline.data import labelled as labelled_images
from pipeline.data.splits import training_and_validation

NIGHTS = 24
NOTHING_NEW = (6, 13, 20)
TWO_LABELS = (4, 15)
POISONED = 10

_IMAGES = 500

_OUTCOMES = {0: "done", 3: "refused"}


class Night(NamedTuple):
    """What became of one night."""

    number: int
    status: int
    seconds: float
    last_event: int
    champion: str


def digits(*arguments: object, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line under a home of its own, with nothing else set up."""
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DIGITS_", "PREFECT_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        env={**others, "DIGITS_HOME": str(home), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def prepare(home: Path) -> None:
    """Give a home what was downloaded before."""
    shutil.copytree(load_settings().data, home / "data")


def live(home: Path, directory: Path, images: int) -> list[Night]:
    """Have the nights pass; return what became of them."""
    train, _ = mnist()
    places, _ = training_and_validation(train.labels)
    rng = np.random.default_rng(0)
    places = rng.permutation(places)
    own = LabelledImages(directory, train.images[places], train.labels[places], rng)
    nights = []
    for number in range(1, NIGHTS + 1):
        if number not in NOTHING_NEW:
            own.add(number, images, (number - 1) / (NIGHTS - 1))
        if number in TWO_LABELS:
            own.contradict(number, 3, 5)
        if number == POISONED:
            own.mislabel(number, 7, 1)
        if number == POISONED + 1:
            own.mend(POISONED, 7, 1)
        nights.append(_night(number, home, directory))
    return nights


def _night(number: int, home: Path, directory: Path) -> Night:
    started = time.perf_counter()
    ended = digits("retrain", "--preset", "quick", "--labelled", directory, "--direct", home=home)
    seconds = time.perf_counter() - started
    if ended.returncode not in _OUTCOMES:
        raise RuntimeError(f"night {number}: {ended.stderr}")
    with open_registry(Settings(home=home)) as registry:
        last = registry.history("mnist", limit=1)[0].seq
        champion = registry.get("mnist@champion").reference
    print(f"night {number}: {ended.stdout.splitlines()[0]}", file=sys.stderr, flush=True)
    return Night(number, ended.returncode, seconds, last, champion)


def accuracies(home: Path, directory: Path, champions: Sequence[str]) -> dict[str, float]:
    """Return what each champion makes of the held-out images of all nights together."""
    from pipeline.jobs.ingestion import ingest

    settings = Settings(home=home)
    found = labelled_images.collect(directory, ingest(settings=settings), settings.labelled)
    side = labelled_images.read(found.reference.path, found.reference.sha256).held_out
    with open_registry(settings) as registry:
        return {
            champion: NeuralNetwork.from_bytes(registry.load(champion)).validate(
                side.images, side.labels
            )
            for champion in dict.fromkeys(champions)
        }


def explanations(home: Path, events: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what `digits history` tells, the first first, as JSON and as its table."""
    told = digits("history", "--limit", events, "--json", home=home)
    table = digits("history", "--limit", events, home=home, COLUMNS="200")
    return json.loads(told.stdout)[::-1], table.stdout.splitlines()


def is_explained(event: dict[str, Any]) -> bool:
    """Whether a promotion says why, or a refusal which checks failed."""
    if event["kind"] == "alias_moved":
        return bool(event["details"].get("reason"))
    return any(not check["passed"] for check in event["details"]["candidate"]["gate"])


def main() -> None:
    """Print a line for each night, and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=_IMAGES, help="that come in on a night")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; quick, {chosen.images} images")
    with tempfile.TemporaryDirectory() as name:
        home, directory = Path(name) / "home", Path(name) / "own"
        prepare(home)
        nights = live(home, directory, chosen.images)
        accuracy = accuracies(home, directory, [night.champion for night in nights])
        events, table = explanations(home, nights[-1].last_event)
    _print(nights, accuracy, events)
    print("\ndigits history", *table, sep="\n")


def _print(
    nights: Sequence[Night], accuracy: dict[str, float], events: Sequence[dict[str, Any]]
) -> None:
    print(f"\n{'night':>5} {'what comes in':<22} {'outcome':<10} {'champion':<9} ", end="")
    print(f"{'its accuracy, all held out':>26} {'seconds':>8}")
    before = 0
    for night in nights:
        outcome = _OUTCOMES[night.status]
        if outcome == "done":
            outcome = "promoted" if night.last_event > before else "unchanged"
        before = night.last_event
        print(
            f"{night.number:>5} {_what_came(night.number):<22} {outcome:<10} {night.champion:<9} "
            f"{accuracy[night.champion]:>26.4f} {night.seconds:>8.1f}"
        )
    told = [event for event in events if event["kind"] in {"alias_moved", "refused"}]
    poison = [
        check["name"]
        for event in told
        if event["seq"] == nights[POISONED - 1].last_event and event["kind"] == "refused"
        for check in event["details"]["candidate"]["gate"]
        if not check["passed"]
    ]
    first, last = (accuracy[nights[place].champion] for place in (0, -1))
    rows = (
        ("nights that ended with the status 0 or 3", f"{len(nights)} of {NIGHTS}", "all"),
        (
            "promotions and refusals, and those that history explains",
            f"{len(told)}, {sum(map(is_explained, told))}",
            "all",
        ),
        ("champion's accuracy, all held out: first, last", f"{first:.4f}, {last:.4f}", "rises"),
        ("the poisoned night is refused by", ", ".join(poison) or "nothing", "… of_7"),
    )
    print(f"\n{'nights':<60} {'reached':<36} goal")
    for name, reached, goal in rows:
        print(f"{name:<60} {reached:<36} {goal}")


def _what_came(number: int) -> str:
    if number in NOTHING_NEW:
        return "nothing"
    if number == POISONED:
        return "sevens are called ones"
    if number in TWO_LABELS:
        return "an image, two labels"
    return "images"


if __name__ == "__main__":
    main()
