"""How many cores a process may use: its CPU affinity, and the CPU quotas of its cgroups."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn import available_cores


@pytest.fixture(autouse=True)
def _affinity(monkeypatch):
    """This process may run on six cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)


@pytest.fixture
def cores(tmp_path):
    """Count cores with these cgroup files, and this membership of the process."""

    def count(membership, files):
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        (tmp_path / "membership").write_text(membership + "\n")
        return available_cores(tmp_path / "cgroup", tmp_path / "membership")

    return count


def test_without_a_quota_the_affinity_counts(cores, monkeypatch):
    assert cores("0::/", {"cpu.max": "max 100000"}) == 6
    assert cores("0::/elsewhere", {}) == 6
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores("0::/", {}) == os.cpu_count()


def test_without_cgroups_the_affinity_counts(tmp_path):
    """As on macOS, which has neither file."""
    assert available_cores(tmp_path / "none", tmp_path / "none either") == 6


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("100001 100000", 2),
        ("100000 100000", 1),
        ("1000 100000", 1),
        ("900000 100000", 6),
        ("50000 10000", 5),
        ("max 100000", 6),
        ("", 6),
        ("some 100000", 6),
        ("100000", 6),
        ("100000 0", 6),
    ],
)
def test_a_quota_of_version_2_is_rounded_up(quota, expected, cores):
    assert cores("0::/", {"cpu.max": quota}) == expected


@pytest.mark.parametrize(
    ("quota", "period", "expected"),
    [("250000", "100000", 3), ("-1", "100000", 6), ("20000", "100000", 1), ("0", "0", 6)],
)
@pytest.mark.parametrize(
    ("directory", "controllers"),
    [("cpu", "cpu"), ("cpu,cpuacct", "cpu,cpuacct"), ("cpu", "cpuacct,cpu")],
)
def test_a_quota_of_version_1_is_rounded_up(quota, period, expected, directory, controllers, cores):
    membership = f"5:memory:/job\n4:{controllers}:/job\n1:name=systemd:/"
    files = {
        f"{directory}/job/cpu.cfs_quota_us": quota,
        f"{directory}/job/cpu.cfs_period_us": period,
    }
    assert cores(membership, files) == expected


@pytest.mark.parametrize("limited", ["", "outer/", "outer/middle/", "outer/middle/inner/"])
def test_the_quota_of_every_enclosing_group_counts(limited, cores):
    files = {
        "cpu.max": "max 100000",
        "outer/cpu.max": "400000 100000",
        "outer/middle/cpu.max": "max 100000",
        "outer/middle/inner/cpu.max": "500000 100000",
    }
    assert cores("0::/outer/middle/inner", files) == 4
    assert cores("0::/outer/middle/inner", {f"{limited}cpu.max": "150000 100000"}) == 2


def test_a_quota_of_a_group_beside_the_own_one_does_not_count(cores):
    files = {"mine/cpu.max": "max 100000", "other/cpu.max": "100000 100000"}
    assert cores("0::/mine", files) == 6
    assert cores("5:memory:/other\n0::/mine", files) == 6


@given(
    membership=st.text(st.sampled_from("0123:/,.cpumax \n"), max_size=40),
    quota=st.text(st.sampled_from("0123456789 -max\n"), max_size=12),
)
def test_whatever_the_files_hold_there_is_a_core(tmp_path_factory, membership, quota):
    """And never more than the affinity."""
    root = tmp_path_factory.mktemp("cgroup")
    (root / "cpu.max").write_text(quota)
    (root / "membership").write_text(membership)
    assert 1 <= available_cores(root, root / "membership") <= 6
