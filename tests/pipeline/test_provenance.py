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

# Prints the code version, and for each line of paths the one after adding a comment to those files.
_VERSIONS = """
import sys
from pathlib import Path
from pipeline.provenance import code_version

print(code_version())
for line in sys.stdin:
    sources = {path: path.read_bytes() for path in map(Path, line.split())}
    for path, source in sources.items():
        path.write_bytes(source + b"# another comment\\n")
    code_version.cache_clear()
    print(code_version())
    for path, source in sources.items():
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
    assert {_room(path) for path in modules} > DECIDE
    deciding = [str(path) for path in modules if _room(path) in DECIDE]
    others = [str(path) for path in modules if _room(path) not in DECIDE]
    done = subprocess.run(
        [sys.executable, "-c", _VERSIONS],
        input="\n".join([*deciding, " ".join(others)]),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    unchanged, *changed, with_others_changed = done.stdout.splitlines()
    # Every file has its own effect.
    assert len({unchanged, *changed}) == 1 + len(deciding)
    assert with_others_changed == unchanged
