"""Of the wrong predictions in a batch of scans, how many a review of 5 % finds.

The scans are drawn from MNIST's test set, in a handwriting that has drifted more and more, and are
scored with the champion under DIGITS_HOME.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.mnist_data import mnist
from benchmarks.review.scans import REVIEWED, found, write_scans
from pipeline import score
from pipeline.review.scored_batch import ScoredBatch

DRIFT = (0.0, 0.1, 0.2, 0.3, 0.5)


def main() -> None:
    """Print a line for each drift."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2_000, help="scans of each drift")
    chosen = parser.parse_args()
    _, test = mnist()
    title = f"found by reviewing {REVIEWED:.0%}, %"
    print(f"{'drift':>5} {'version':>9} {'wrong, %':>9} {title:>28} {'at most':>8}   goal")
    for share in DRIFT:
        with tempfile.TemporaryDirectory() as name:
            scans, output = Path(name) / "scans", Path(name) / "scores"
            write_scans(scans, test.images[: chosen.count], share, np.random.default_rng(0))
            scoring = score(scans, output)
            wrong, right_found, reviewed = found(ScoredBatch.open(output), test.labels)
        print(
            f"{share:>5.1f} {scoring.version.reference:>9} {100 * wrong / chosen.count:>9.2f} "
            f"{100 * right_found / wrong:>28.1f} {100 * min(1, reviewed / wrong):>8.1f}   >= 90",
            flush=True,
        )


if __name__ == "__main__":
    main()
