"""Scans through `Classifier` one at a time: the same predictions as `score`, and how fast.

    python -m benchmarks.scoring.one_by_one

It needs a champion (`digits retrain`). Figures are of CPU time, in one process.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pipeline import Classifier, ingest, score
from pipeline.data import parquet

sys.path.append(str(Path(__file__).parents[2] / "tests" / "support"))

from scans import scan

SCANS = 500
RATE = 500
"""Goal, in images a second."""


def main() -> None:
    """Print how many predictions are the same, and the rate."""
    test = ingest().test
    images = parquet.read(test.path, test.split).images[:SCANS]
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "in"
        directory.mkdir()
        for number, image in enumerate(images):
            (directory / f"{number:03}.jpg").write_bytes(scan(image, rng))
        paths = sorted(directory.iterdir())
        scored = [row["prediction"] for row in score(directory, Path(name) / "out")]
        classifier = Classifier.load()
        classifier.read(paths[0])
        started = time.process_time()
        read = [classifier.read(path).digit for path in paths]
        seconds = time.process_time() - started
    same = sum(one == other for one, other in zip(read, scored, strict=True))
    print(f"{same} of {SCANS} predictions as score has them")
    print(f"{SCANS / seconds:,.0f} a second (goal: {RATE})")


if __name__ == "__main__":
    main()
