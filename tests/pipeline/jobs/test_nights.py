"""Nights of retraining with labelled images that drift, on the sample of MNIST."""

import json

import numpy as np
import pytest
from drifting_images import LabelledImages
from mnist_sample import SAMPLE, arrays

from nn import NeuralNetwork
from pipeline import open_registry
from pipeline.data import labelled as labelled_images
from pipeline.data.splits import training_and_validation
from pipeline.jobs.ingestion import ingest
from pipeline.settings import load_settings
from pipeline.training.presets import PRESETS


@pytest.fixture
def own(sources, tmp_path, monkeypatch):
    """Labelled images, and a network that learns some hundred images by heart in no time."""
    brief = {"sizes": (784, 50, 10), "epochs": 20, "threads": 1, "distortion": None}
    monkeypatch.setitem(PRESETS, "quick", {**PRESETS["quick"], **brief})
    images, labels = arrays(SAMPLE.train)
    places, _ = training_and_validation(labels)
    # Each is written three times, and never the same way.
    places = np.tile(places, 3)
    return LabelledImages(
        tmp_path / "own", images[places], labels[places], np.random.default_rng(0)
    )


@pytest.mark.long
def test_every_night_ends_by_itself_and_history_says_why(own, digits, tmp_path):
    def night():
        ended = digits(
            "retrain", "--preset", "quick", "--min-accuracy", 0.5, "--direct",
            "--labelled", tmp_path / "own",
        )  # fmt: skip
        return ended.status, ended.out.splitlines()[0].strip(), ended.err

    own.add(1, 880, 0.0)
    assert night()[:2] == (0, "mnist/1 promoted")

    assert night()[:2] == (0, "mnist/1 unchanged")

    own.add(3, 100, 0.2)
    for digit in range(10):
        own.mislabel(1, digit, (digit + 1) % 10)
    status, _, err = night()
    assert status == 3
    assert "Refused: validation_accuracy " in err

    for digit in range(10):
        own.mend(1, digit, (digit + 1) % 10)
    own.contradict(3, 3, 5)
    status, outcome, err = night()
    assert (status, outcome) == (0, "mnist/2 promoted")
    assert "An image with the labels 3, 5 is left out" in err

    own.add(5, 300, 1.0)
    assert night()[:2] == (0, "mnist/3 promoted")

    told = json.loads(digits("history", "--json").out)[::-1]
    assert [event["kind"] for event in told] == [
        "registered",
        "alias_moved",
        "refused",
        *("registered", "alias_moved") * 2,
    ]
    for event in told:
        if event["kind"] == "alias_moved":
            assert "own held-out images" in event["details"]["reason"]
        elif event["kind"] == "refused":
            failed = [c["name"] for c in event["details"]["candidate"]["gate"] if not c["passed"]]
            assert failed == ["validation_accuracy"]
    first, last = _accuracies(tmp_path / "own", "mnist/1", "mnist/3")
    assert last > first


def _accuracies(directory, *references):
    """What versions make of the held-out images of all nights together."""
    settings = load_settings()
    reference = labelled_images.collect(directory, ingest(), settings.labelled).reference
    side = labelled_images.read(reference.path, reference.sha256).held_out
    with open_registry() as registry:
        return [
            NeuralNetwork.from_bytes(registry.load(one)).validate(side.images, side.labels)
            for one in references
        ]
