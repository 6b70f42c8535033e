from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgresql_server import NOT_INSTALLED, PostgreSQLServer, postgresql_server, programs
from registry_processes import Place

_MEASURED = "measured"


@pytest.fixture(scope="session")
def postgresql(torture: bool, request: pytest.FixtureRequest) -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server; for the whole torture, one that waits for the disk."""
    if not torture:
        yield request.getfixturevalue("postgresql")
        return
    if programs() is None:
        pytest.skip(NOT_INSTALLED)
    with postgresql_server(durable=True) as server:
        yield server


@pytest.fixture
def place(url: str, tmp_path: Path) -> Place:
    """Where a registry may be, on each kind of database."""
    return Place(url, str(tmp_path / "blobs"))


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
