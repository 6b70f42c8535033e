from pathlib import Path

import pytest

from registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A new registry on a SQLite file."""
    with Registry(f"sqlite:///{tmp_path}/registry.db", str(tmp_path / "blobs")) as registry:
        yield registry
