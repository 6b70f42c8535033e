"""The rules between the parts, and the public faces, as facts that are checked."""

import importlib
import inspect
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

PACKAGES = ["nn", "registry", "pipeline"]


def test_dependencies_point_one_way(pytestconfig):
    """Import-linter's contracts, in pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    linted = subprocess.run(
        command, cwd=pytestconfig.rootpath, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout
    assert "0 broken" in linted.stdout


@pytest.mark.parametrize("name", PACKAGES)
def test_the_public_face_is_sorted_and_all_there(name):
    package = importlib.import_module(name)
    assert package.__all__ == sorted(package.__all__)
    for member in package.__all__:
        assert getattr(package, member).__doc__


@pytest.mark.parametrize("name", PACKAGES)
def test_a_name_that_is_not_there_is_an_error(name):
    with pytest.raises(AttributeError, match="nonsense"):
        importlib.import_module(name).nonsense  # noqa: B018


@pytest.mark.parametrize("name", PACKAGES)
def test_every_error_is_in_the_tree_its_module_draws(name):
    classes = _errors_of(name)
    assert len(classes) > 4
    for error in classes:
        assert error.__name__ in importlib.import_module(f"{name}.errors").__doc__


@pytest.mark.parametrize("name", PACKAGES)
def test_every_error_reaches_the_process_that_waits_for_it(name):
    """A worker process, of a pool or of Dask, hands its errors over as pickles."""
    for error in _errors_of(name):
        raised = _example_of(error)
        received = pickle.loads(pickle.dumps(raised))
        assert type(received) is error
        assert str(received) == str(raised)
        assert vars(received) == vars(raised)


def _errors_of(name):
    return [
        value
        for value in vars(importlib.import_module(f"{name}.errors")).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]


_EXAMPLES = {
    str: "text",
    int: 3,
    float: 0.5,
    Path: Path("file"),
    datetime: datetime(2026, 1, 2, tzinfo=UTC),
}


def _example_of(error):
    if error.__init__ is Exception.__init__ or not inspect.isfunction(error.__init__):
        return error("text")
    _, *parameters = inspect.signature(error.__init__, eval_str=True).parameters.values()
    return error(
        *(
            _EXAMPLES.get(parameter.annotation, ())
            for parameter in parameters
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        )
    )


@pytest.mark.parametrize("name", PACKAGES)
def test_types_are_shipped(name):
    assert (Path(importlib.import_module(name).__file__).parent / "py.typed").exists()


def test_locks_carry_hashes_and_name_no_index(pytestconfig):
    for path in (pytestconfig.rootpath / "requirements").iterdir():
        lines = path.read_text().splitlines()
        pinned = [line for line in lines if line[0].isalnum()]
        assert len(pinned) > 50
        assert all("==" in line and line.endswith("\\") for line in pinned)
        assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)
        assert not any("://" in line or "--index" in line for line in lines)
