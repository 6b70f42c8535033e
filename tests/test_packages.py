"""The packages that are released: what they hold, and that everything says the same version."""

import email
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import pipeline

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("nn", "registry", "pipeline")


def _build(project, target, kind):
    """Build a package in a process of its own, as pip does."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (package,) = target.iterdir()
    return package


def _contents(wheel):
    """Return what a wheel holds, by name; RECORD follows from it."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if "RECORD" not in name}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return _build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The source distribution, unpacked."""
    directory = tmp_path_factory.mktemp("source")
    with tarfile.open(_build(ROOT, directory / "archive", "sdist")) as archive:
        archive.extractall(directory, filter="data")
    return next(path for path in directory.iterdir() if path.name != "archive")


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not in a clone")
def test_a_wheel_holds_every_file_of_the_packages_and_no_other(wheel):
    """Templates, static files, migrations, py.typed."""
    kept = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, check=True, capture_output=True, text=True
    )
    expected = set(kept.stdout.split())
    assert {"pipeline/py.typed", "pipeline/web/static/app.js", "nn/py.typed"} <= expected
    assert any(name.startswith("registry/migrations/") for name in expected)
    assert any(name.endswith(".html.j2") for name in expected)
    held = {name for name in _contents(wheel) if ".dist-info/" not in name}
    assert held == expected


def test_a_wheel_has_the_licence_and_the_metadata(wheel):
    contents = _contents(wheel)
    information = f"digits_pipeline-{PROJECT['version']}.dist-info"
    assert contents[f"{information}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    metadata = email.message_from_bytes(contents[f"{information}/METADATA"])
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert b"digits = pipeline.cli:main" in contents[f"{information}/entry_points.txt"]


def test_a_source_distribution_builds_the_same_wheel(wheel, source, tmp_path):
    again = _build(source, tmp_path / "wheel", "wheel")
    assert _contents(again) == _contents(wheel)


def test_a_source_distribution_has_what_packagers_need(source):
    """The tests, the documentation, the locks and the licence."""
    for name in ("LICENSE", "CHANGELOG.md", "Makefile", "tests/conftest.py", "docs/index.md"):
        assert (source / name).exists(), name
    assert not (source / ".venv").exists()


def test_the_version_is_one_everywhere():
    version = PROJECT["version"]
    headings = re.findall(
        r"^## (\d\S*?)(, \d{4}-\d\d-\d\d)?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    # The newest heading is this version, with the date of its release.
    assert headings[0][0] == version
    assert headings[0][1], "the newest version in CHANGELOG.md has no date"
    assert version == pipeline.__version__ == importlib.metadata.version("digits-pipeline")


def test_every_python_that_is_promised_is_one_that_is_supported():
    promised = [
        classifier.rpartition(" ")[2]
        for classifier in PROJECT["classifiers"]
        if re.search(r":: 3\.\d+$", classifier)
    ]
    assert promised[0] == PROJECT["requires-python"].removeprefix(">=")
