"""The rule of retention, as a pure function."""

from hypothesis import given
from hypothesis import strategies as st

from registry.retention import Candidate, excess_versions

VERSIONS = st.dictionaries(st.integers(1, 30), st.integers(0, 100), min_size=1).map(
    lambda versions: [Candidate(*item) for item in versions.items()]
)


@given(
    versions=VERSIONS,
    keep=st.integers(1, 10),
    before=st.none() | st.integers(0, 101),
    in_use=st.sets(st.integers(1, 30)),
)
def test_what_is_deleted_is_neither_new_nor_young_nor_in_use(versions, keep, before, in_use):
    """And everything else is deleted."""
    deleted = excess_versions(versions, keep=keep, before=before, in_use=in_use)
    assert deleted == sorted(set(deleted))
    newest = sorted(version.number for version in versions)[-keep:]
    for version in versions:
        is_young = before is not None and version.created_at >= before
        stays = version.number in newest or version.number in in_use or is_young
        assert (version.number in deleted) == (not stays)


@given(VERSIONS, st.integers(1, 10))
def test_the_only_version_is_never_deleted(versions, keep):
    deleted = excess_versions(versions, keep=keep, before=None, in_use=())
    assert len(versions) - len(deleted) == min(keep, len(versions))
