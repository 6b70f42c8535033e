"""Signatures of events, made with the keys that `ssh-keygen` makes."""

import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_contents import PASSED, errors, execute

from registry import ArchiveError, KeyFileError, Registry, RunRecord, verify_export
from registry.signing import SigningKey, TrustedKeys, _runs

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None,
    reason="ssh-keygen is not installed (on Debian: apt-get install openssh-client)",
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A directory with the keys of ann, bob and eve, and a file that trusts ann and bob."""
    directory = tmp_path_factory.mktemp("keys")
    for name in ("ann", "bob", "eve"):
        _generate(directory / name, "-t", "ed25519", "-N", "", "-C", name)
    trusted = [(directory / f"{name}.pub").read_text() for name in ("ann", "bob")]
    (directory / "trusted").write_text(f"# The team\n\n{''.join(trusted)}")
    return directory


def _generate(file, *options):
    subprocess.run(["ssh-keygen", "-q", "-f", file, *options], check=True)


@pytest.fixture
def people(opened, keys):
    """The same registry as several people open it, each with a key of their own."""
    return {
        name: opened(actor=name, signing_key=str(keys / name)) for name in ("ann", "bob", "eve")
    }


def _fill(people):
    people["ann"].register("m", b"one", RunRecord(gate=PASSED))
    people["ann"].protect("m", "champion")
    people["ann"].propose("m/1", "champion")
    people["bob"].approve("m/1", "champion")
    people["ann"].tag("m/1", {"a": "b"})


def test_signed_events_prove_who_registered_approved_and_promoted(people, keys):
    _fill(people)
    assert list(map(str, errors(people["ann"]))) == []
    assert [f for f in people["ann"].verify(keys=keys / "trusted") if f.severity == "error"] == []
    told = {(event.kind, event.actor, event.key_id) for event in people["ann"].history("m")}
    ann, bob = (SigningKey.read(keys / name).key_id for name in ("ann", "bob"))
    assert ("registered", "ann", ann) in told
    assert {("approved", "bob", bob), ("alias_moved", "bob", bob)} <= told


def test_the_id_of_a_key_is_the_fingerprint_of_openssh(keys):
    import base64

    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", keys / "ann.pub"], check=True, capture_output=True, text=True
    ).stdout
    fingerprint = shown.split()[1].removeprefix("SHA256:")
    expected = base64.b64decode(fingerprint + "=").hex()
    assert SigningKey.read(keys / "ann").key_id == expected


def test_what_is_not_signed_by_who_it_names_is_found(people, opened, keys):
    _fill(people)
    people["eve"].tag("m/1", {"c": "d"})
    opened(actor="bob", signing_key=str(keys / "ann")).tag("m/1", {"e": "f"})
    opened(actor="ann").tag("m/1", {"g": "h"})
    people["ann"].register("m", b"two")
    eve = SigningKey.read(keys / "eve").key_id
    found = [f.text for f in people["ann"].verify(keys=keys / "trusted") if f.severity == "error"]
    assert sorted(found) == [
        f"event 7 is signed with the key {eve}, which is not trusted",
        "event 8 names 'bob', but ann signed it",
        "event 9 is not signed",
    ]
    # Of one version, only its own events are asked for.
    assert list(people["ann"].verify("m/2", keys=keys / "trusted")) == []
    assert len(list(people["ann"].verify("m/1", keys=keys / "trusted"))) == 3


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        (
            "UPDATE events SET signature = NULL, key_id = NULL WHERE seq = 1",
            "event 1 is not signed",
        ),
        ("UPDATE events SET signature = NULL, key_id = NULL", "events 1 to 6 are not signed"),
        ("UPDATE events SET signature = 'ab' WHERE seq = 1", "event 1 has a wrong signature"),
        (
            "UPDATE events SET signature = (SELECT signature FROM events WHERE seq = 2), "
            "key_id = (SELECT key_id FROM events WHERE seq = 2) WHERE seq = 1",
            "event 1 has a wrong signature, with the key of ann",
        ),
    ],
)
def test_a_signature_that_was_changed_is_found(people, keys, statement, text):
    _fill(people)
    execute(people["ann"], statement)
    found = [str(f) for f in people["ann"].verify(keys=keys / "trusted") if f.severity == "error"]
    assert len(found) == 1
    assert text in found[0]


@pytest.mark.parametrize(
    ("is_signed", "change"),
    [
        (True, "signature = NULL"),
        (True, "key_id = NULL"),
        (False, "signature = '1'"),
        (False, "key_id = '1'"),
    ],
)
def test_a_signature_without_its_key_is_found_without_trusted_keys(
    people, registry, is_signed, change
):
    changed = people["ann"] if is_signed else registry
    changed.register("m", b"weights", RunRecord(gate=PASSED))
    execute(changed, f"UPDATE events SET {change} WHERE seq = 1")
    (found,) = errors(changed)
    assert found.text == "event 1 has either no signature or no key that made it"


def test_a_rebuilt_chain_is_found(people, opened, keys, tmp_path):
    """Whoever can write the whole database can rebuild all hashes, but not the signatures."""
    _fill(people)
    forger = Registry(f"sqlite:///{tmp_path}/forged.db", str(tmp_path / "blobs"), actor="ann")
    with forger:
        forger.register("m", b"another", RunRecord(gate=PASSED))
        assert errors(forger) == []
        found = [f.text for f in forger.verify(keys=keys / "trusted") if f.severity == "error"]
        assert found == ["event 1 is not signed"]


def test_an_export_carries_the_proof(people, keys, tmp_path):
    _fill(people)
    people["ann"].export("m", tmp_path / "whole")
    people["ann"].export("m/1", tmp_path / "single")
    trusted = keys / "trusted"
    for file in ("whole", "single"):
        assert list(verify_export(tmp_path / file, trusted)) == []
    with Registry(f"sqlite:///{tmp_path}/o.db", str(tmp_path / "o"), actor="eve") as other:
        other.import_(tmp_path / "whole")
        assert other.history("m") == people["ann"].history("m")
        assert [f for f in other.verify(keys=keys / "trusted") if f.severity == "error"] == []
    (keys / "only-ann").write_text((keys / "ann.pub").read_text())
    found = list(verify_export(tmp_path / "whole", keys / "only-ann"))
    assert len(found) == 2
    assert all("which is not trusted" in finding.text for finding in found)
    damaged = bytearray((tmp_path / "whole").read_bytes())
    damaged[damaged.index(b"one")] ^= 1
    (tmp_path / "whole").write_bytes(damaged)
    with pytest.raises(ArchiveError):
        list(verify_export(tmp_path / "whole", trusted))


def test_unsigned_exports_are_as_before(registry, tmp_path):
    """Earlier releases read them."""
    import json
    import tarfile

    registry.register("m", b"one")
    registry.export("m", tmp_path / "file")
    with tarfile.open(tmp_path / "file") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
    assert [len(entry) for entry in manifest["events"]] == [9]


def test_files_that_are_not_keys_are_refused(keys, tmp_path):
    place = f"sqlite:///{tmp_path}/r.db", str(tmp_path / "blobs")
    _generate(tmp_path / "rsa", "-t", "rsa", "-b", "2048", "-N", "")
    _generate(tmp_path / "locked", "-t", "ed25519", "-N", "a passphrase")
    (tmp_path / "text").write_text("no key")
    for name in ("rsa", "locked", "text", "missing"):
        with pytest.raises(KeyFileError, match=name):
            Registry(*place, signing_key=tmp_path / name)
    (tmp_path / "empty").write_text("# nobody\n")
    (tmp_path / "nameless").write_text(" ".join((keys / "ann.pub").read_text().split()[:2]))
    for name in ("rsa.pub", "text", "missing", "empty", "nameless"):
        with pytest.raises(KeyFileError, match=name):
            TrustedKeys(tmp_path / name)


@given(st.sets(st.integers(1, 30)))
def test_runs_cover_exactly_the_numbers(numbers):
    runs = list(_runs(sorted(numbers)))
    assert [n for first, last in runs for n in range(first, last + 1)] == sorted(numbers)
    assert all(end + 1 < start for (_, end), (start, _) in pairwise(runs))
