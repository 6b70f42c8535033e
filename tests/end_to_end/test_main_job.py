"""The main job on all of MNIST, as a new user runs it: real sources, Prefect with no server.

It needs one source that can be reached, a mirror or the package index, and says so where there
is none.
"""

import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from processes import LIMIT

from pipeline import ingest
from pipeline.data.mnist import MNIST
from pipeline.errors import NoMirrorLeftError


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A home with verified MNIST in it, and a user's home with nothing."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("PREFECT_"):
                patch.delenv(name)
        patch.setenv("DIGITS_HOME", str(home))
        try:
            ingest()
        except NoMirrorLeftError as error:
            pytest.skip(f"No source of MNIST can be reached from here. {error}")
        yield dict(os.environ)


def _digits(environment, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def _champion(environment):
    return json.loads(_digits(environment, "show", "@champion", "--json").stdout)


@pytest.mark.long
def test_from_nothing_to_a_champion_that_scores_a_directory(environment, tmp_path):
    retrained = _digits(environment, "retrain", "--preset", "quick")
    assert retrained.returncode == 0, retrained.stderr
    first = _champion(environment)
    assert (first["number"], first["aliases"]) == (1, ["champion"])
    assert first["metrics"]["test_accuracy"] >= 0.97
    assert first["inputs"]["train_images"] == MNIST.train.images.sha256

    _digits(environment, "sample", "--count", 500, "--output", tmp_path / "sample")
    scored = _digits(
        environment, "score", tmp_path / "sample", "--output", tmp_path / "scores", "--direct"
    )
    assert scored.returncode == 0, scored.stderr
    assert "Scored with mnist/1" in scored.stdout
    rows = pq.read_table(tmp_path / "scores" / "predictions").to_pylist()
    labels = dict(
        line.split(",") for line in (tmp_path / "sample" / "labels.csv").read_text().splitlines()
    )
    right = sum(str(row["prediction"]) == labels[row["path"]] for row in rows)
    assert len(rows) == 500
    assert right / 500 >= 0.95

    # A second time nothing is downloaded: no source is left to download from.
    offline = {**environment, "DIGITS_MIRRORS": str(tmp_path / "none"), "PIP_NO_INDEX": "1"}
    again = _digits(offline, "retrain", "--preset", "quick", "--direct")
    assert again.returncode == 0, again.stderr
    second = _champion(environment)
    assert (second["number"], second["sha256"]) == (1, first["sha256"])
    assert "mnist/1 unchanged" in again.stdout
