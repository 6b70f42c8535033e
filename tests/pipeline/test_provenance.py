"""The code version depends on what trains and judges, and on nothing else."""

import os
import shutil
import subprocess
import sys

PACKAGES = ("nn", "registry", "pipeline")

# The rooms on which weights and verdicts depend.
DECIDE = {
    "nn",
    "pipeline/data",
    "pipeline/gate",
    "pipeline/images",
    "pipeline/inputs",
    "pipeline/metrics",
    "pipeline/training",
}

# Prints the code version, and for each given path the one after adding a comment to that file.
_VERSIONS = """
import sys
from pathlib import Path
from pipeline.provenance import code_version

print("unchanged", code_version())
for argument in sys.argv[1:]:
    path = Path(argument)
    source = path.read_bytes()
    path.write_bytes(source + b"# another comment\\n")
    code_version.cache_clear()
    print(argument, code_version())
    path.write_bytes(source)
"""


def _room(path):
    """Return the package or, in `pipeline`, the room of a module."""
    return "/".join(path.parts[: 2 if path.parts[0] == "pipeline" else 1])


def test_the_code_version_depends_on_what_trains_and_judges_and_on_nothing_else(
    pytestconfig, tmp_path
):
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(pytestconfig.rootpath / package, tmp_path / package, ignore=ignored)
    modules = sorted(
        path.relative_to(tmp_path)
        for package in PACKAGES
        for path in (tmp_path / package).rglob("*.py")
    )
    done = subprocess.run(
        [sys.executable, "-c", _VERSIONS, *map(str, modules)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    versions = dict(line.split() for line in done.stdout.splitlines())
    unchanged = versions.pop("unchanged")
    assert set(versions) == set(map(str, modules))
    assert {_room(path) for path in modules} > DECIDE
    changed = {path for path in modules if versions[str(path)] != unchanged}
    assert changed == {path for path in modules if _room(path) in DECIDE}
    # Every file has its own effect.
    assert len({versions[str(path)] for path in changed}) == len(changed)
