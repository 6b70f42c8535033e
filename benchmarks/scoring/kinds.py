"""How the champion under DIGITS_HOME reads images of the kinds that people send.

Each kind is drawn from MNIST's test set. Images that are not one digit are drawings of kinds that
the novelty score was fitted to, and kinds that it was not; fields are of two to six digits.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks import table
from nn import NeuralNetwork, single_threaded_blas
from pipeline import ingest, open_registry
from pipeline.data import parquet
from pipeline.images.evidence import Judge
from pipeline.images.reading import Reader, as_seen, digits_as_seen
from pipeline.metrics.novelty import NOVEL, NoveltyScore
from pipeline.scoring import specimens
from pipeline.scoring.answers import judge_of
from pipeline.scoring.specimens import KINDS
from pipeline.training.drawings import draw_non_digits

# As many as scoring reads together.
BATCH = 1024

FIELDS = 500


def read(
    sheets: list[NDArray[np.uint8]], judge: Judge
) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Return images as the network sees them, and the places of those that are not blank."""
    pixels, is_shown = [], np.ones(len(sheets), bool)
    for start in range(0, len(sheets), BATCH):
        part = sheets[start : start + BATCH]
        seen = as_seen(part, len(part), Reader(judge=judge))
        pixels.append(seen.images)
        is_shown[[start + place for place in seen.reasons]] = False
    return np.concatenate(pixels), np.flatnonzero(is_shown)


def kinds(
    network: NeuralNetwork, images: NDArray[np.uint8], labels: NDArray[np.uint8], count: int
) -> None:
    """Print what is read right of each kind, how sure that is, and what is flagged as no digit."""
    judge, score = judge_of(network), NoveltyScore.of(network)
    print(
        f"\n{f'{count:,} images of each kind, %':40}{'right':>10}{'confidence':>14}{'flagged':>10}"
    )
    for name, draw in KINDS.items():
        rng = np.random.default_rng(0)
        pixels, shown = read([draw(image, rng) for image in images[:count]], judge)
        probabilities, hidden = network.predict_with_hidden(pixels)
        is_right = probabilities.argmax(axis=1) == labels[shown]
        right = is_right.sum() / count
        confidence = probabilities.max(axis=1)[is_right].mean()
        novel = np.nan if score is None else np.mean(score.p_values(hidden) < NOVEL)
        print(
            f"{name:40}{100 * right:10.1f}{100 * confidence:14.1f}{100 * novel:10.1f}", flush=True
        )


def tiny(network: NeuralNetwork) -> None:
    """Print how scikit-learn's digits of 8×8 pixels, by other hands, are read."""
    name = "scikit-learn's digits of 8×8 pixels"
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        table.missing(name, "scikit-learn is not installed")
        return
    found, judge = load_digits(), judge_of(network)
    pixels = np.rint(found.images * (255 / 16)).astype(np.uint8)
    table.heading(f"{name}, right, %")
    for kind, some in (("light on dark", pixels), ("dark on light", 255 - pixels)):
        seen, shown = read(list(some), judge)
        right = np.count_nonzero(network.predict(seen) == found.target[shown])
        table.row(kind, [100 * right / len(some)], "≥ 92")


def non_digits(network: NeuralNetwork, images: NDArray[np.uint8]) -> None:
    """Print how many drawings that are not one digit are flagged, and how many digits."""
    score = NoveltyScore.of(network)
    if score is None:
        return
    table.heading("Flagged as not one digit, %")
    drawings = draw_non_digits(images, 2_000, np.random.default_rng(1))
    for name, some, goal in (("digits of the test set", images, "1"), ("drawings", drawings, "")):
        _, hidden = network.predict_with_hidden(some)
        table.row(name, [100 * np.mean(score.p_values(hidden) < NOVEL)], goal)


def fields(network: NeuralNetwork, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    """Print how many fields are read wholly right, and how many if each digit came by itself."""
    judge = judge_of(network)
    table.heading(f"{FIELDS} fields of 2 to 6 digits wholly right, %")
    for name, touching, goal in (("apart", False, "≥ 97"), ("every fifth pair touching", True, "")):
        rng = np.random.default_rng(2)
        right = alone = 0
        for _ in range(FIELDS):
            chosen = rng.integers(len(images), size=int(rng.integers(2, 7)))
            sheet = specimens.field(images[chosen], rng, touching=touching)
            seen, _ = digits_as_seen([sheet], Reader(split=0, judge=judge))
            found = network.predict(seen.images) if len(seen.images) else np.empty(0)
            right += np.array_equal(found, labels[chosen])
            alone += bool((network.predict(images[chosen]) == labels[chosen]).all())
        table.row(name, [100 * right / FIELDS], "≥ 85" if touching else "")
        table.row(f"{name}: of those whose digits alone are", [100 * right / alone], goal)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000, help="images of each kind")
    chosen = parser.parse_args()
    test = ingest().test
    data = parquet.read(test.path, test.split)
    with open_registry() as registry:
        network = NeuralNetwork.from_bytes(registry.load("mnist@champion"))
    with single_threaded_blas():
        kinds(network, data.images, data.labels, chosen.count)
        tiny(network)
        non_digits(network, data.images)
        fields(network, data.images, data.labels)


if __name__ == "__main__":
    main()
