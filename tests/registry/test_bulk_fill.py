"""The registries that the benchmarks fill in bulk, without `register`, are valid ones."""

import pytest

from benchmarks.registry.fill import LARGE, fill
from registry import Registry


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_registry_that_is_filled_in_bulk_is_valid(url, tmp_path):
    blobs = str(tmp_path / "blobs")
    fill(url, blobs, 100)
    with Registry(url, blobs) as registry:
        problems = [f for f in registry.verify() if not f.subject.startswith("blob")]
        assert problems == []
        assert len(registry.versions()) == 100
        assert registry.get(f"{LARGE}@champion") == registry.latest(LARGE)
