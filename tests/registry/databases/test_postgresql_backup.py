"""Back-up and restore on PostgreSQL with pg_dump, as the documentation says it."""

import os
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest
from postgresql_server import programs

from registry import Registry


@pytest.fixture
def client(postgresql, tmp_path):
    """Run a program of PostgreSQL against a database."""

    def run(program, database, *arguments):
        command = [programs() / program, "--host", postgresql.directory, "-U", postgresql.user]
        subprocess.run([*command, "--dbname", database, *arguments], check=True, cwd=tmp_path)

    return run


def _open(postgresql, database, blobs):
    return Registry(postgresql.url(database), str(blobs))


def _restored(postgresql, client, dump, blobs):
    """Restore a dump into a new database, and open it with a copy of the blobs."""
    database = postgresql.new_database()
    client("pg_restore", database, "--exit-on-error", str(dump))
    return _open(postgresql, database, blobs)


def _copy(blobs: Path) -> Path:
    """Copy the weights, as if that had been done hours ago: what is young is never reported."""
    copy = Path(shutil.copytree(blobs, blobs.with_name("blobs-copy")))
    hours_ago = time.time() - 3 * 3600
    for path in copy.rglob("*"):
        os.utime(path, (hours_ago, hours_ago))
    return copy


def test_the_database_first_and_the_blobs_after_it_lose_nothing(postgresql, client, tmp_path):
    database = postgresql.new_database()
    with _open(postgresql, database, tmp_path / "blobs") as registry:
        for weights in (b"1", b"2"):
            registry.register("mnist", weights)
        registry.set_alias("mnist/1", "live")
        client("pg_dump", database, "--schema=digits", "--format=custom", "--file=digits.dump")
        # A nightly retraining between the two steps.
        registry.register("mnist", b"3")
        history = registry.history("mnist")
    blobs = _copy(tmp_path / "blobs")
    with _restored(postgresql, client, tmp_path / "digits.dump", blobs) as registry:
        assert [version.number for version in registry.versions("mnist")] == [2, 1]
        assert registry.load("mnist@live") == b"1"
        assert registry.history("mnist") == history[1:]
        # The weights of version 3 are told, and stay: this may be their only copy.
        (finding,) = registry.verify()
        assert finding.severity == "warning"
        assert "registered after the backup" in finding.text
        kept = registry.gc(grace=timedelta(0))
        assert (kept.blobs, kept.unknown) == (0, 1)
        assert registry.gc(grace=timedelta(0), unknown=True).blobs == 1
        assert list(registry.verify()) == []
        assert registry.register("mnist", b"4").number == 3


def test_the_blobs_first_lack_weights_of_the_database(postgresql, client, tmp_path):
    """Which is why the documentation says the database first."""
    database = postgresql.new_database()
    with _open(postgresql, database, tmp_path / "blobs") as registry:
        registry.register("mnist", b"1")
        blobs = _copy(tmp_path / "blobs")
        registry.register("mnist", b"2")
        client("pg_dump", database, "--schema=digits", "--format=custom", "--file=digits.dump")
    with _restored(postgresql, client, tmp_path / "digits.dump", blobs) as registry:
        (finding,) = registry.verify()
        assert finding.severity == "error"
        assert "are missing" in str(finding)
