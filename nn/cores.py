"""How many cores this process may use."""

import math
import os
from pathlib import Path, PurePosixPath

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_CGROUP_MEMBERSHIP = Path("/proc/self/cgroup")


def available_cores(root: Path = _CGROUP_ROOT, membership: Path = _CGROUP_MEMBERSHIP) -> int:
    """Return how many cores this process may use, at least 1.

    That is the CPU affinity or, if that is smaller, the CPU quota of the process's control group
    (cgroup) and the groups around it, rounded up: containers are limited by such quotas.

    Parameters
    ----------
    root : Path
        The directory at which the kernel shows control groups.
    membership : Path
        The file that names the control groups of this process.

    References
    ----------
    https://docs.kernel.org/admin-guide/cgroup-v2.html (``cpu.max``) and
    https://docs.kernel.org/scheduler/sched-bwc.html (``cpu.cfs_quota_us``).
    """
    quotas = [math.ceil(quota) for quota in _quotas(root, membership)]
    return max(1, min([_affinity(), *quotas]))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path, membership: Path) -> list[float]:
    """Return the CPU quotas that apply to this process, in cores."""
    quotas = []
    for line in _read(membership).splitlines():
        # Such as "0::/user.slice" in version 2 and "4:cpu,cpuacct:/docker/abc" in version 1.
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            quotas += [_quota_v2(root / group) for group in _ancestry(path)]
        elif "cpu" in controllers.split(","):
            quotas += [
                _quota_v1(root / name / group)
                for name in (controllers, "cpu")
                for group in _ancestry(path)
            ]
    return [quota for quota in quotas if quota is not None]


def _ancestry(path: str) -> list[PurePosixPath]:
    """Return a control group and those around it, relative to the root, which comes last.

    In a container the root shows the container's own group, and the path may be that of the
    host, which does not exist here: files that are missing count as no quota.
    """
    group = PurePosixPath(path.lstrip("/"))
    return [group, *group.parents]


def _quota_v2(group: Path) -> float | None:
    quota, _, period = _read(group / "cpu.max").partition(" ")
    return _ratio(quota, period)


def _quota_v1(group: Path) -> float | None:
    return _ratio(_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    """Return a quota in cores. None if there is none: "max", -1, or no such file."""
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
