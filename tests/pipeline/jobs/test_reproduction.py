"""Reproduction: bit-identical weights, or a report of what differs."""

import shutil

import pytest

from pipeline import open_registry, retrain
from pipeline.data.labelled import path_of
from pipeline.errors import LineageError
from pipeline.images.encoding import png
from pipeline.jobs import reproduction
from pipeline.jobs.reproduction import reproduce
from pipeline.settings import load_settings
from pipeline.training.presets import PRESETS
from registry import RunRecord

pytestmark = pytest.mark.usefixtures("sources", "brief_training")


def _own(directory):
    import numpy as np

    rng = np.random.default_rng(1)
    for n in range(20):
        image = np.zeros((28, 28), np.uint8)
        image[4:24, 8:20] = rng.integers(1, 3, (20, 12)) * 100
        path = directory / str(n % 10) / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    return directory


def test_a_version_is_reproduced_to_the_bit_whatever_the_preset_is_now(retrained, monkeypatch):
    monkeypatch.setitem(PRESETS, "quick", {**PRESETS["quick"], "learning_rate": 0.3})
    monkeypatch.setenv("DIGITS_GATE__MIN_RECALL", "0.5")
    done = reproduce("1")
    assert done.is_identical
    assert done.version == retrained
    assert done.layers == ()
    assert done.environment == {}
    with open_registry() as registry:
        assert len(registry.history("mnist")) == 2
    assert [path.name for path in load_settings().unfinished.iterdir()] == [".lock"]


def test_differences_are_reported(retrained, monkeypatch, digits):
    """The code has changed, and trains with another learning rate."""
    right = reproduction.network_params_of
    monkeypatch.setattr(
        reproduction, "network_params_of", lambda params: right(params) | {"learning_rate": 0.09}
    )
    monkeypatch.setattr(reproduction, "code_version", lambda: "0.2.0+other")
    done = reproduce("mnist@champion")
    assert not done.is_identical
    assert {layer.layer for layer in done.layers} == {
        f"{kind}.{n}" for kind in ("weights", "biases") for n in (1, 2, 3)
    }
    assert all(0 < layer.distance < 1 for layer in done.layers)
    assert done.environment == {"code": (done.version.code_version, "0.2.0+other")}
    ended = digits("reproduce", "1")
    assert ended.status == 1
    assert "mnist/1: different weights" in ended.out
    assert f"{done.version.code_version}, now 0.2.0+other" in ended.out
    assert "weights.1" in ended.out


def test_lost_weights_are_reproduced_too(retrained, home, digits):
    shutil.rmtree(home / "blobs")
    ended = digits("reproduce", "1")
    assert ended.status == 0
    assert "mnist/1: bit-identical" in ended.out


def test_labelled_images_are_found_in_the_home_or_where_the_user_says(home, tmp_path):
    own = _own(tmp_path / "own")
    version = retrain(preset="quick", min_accuracy=0.2, labelled=str(own)).version
    assert reproduce("1").is_identical
    path_of(load_settings().labelled, version.inputs["labelled"]).unlink()
    with pytest.raises(
        LineageError, match=r"labelled images .*, got none\. Name their directory with --lab"
    ):
        reproduce("1")
    assert reproduce("1", labelled=str(own)).is_identical
    path_of(load_settings().labelled, version.inputs["labelled"]).unlink()
    (own / "0" / "0.png").unlink()
    with pytest.raises(LineageError, match="got other images"):
        reproduce("1", labelled=str(own))


def test_a_version_without_lineage_cannot_be_reproduced(home, version):
    with pytest.raises(LineageError, match=r"mnist/1 was trained on other data.*: test_images"):
        reproduce("1")
    with open_registry() as registry:
        registry.register("mnist", b"weights", RunRecord(params={"colour": "red"}))
    with pytest.raises(
        LineageError, match=r"mnist/2: expected the recorded parameters of its network"
    ):
        reproduce("2")


def test_a_reproduction_that_was_stopped_resumes(retrained, monkeypatch):
    from pipeline.training import training

    def stop(_what, done, *_):
        if done == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "report", stop)
        with pytest.raises(KeyboardInterrupt):
            reproduce("1")
    told = []
    monkeypatch.setattr(training, "report", lambda _what, done, *_: told.append(done))
    assert reproduce("1").is_identical
    assert told == [0, 3, 4]
