"""The claims of SECURITY.md that no other test checks."""

import hashlib
import os
import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from registry_contents import FAILED, PASSED, errors, execute, files

from registry import (
    DamagedBlobError,
    DamagedHistoryError,
    GateError,
    InvalidArgumentError,
    MissingBlobError,
    Registry,
    RunRecord,
)
from registry.events import COLUMNS, Entry
from registry.references import Reference, alias_name, model_name

ROOT = Path(__file__).parents[2]


def test_every_claim_names_an_existing_test():
    """Otherwise the document would make claims that nothing checks."""
    text = (ROOT / "SECURITY.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    claims = [row for row in rows if not row.startswith("| what ")]
    assert len(claims) > 20
    named = re.compile(r"`(?:(test_\w+\.py)::)?(test_\w+)`")
    for row in claims:
        assert named.search(row), row
    for file, test in named.findall(text):
        assert file, f"{test}: its file is not named"
        sources = [path.read_text() for path in (ROOT / "tests").rglob(file)]
        is_there = any(re.search(rf"^def {test}\b", text, re.MULTILINE) for text in sources)
        assert is_there, f"{file}::{test}"


@given(text=st.text() | st.from_regex(r"[a-z./@\\ ~$\0%-]{1,70}", fullmatch=True))
def test_a_valid_name_has_no_special_meaning_anywhere(text):
    """It is safe in a path, a shell, a URL, a terminal, HTML and a header."""
    for check in (model_name, alias_name):
        try:
            found = check(text)
        except InvalidArgumentError:
            continue
        assert re.fullmatch(r"[a-z][a-z0-9_.-]*", found)
        assert len(found) <= 64
    try:
        reference = Reference.parse(text)
    except InvalidArgumentError:
        return
    assert str(reference) == text


@pytest.mark.parametrize(
    "name", ["../../evil", "/evil", "a/../../evil", "..", "a\0", "~", "$HOME", "a;b", "a\x1b[2J"]
)
def test_a_name_never_becomes_a_path(sqlite, tmp_path, name):
    before = files(tmp_path)
    for act in (
        lambda: sqlite.register(name, b"weights"),
        lambda: sqlite.get(name),
        lambda: sqlite.get(f"{name}@live"),
        lambda: sqlite.set_alias("mnist", name, 1),
        lambda: sqlite.export(name, tmp_path / "file"),
    ):
        with pytest.raises(InvalidArgumentError):
            act()
    assert files(tmp_path) == before


def test_files_are_named_only_by_their_digest(sqlite, tmp_path):
    """No text from a user is part of a path."""
    evil = "../../evil"
    sqlite.register(
        "mnist",
        b"weights",
        RunRecord(tags={evil: evil}, params={evil: evil}, run_id=evil, code_version=evil),
    )
    stored = [name for name in files(tmp_path) if not name.startswith("registry.db")]
    names = (r"blobs/registries/[0-9a-f-]{36}", r"blobs/sha256/[0-9a-f]{2}/[0-9a-f]{64}")
    assert [bool(re.fullmatch(*pair)) for pair in zip(names, stored, strict=True)] == [True, True]


def test_weights_are_never_executed(sqlite, tmp_path):
    """A malicious pickle is stored and loaded as bytes."""
    target = tmp_path / "ran"
    evil = f"cos\nsystem\n(S'touch {target}'\ntR.".encode()
    sqlite.register("mnist", evil)
    assert sqlite.load("mnist/1") == evil
    sqlite.export("mnist", tmp_path / "file")
    with Registry(f"sqlite:///{tmp_path}/other.db", str(tmp_path / "other")) as other:
        other.import_(tmp_path / "file")
        assert other.load("mnist/1") == evil
    assert not target.exists()


def test_a_path_in_place_of_a_digest_reads_no_file(sqlite, tmp_path):
    """Somebody who can write the database cannot read another file, or learn its digest."""
    (tmp_path / "secrets").write_bytes(b"secret")
    sha256 = sqlite.register("mnist", b"weights").sha256
    path = "../" + "./" * 27 + "secrets"
    assert (tmp_path / "blobs" / "sha256" / path[:2] / path).read_bytes() == b"secret"
    execute(sqlite, "UPDATE blobs SET sha256 = :path", path=path)
    execute(sqlite, "UPDATE versions SET blob_sha256 = :path", path=path)
    change = "UPDATE events SET body = replace(body, :sha256, :path)"
    execute(sqlite, change, sha256=sha256, path=path)
    assert sqlite.get("mnist/1").sha256 == path
    for act in (sqlite.load, lambda reference: sqlite.export(reference, tmp_path / "file")):
        with pytest.raises((MissingBlobError, DamagedHistoryError)):
            act("mnist/1")
    digest = hashlib.sha256(b"secret").hexdigest()
    found = [str(finding) for finding in sqlite.verify()]
    assert any("are missing" in text for text in found)
    assert not any(digest in text for text in found)
    assert not (tmp_path / "file").exists()


def test_other_weights_under_a_digest_are_not_loaded(sqlite, tmp_path):
    """Somebody who can write only the store can destroy weights, but not replace them."""
    version = sqlite.register("mnist", b"weights")
    path = tmp_path / "blobs" / "sha256" / version.sha256[:2] / version.sha256
    path.unlink()
    path.write_bytes(b"evil")
    with pytest.raises(DamagedBlobError):
        sqlite.load("mnist/1")
    with pytest.raises(DamagedBlobError):
        sqlite.export("mnist", tmp_path / "file")
    assert errors(sqlite)


def test_stored_weights_are_read_only(sqlite, tmp_path):
    sqlite.register("mnist", b"weights")
    (path,) = [p for p in (tmp_path / "blobs" / "sha256").rglob("*") if p.is_file()]
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o222 == 0  # noqa: PTH116


def test_garbage_collection_does_not_follow_links(sqlite, tmp_path):
    """Neither as temporary files nor as blobs."""
    (tmp_path / "secret").write_bytes(b"secret")
    sqlite.register("mnist", b"weights")
    for place in (tmp_path / "blobs" / "tmp" / "link", tmp_path / "blobs/sha256/aa" / ("a" * 64)):
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(tmp_path / "secret")
    list(sqlite.verify())
    sqlite.gc(grace=timedelta(seconds=-10), unknown=True)
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_writer_of_the_whole_database_can_forge_the_history(sqlite):
    """A documented limit. The hash of the last event, noted elsewhere, reveals it."""
    sqlite.register("mnist", b"weights", RunRecord(gate=FAILED))
    noted = sqlite.history("mnist")[0].hash
    with sqlite._database.read() as connection:
        entry = Entry(*connection.execute(sa.select(*COLUMNS)).one())
    body = entry.body.replace('"passed":false', '"passed":true')
    forged = entry._replace(body=body, hash=entry._replace(body=body).expected_hash("mnist"))
    change = "UPDATE events SET body = :body, hash = :hash"
    execute(sqlite, change, body=forged.body, hash=forged.hash)
    execute(sqlite, "UPDATE models SET head_hash = :hash", hash=forged.hash)
    execute(sqlite, "UPDATE versions SET gate = 'passed'")
    assert errors(sqlite) == []
    assert sqlite.get("mnist/1").gate_passed is True
    assert sqlite.history("mnist")[0].hash != noted


def test_an_import_can_bring_a_champion_with_a_forged_gate(sqlite, tmp_path):
    """A documented limit: hashes reveal damage, not the author of a file."""
    with Registry(f"sqlite:///{tmp_path}/other.db", str(tmp_path / "other")) as other:
        other.register("mnist", b"weights", RunRecord(gate=PASSED))
        other.set_alias("mnist", "champion", 1)
        other.export("mnist", tmp_path / "file")
    sqlite.import_(tmp_path / "file")
    assert sqlite.get("mnist@champion").number == 1


def test_an_import_moves_no_alias_of_an_existing_model(sqlite, tmp_path):
    """Its versions are not changed either."""
    sqlite.register("mnist", b"mine", RunRecord(gate=PASSED))
    sqlite.set_alias("mnist", "champion", 1)
    with Registry(f"sqlite:///{tmp_path}/other.db", str(tmp_path / "other")) as other:
        for _ in range(2):
            other.register("mnist", b"weights", RunRecord(gate=FAILED))
        other.set_alias("mnist", "champion", 2, force=True)
        other.export("mnist/2", tmp_path / "file")
    before = sqlite.get("mnist/1")
    sqlite.import_(tmp_path / "file")
    assert sqlite.get("mnist@champion") == before
    with pytest.raises(GateError):
        sqlite.set_alias("mnist", "champion", 2)
