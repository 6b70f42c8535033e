"""What every test stands on: a home of its own, and no source but those it names."""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The processes of the tests share the cores. The threads of BLAS would only wait for each
# other, busily; they are read from here when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from examples import VARIABLE, examples
from homes import use_home
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling

from pipeline.settings import Settings, load_settings

_MEASURED = "measured"

_PREFECT = "tests/pipeline/flows/"

_MEMORY = Path("/dev/shm")

# What the tests leave until their end is less than a GB.
_MIN_FREE_MEMORY = 4 * 2**30


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make torture` ask for all of it."""
    parser.addoption("--torture", action="store_true", help="the torture, in full")
    parser.addoption("--long", action="store_true", help="the long tests, and no others")


def pytest_configure(config: pytest.Config) -> None:
    """Say how many examples Hypothesis tries, and where temporary files are."""
    if config.getoption("--long") or config.getoption("--torture"):
        os.environ[VARIABLE] = "1"
    # An example's time says nothing on a busy machine.
    hypothesis_settings.register_profile("digits", deadline=None, max_examples=examples(25))
    hypothesis_settings.load_profile("digits")
    if "TMPDIR" not in os.environ and not config.getoption("--torture"):
        _use_memory_for_temporary_files()


def _use_memory_for_temporary_files() -> None:
    """Have temporary files in memory, if there is enough of it.

    Registries and PostgreSQL write and remove many small files, each of which waits for the disk.
    The full torture is to wait for it.
    """
    if not _MEMORY.is_dir():
        return
    is_writable = os.access(_MEMORY, os.W_OK)
    if is_writable and shutil.disk_usage(_MEMORY).free > _MIN_FREE_MEMORY:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the tests of Prefect: they take longest, and wait much.

    The long tests are left to `make test-long`, unless a test is named or the torture is wanted.
    It also runs those of Hypothesis again, with more examples.
    """
    items.sort(key=lambda item: _group_of(item.nodeid) == _PREFECT, reverse=True)
    names_a_test = any("::" in argument for argument in config.args)
    if config.getoption("--torture") or names_a_test:
        return
    wants_long = config.getoption("--long")
    left_out = [item for item in items if not _is_wanted(item, wants_long=wants_long)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _is_wanted(item, wants_long=wants_long)]


def _is_wanted(item: pytest.Item, *, wants_long: bool) -> bool:
    is_long = item.get_closest_marker("long") is not None
    if not wants_long:
        return not is_long
    return is_long or item.get_closest_marker("hypothesis") is not None


def pytest_collection_finish() -> None:
    """Spare the garbage collector the modules and the tests, which all stay."""
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Keep tests together, in one of the processes, that share what is expensive to make.

    The marks of xdist 3.8 for that have no effect with pytest 9.2.
    """
    return _Groups(config, log)


class _Groups(LoadScopeScheduling):
    """Gives whole groups of tests to a process."""

    def _split_scope(self, nodeid: str) -> str:
        return _group_of(nodeid)


def _group_of(nodeid: str) -> str:
    """Return the file of a test; those of Prefect are one group, which shares a server."""
    path = nodeid.partition("::")[0]
    return _PREFECT if path.startswith(_PREFECT) else path


@pytest.fixture(scope="session")
def torture(pytestconfig: pytest.Config) -> bool:
    """Whether to torture in full; by a short sample otherwise."""
    return bool(pytestconfig.getoption("torture"))


@pytest.fixture(scope="session", autouse=True)
def _fonts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Matplotlib looks for fonts once, not in every home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        yield


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Take a line to show at the end of `make torture`."""
    return lambda line: record_property(_MEASURED, line)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show what was measured."""
    if not config.getoption("torture"):
        return
    terminalreporter.section("measured")
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, line in report.user_properties:
                if name == _MEASURED:
                    terminalreporter.line(str(line))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty DIGITS_HOME, where MNIST is the sample and no mirror or index has anything."""
    return use_home(tmp_path, monkeypatch)


@pytest.fixture
def settings(home: Path) -> Settings:
    """The settings of `home`."""
    return load_settings()
