"""The commands that change, copy and delete versions, as people read them."""

import io
import shutil
import subprocess

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from pipeline import open_registry
from registry import Registry, RunRecord


@pytest.fixture
def two(version):
    """A second version, which passed the gate as well."""
    with open_registry() as registry:
        registry.register("mnist", b"two", RunRecord(gate=version.gate, tags={"team": "ocr"}))


def test_versions_are_a_table_for_other_programs(digits, two):
    text = digits("versions", "--format", "csv").out
    frame = pyarrow.csv.read_csv(io.BytesIO(text.encode()))
    assert frame.column("reference").to_pylist() == ["mnist/2", "mnist/1"]
    assert frame.column("aliases").to_pylist() == ["", "champion"]
    assert frame.column("tags.team").to_pylist() == ["ocr", ""]


def test_versions_are_a_parquet_file(two, tmp_path):
    """Written as bytes, by the command itself."""
    import sys

    command = [sys.executable, "-m", "pipeline", "versions", "--format", "parquet"]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    frame = pq.read_table(io.BytesIO(output))
    assert frame.column("aliases").to_pylist() == [[], ["champion"]]


def test_a_copy_goes_to_another_registry(digits, two, tmp_path):
    url = f"sqlite:///{tmp_path}/other/registry.db"
    ended = digits("copy", "2", "--to", url)
    assert ended.status == 0
    assert ended.out.startswith(f"mnist/1 in {url}, SHA-256 ")
    with Registry(url, str(tmp_path / "other" / "blobs")) as other:
        assert other.load("mnist@latest") == b"two"
    shown = digits("show", "@latest")
    assert "mnist/2" in shown.out


def test_four_eyes_on_the_command_line(digits, two, monkeypatch):
    assert "needs 1 approval by others" in digits("protect", "champion").out
    ended = digits("promote", "2")
    assert ended.status == 1
    assert "mnist@champion is protected" in ended.err
    assert "digits propose" in ended.err
    ended = digits("propose", "2", "--reason", "better")
    assert "Somebody else runs `digits approve mnist/2`." in ended.out
    assert "better" in digits("proposals").out
    ended = digits("approve", "2")
    assert ended.status == 1
    assert "so somebody else approves it" in ended.err
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert digits("approve", "2").out == "mnist@champion is mnist/2 now.\n"
    assert digits("proposals").out == "No version waits for approval.\n"
    for text in ("proposed for", "approved for", "approvals needed: 1"):
        assert text in digits("history").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("prune",),
        ("prune", "--keep", "0"),
        ("prune", "--keep", "3", "--older-than", "90"),
        ("tag", "1", "no-value"),
        ("copy", "1", "--blobs", "there"),
        ("verify", "--export", "file"),
        ("versions", "--format", "xml"),
    ],
)
def test_wrong_usage_is_status_2(digits, two, arguments):
    assert digits(*arguments).status == 2


def test_prune_says_what_it_deletes(digits, two):
    with open_registry() as registry:
        for number in range(3, 6):
            registry.register("mnist", b"%d" % number)
    expected = "2 versions (mnist/2, mnist/3): 2 files of weights, 4 bytes.\n"
    planned = digits("prune", "--keep", "2", "--dry-run")
    assert planned.out.startswith(f"Would delete {expected}")
    assert digits("prune", "--keep", "2", "--older-than", "1h").out.startswith("Deleted 0 versions")
    assert digits("prune", "--keep", "2").out.startswith(f"Deleted {expected}")
    ended = digits("show", "2")
    assert ended.status == 4
    assert "mnist/2 was deleted by" in ended.err


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_signed_events_are_verified_on_the_command_line(digits, version, tmp_path, monkeypatch):
    with open_registry() as registry:
        actor = str(registry._actor)
    key = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", actor, "-f", key]
    subprocess.run(command, check=True)
    monkeypatch.setenv("DIGITS_SIGNING_KEY", str(key))
    with open_registry() as registry:
        registry.register("letters", b"signed")
    assert digits("verify", "letters/1", "--key", f"{key}.pub").status == 0
    ended = digits("verify", "--key", f"{key}.pub")
    assert ended.status == 1
    assert "mnist: events 1 to 2 are not signed" in ended.out
    assert digits("export", "letters", tmp_path / "file").status == 0
    ended = digits("verify", "--export", tmp_path / "file", "--key", f"{key}.pub")
    assert ended.status == 0
    assert "Everything is as it was registered." in ended.out
