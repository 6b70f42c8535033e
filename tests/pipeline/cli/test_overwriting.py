"""A command overwrites what it wrote itself, and nothing else without --force."""

import sqlite3

import pytest

COMMANDS = [("export", "mnist"), ("backup",), ("download", "1")]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_of_somebody_else_stays(digits, version, tmp_path, command):
    file = tmp_path / "file"
    file.write_text("mine")
    ended = digits(*command, file)
    assert ended.status == 2
    assert f"{file} is there already, and not of this command." in ended.err
    assert file.read_text() == "mine"
    assert digits(*command, file, "--force").status == 0
    assert file.read_bytes()[:4] != b"mine"


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_wrote_before_it_writes_again(digits, version, tmp_path, command):
    for _ in range(2):
        assert digits(*command, tmp_path / "file").status == 0


def test_another_database_is_no_backup(digits, version, tmp_path):
    database = sqlite3.connect(tmp_path / "file")
    with database:
        database.execute("CREATE TABLE mine (a)")
    database.close()
    assert digits("backup", tmp_path / "file").status == 2


def test_another_networks_export_is_not_overwritten(digits, version, tmp_path):
    (tmp_path / "file").write_text("mine")
    ended = digits("export", "1", tmp_path / "file", "--format", "onnx")
    assert ended.status == 2
    assert (tmp_path / "file").read_text() == "mine"


def test_a_pipe_is_written_to(digits, version):
    assert digits("export", "1", "/dev/null").status == 0
