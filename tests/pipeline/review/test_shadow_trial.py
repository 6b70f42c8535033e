"""A challenger is promoted only if it was not worse in the shadow of the champion."""

import hashlib

import mnist_sample
import numpy as np
import pytest
from champion_and_challenger import register_both, train_for
from mnist_sample import SAMPLE

from pipeline import load_settings, open_registry, score
from pipeline.images.encoding import png
from pipeline.review.decision_file import DecisionFile
from pipeline.review.decisions import Decision, new_id, now
from pipeline.review.shadow_trial import shadow_trial

IMAGES, LABELS = mnist_sample.arrays(SAMPLE.test)


@pytest.fixture(scope="module")
def networks():
    """A good one and a bad one."""
    return train_for((20, 1))


def _write(directory, *, labelled):
    directory.mkdir()
    for number, image in enumerate(IMAGES):
        (directory / f"{number:03}.png").write_bytes(png(image))
    if labelled:
        lines = [f"{number:03}.png,{label}" for number, label in enumerate(LABELS)]
        (directory / "labels.csv").write_text("\n".join(["path,label", *lines]))
    return directory


def _decide(output, numbers, decision_of):
    decisions = [
        Decision(
            id=new_id(),
            sha256=hashlib.sha256(str(number).encode()).hexdigest(),
            decision=decision_of(number),
            reviewer="ann",
            time=now(),
            batch=str(output),
            path=f"{number:03}.png",
        )
        for number in numbers
    ]
    reviews = load_settings().reviews
    reviews.mkdir(parents=True, exist_ok=True)
    DecisionFile(reviews).append(decisions)


def _trial():
    with open_registry() as registry:
        versions = (registry.get("mnist@champion"), registry.get("mnist@challenger"))
        return shadow_trial(load_settings(), registry, *versions)


def _differing(networks):
    first, second = (network.predict(IMAGES) for network in networks)
    return first, second, np.flatnonzero(first != second)


@pytest.mark.parametrize("source", ["labels", "decisions"])
@pytest.mark.parametrize("is_better", [False, True])
def test_a_worse_challenger_is_refused_and_a_better_one_is_promoted(
    home, networks, digits, tmp_path, source, is_better
):
    """Whether the truth is known from labels or from reviewers."""
    ordered = networks[::-1] if is_better else networks
    first, second, differ = _differing(ordered)
    register_both(ordered)
    images = _write(tmp_path / "in", labelled=source == "labels")
    score(images, tmp_path / "out", shadow="challenger")
    if source == "decisions":
        ended = digits("promote", "@challenger", "--after-shadow")
        is_unknown = "expected at least 10 such images, got 0" in ended.err
        assert (ended.status, is_unknown) == (3, True)
        _decide(tmp_path / "out", differ, lambda number: str(LABELS[number]))
    trial = _trial()
    assert trial.disagreements == len(differ)
    assert trial.only_champion_right == (first[differ] == LABELS[differ]).sum()
    assert trial.only_challenger_right == (second[differ] == LABELS[differ]).sum()
    ended = digits("promote", "@challenger", "--after-shadow", "--reason", "tried")
    with open_registry() as registry:
        champion = registry.get("mnist@champion").number
        details = registry.history("mnist", alias="champion", limit=1)[0].details
    if is_better:
        assert (ended.status, champion, details["reason"]) == (0, 2, f"tried; {trial}")
    else:
        assert (ended.status, champion) == (3, 1)
        assert "shadow_mcnemar_p" in ended.err


def test_a_decision_outweighs_a_label_and_an_image_counts_once(home, networks, tmp_path):
    register_both(networks)
    images = _write(tmp_path / "in", labelled=True)
    for output in ("out", "again"):
        score(images, tmp_path / output, shadow="challenger")
    _, second, differ = _differing(networks)
    number = int(differ[0])
    before = _trial()
    for output in ("out", "again"):
        _decide(tmp_path / output, [number], lambda _: str(second[number]))
    with open_registry() as registry:
        assert len(registry.batches()) == 2
    after = _trial()
    assert after.disagreements == before.disagreements - 1
    _decide(tmp_path / "out", [number], lambda _: "n")
    assert _trial().decided == after.decided - 1


def test_batches_of_other_versions_do_not_count(home, networks, tmp_path):
    register_both(networks)
    images = _write(tmp_path / "in", labelled=True)
    score(images, tmp_path / "out", shadow="challenger")
    # The same output, scored again without the shadow.
    score(images, tmp_path / "out")
    score(images, tmp_path / "reverse", model="mnist/2", shadow="mnist/1")
    assert _trial().disagreements == 0
