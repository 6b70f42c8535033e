"""How the champion under DIGITS_HOME reads images of the kinds that people send.

Each kind is drawn from MNIST's test set. Images that are not one digit are drawings of kinds that
the novelty score was fitted to, and then of kinds that it was not: for these, the score is fitted
again without them. Fields are of two to six digits.
"""

import argparse
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import table
from nn import NeuralNetwork, expected_calibration_error, single_threaded_blas
from pipeline import ingest, open_registry
from pipeline.data import parquet
from pipeline.data.parquet import Examples
from pipeline.data.splits import training_and_validation
from pipeline.images.evidence import Judge
from pipeline.images.reading import Reader, as_seen, digits_as_seen
from pipeline.metrics.confidence import softened
from pipeline.metrics.novelty import NOVEL, NoveltyScore
from pipeline.scoring import specimens
from pipeline.scoring.answers import judge_of
from pipeline.scoring.specimens import KINDS
from pipeline.training.drawings import NON_DIGITS, draw_non_digits
from pipeline.training.novelty import fit_novelty

# As many as scoring reads together.
BATCH = 1024

SURE = 0.9

FIELDS = 500

DRAWINGS = 2_000

# Times the novelty score is fitted, each time without another third of the kinds.
FOLDS = 3


class Read(NamedTuple):
    """Images as the network sees them."""

    images: NDArray[np.uint8]
    is_normalized: NDArray[np.bool_]
    places: NDArray[np.intp]
    """Which of the sheets they are: none is blank."""


def read(sheets: list[NDArray[np.uint8]], judge: Judge) -> Read:
    """Read images as scoring does."""
    pixels, is_normalized, is_shown = [], [], np.ones(len(sheets), bool)
    for start in range(0, len(sheets), BATCH):
        part = sheets[start : start + BATCH]
        seen = as_seen(part, len(part), Reader(judge=judge))
        pixels.append(seen.images)
        is_normalized.append(seen.is_normalized)
        is_shown[[start + place for place in seen.reasons]] = False
    return Read(np.concatenate(pixels), np.concatenate(is_normalized), np.flatnonzero(is_shown))


def kinds(
    network: NeuralNetwork, images: NDArray[np.uint8], labels: NDArray[np.uint8], count: int
) -> None:
    """Print what is read right of each kind, how sure that is, and what is flagged as no digit."""
    judge, score = judge_of(network), NoveltyScore.of(network)
    print(
        f"\n{f'{count:,} images of each kind, %':40}{'right':>10}{'confidence':>14}{'flagged':>10}"
    )
    answers = []
    for name, draw in KINDS.items():
        rng = np.random.default_rng(0)
        seen = read([draw(image, rng) for image in images[:count]], judge)
        by_network, hidden = network.predict_with_hidden(seen.images)
        probabilities = softened(by_network, seen.is_normalized)
        is_right = probabilities.argmax(axis=1) == labels[seen.places]
        answers.append((by_network, probabilities, labels[seen.places]))
        right = is_right.sum() / count
        confidence = probabilities.max(axis=1)[is_right].mean()
        novel = np.nan if score is None else np.mean(score.p_values(hidden) < NOVEL)
        print(
            f"{name:40}{100 * right:10.1f}{100 * confidence:14.1f}{100 * novel:10.1f}", flush=True
        )
    by_network, probabilities, truth = map(np.concatenate, zip(*answers, strict=True))
    table.heading("All of these kinds")
    for name, found in (("of scoring", probabilities), ("of the network", by_network)):
        error = expected_calibration_error(found, truth)
        table.row(f"calibration error of the confidence {name}, %", [100 * error])
        sure = (found.argmax(axis=1) != truth) & (found.max(axis=1) >= SURE)
        table.row(f"wrong with a confidence {name} of {SURE} and more, %", [100 * sure.mean()])


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
        seen = read(list(some), judge)
        right = np.count_nonzero(network.predict(seen.images) == found.target[seen.places])
        table.row(kind, [100 * right / len(some)], "≥ 92")


def non_digits(network: NeuralNetwork, images: NDArray[np.uint8], train: Examples) -> None:
    """Print how many drawings that are not one digit are flagged, and how many digits."""
    score = NoveltyScore.of(network)
    if score is None:
        return
    table.heading("Flagged as not one digit, %")
    digits = _p_values(network, score, images)
    drawings = _p_values(
        network, score, draw_non_digits(images, DRAWINGS, np.random.default_rng(1))
    )
    table.row("digits of the test set", [100 * np.mean(digits < NOVEL)], "1")
    table.row("drawings", [100 * np.mean(drawings < NOVEL)])
    threshold = np.quantile(digits, 0.01)
    table.row(
        "drawings, where 1 % of the digits are", [100 * np.mean(drawings < threshold)], "≥ 90"
    )
    training, validation = training_and_validation(train.labels)
    unseen = []
    for part in range(FOLDS):
        left_out = NON_DIGITS[part::FOLDS]
        rest = [kind for kind in NON_DIGITS if kind not in left_out]
        fitted = fit_novelty(network, train.images[training], train.images[validation], rest)
        threshold = np.quantile(_p_values(network, fitted, images), 0.01)
        for kind in left_out:
            some = draw_non_digits(images, DRAWINGS // 5, np.random.default_rng(1), (kind,))
            unseen.append(100 * np.mean(_p_values(network, fitted, some) < threshold))
            table.row(f"{kind}, the score fitted without it", unseen[-1:])
    table.row("mean of the kinds, each fitted without it", [np.mean(unseen)], "≥ 80")


def _p_values(
    network: NeuralNetwork, score: NoveltyScore, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    return score.p_values(network.predict_with_hidden(images)[1])


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
    mnist = ingest()
    data = parquet.read(mnist.test.path, mnist.test.split)
    train = parquet.read(mnist.train.path, mnist.train.split)
    with open_registry() as registry:
        network = NeuralNetwork.from_bytes(registry.load("mnist@champion"))
    with single_threaded_blas():
        kinds(network, data.images, data.labels, chosen.count)
        tiny(network)
        non_digits(network, data.images, train)
        fields(network, data.images, data.labels)


if __name__ == "__main__":
    main()
