"""Exports and imports: round trips, collisions, and damaged or malicious files."""

import contextlib
import gzip
import hashlib
import io
import itertools
import json
import os
import stat
import tarfile
import threading
from datetime import timedelta

import pytest
from empty_registries import create_empty
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_contents import FAILED, PASSED, errors, execute, files, tables

from registry import (
    ArchiveError,
    Check,
    CollisionError,
    DamagedBlobError,
    DamagedHistoryError,
    InvalidArgumentError,
    MissingBlobError,
    NotFoundError,
    Registry,
    RegistryError,
    RunRecord,
    UnavailableError,
)
from registry.events import Entry


def fill(registry):
    """Add a model that uses every feature."""
    registry.register(
        "mnist",
        b"one",
        RunRecord(
            metrics={"accuracy": 0.98, "ünï.code": -1e300},
            params={
                "sizes": [784, 30],
                "preset": "it's é",
                "seed": None,
                "big": 10**300,
                "on": True,
            },
            tags={"team": "ocr", "'": '"'},
            inputs={"train": "ab" * 32},
            environment={"numpy": "2.1"},
            gate=PASSED,
            code_version="1.0",
            run_id="run-1",
        ),
        idempotency_key="key-1",
    )
    registry.register(
        "mnist", b"two", RunRecord(gate=FAILED, parent="mnist/1"), idempotency_key="key-2"
    )
    registry.register("mnist", b"one", RunRecord(tags={"again": "yes"}))
    registry.register("mnist", b"", RunRecord(gate=(Check("x", 1, 0, passed=True),)))
    registry.set_alias("mnist", "champion", 1)
    registry.set_alias("mnist", "champion", 4)
    registry.rollback("mnist")
    registry.set_alias("mnist", "gone", 2)
    registry.delete_alias("mnist", "gone")
    registry.set_alias("mnist", "challenger", 4)
    registry.archive("mnist/2")
    registry.archive("mnist/3")
    registry.restore("mnist/3")
    registry.register("other", b"other")


def place(tmp_path, name):
    """Return an address for another registry."""
    return f"sqlite:///{tmp_path}/{name}/registry.db", str(tmp_path / name / "blobs")


def model_state(registry, name="mnist"):
    """Return everything that the registry returns about a model."""
    versions = registry.versions(name)
    aliases = sorted({alias for version in versions for alias in version.aliases})
    return (
        versions,
        [registry.load(version.reference) for version in versions],
        [registry.alias(name, alias) for alias in aliases],
        registry.history(name),
    )


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A registry with a model that uses every feature, and a directory with its exports."""
    directory = tmp_path_factory.mktemp("full")
    with Registry(*place(directory, "full"), actor="ann") as registry:
        fill(registry)
        registry.export("mnist", directory / "mnist")
        for number in (1, 2, 3):
            registry.export(f"mnist/{number}", directory / f"mnist-{number}")
        yield registry, directory


@pytest.fixture
def other(tmp_path):
    """An empty registry on SQLite."""
    (tmp_path / "other").mkdir()
    create_empty(tmp_path / "other" / "registry.db")
    with Registry(*place(tmp_path, "other"), actor="bob") as registry:
        yield registry


def test_a_model_is_imported_unchanged_into_an_empty_registry(registry, other, tmp_path):
    """Records, numbers, weights, history and aliases, from and to both databases."""
    fill(registry)
    references = tuple(f"mnist/{number}" for number in (1, 2, 3, 4))
    assert registry.export("mnist", tmp_path / "file") == references
    imported = other.import_(tmp_path / "file")
    assert (imported.added, imported.present) == (references, ())
    assert model_state(other) == model_state(registry)
    assert errors(other) == []
    # The model can be changed as before.
    assert other.register("mnist", b"five", RunRecord(parent="mnist/4")).number == 5
    assert other.register("mnist", b"two", idempotency_key="key-2").number == 2
    assert other.get("mnist/2").state == "archived"
    assert [v.number for v in other.versions(where="params.preset = 'it''s é'")] == [1]
    assert errors(other) == []


def test_an_export_from_sqlite_is_imported_into_either_database(full, registry, tmp_path):
    source, directory = full
    registry.import_(directory / "mnist")
    assert model_state(registry) == model_state(source)
    assert errors(registry) == []
    # Exporting the imported model gives the same file.
    registry.export("mnist", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (directory / "mnist").read_bytes()


def test_importing_again_changes_nothing(full, registry):
    _, directory = full
    registry.import_(directory / "mnist")
    before = tables(registry)
    again = registry.import_(directory / "mnist")
    assert again.added == ()
    assert again.present == ("mnist/1", "mnist/2", "mnist/3", "mnist/4")
    assert registry.import_(directory / "mnist-2").present == ("mnist/2",)
    assert tables(registry) == before


def test_a_single_version_keeps_its_number(full, registry):
    """Its earlier events are kept in the event of its import."""
    source, directory = full
    assert registry.import_(directory / "mnist-2").added == ("mnist/2",)
    assert registry.get("mnist/2") == source.get("mnist/2")
    assert registry.load("mnist/2") == b"two"
    kinds = [(event.kind, event.actor) for event in registry.history("mnist")]
    assert kinds == [("archived", "ann"), ("imported", "ann")]
    brought = registry.history("mnist")[-1].details["source"]
    assert [Entry(*fields).kind for fields in brought] == ["registered", "alias_moved", "archived"]
    assert errors(registry) == []
    # The other numbers are free; new versions are numbered after the highest one.
    assert registry.import_(directory / "mnist-1").added == ("mnist/1",)
    assert registry.register("mnist", b"three").number == 3
    assert errors(registry) == []


def test_versions_are_imported_into_an_existing_model(full, registry):
    """Its aliases and history stay, and events record the import."""
    _, directory = full
    registry.import_(directory / "mnist-3")
    registry.set_alias("mnist", "challenger", 3)
    before = registry.history("mnist")
    imported = registry.import_(directory / "mnist")
    assert (imported.added, imported.present) == (("mnist/1", "mnist/2", "mnist/4"), ("mnist/3",))
    assert registry.get("mnist@challenger").number == 3
    with pytest.raises(NotFoundError):
        registry.get("mnist@champion")
    assert registry.history("mnist")[-len(before) :] == before
    assert [(v.number, v.state) for v in registry.versions("mnist")] == [
        *((4, "ready"), (3, "ready"), (2, "archived"), (1, "ready"))
    ]
    assert registry.register("mnist", b"five").number == 5
    assert errors(registry) == []


def test_an_imported_version_can_be_exported_again(full, registry, other, tmp_path):
    _, directory = full
    registry.import_(directory / "mnist-2")
    registry.export("mnist/2", tmp_path / "two")
    assert other.import_(tmp_path / "two").added == ("mnist/2",)
    assert other.get("mnist/2") == registry.get("mnist/2")
    assert errors(other) == []


def test_a_version_can_be_exported_by_its_alias(full, other, tmp_path):
    source, _ = full
    assert source.export("mnist@champion", tmp_path / "file") == ("mnist/1",)
    assert other.import_(tmp_path / "file").added == ("mnist/1",)
    with pytest.raises(NotFoundError):
        other.get("mnist@champion")


@pytest.mark.parametrize("selection", ["never", "mnist/9", "mnist@never", "never/1"])
def test_exporting_a_missing_version_is_an_error(full, tmp_path, selection):
    source, _ = full
    with pytest.raises(NotFoundError):
        source.export(selection, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("selection", ["", "../mnist", "mnist/../1", "mnist/", "@", "Mnist"])
def test_exporting_an_invalid_name_is_an_error(full, tmp_path, selection):
    with pytest.raises(InvalidArgumentError):
        full[0].export(selection, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_missing_or_damaged_weights_are_not_exported(sqlite, tmp_path):
    digest = sqlite.register("mnist", b"weights").sha256
    (tmp_path / "file").write_bytes(b"what was there")
    path = tmp_path / "blobs" / "sha256" / digest[:2] / digest
    path.unlink()
    with pytest.raises(MissingBlobError):
        sqlite.export("mnist", tmp_path / "file")
    path.write_bytes(b"others")
    with pytest.raises(DamagedBlobError):
        sqlite.export("mnist", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"what was there"
    assert not list(tmp_path.glob(".file*"))


@pytest.mark.parametrize("body", ["", "{}", '{"version":{}}', "[1]"])
def test_an_edited_history_is_not_exported(sqlite, tmp_path, body):
    sqlite.register("mnist", b"weights")
    execute(sqlite, "UPDATE events SET body = :body", body=body)
    for selection in ("mnist", "mnist/1"):
        with pytest.raises(DamagedHistoryError):
            sqlite.export(selection, tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("file", ["missing/file", "text/file", "."])
def test_an_inaccessible_file_is_one_clear_error(full, tmp_path, file):
    (tmp_path / "text").write_text("")
    for act in (lambda path: full[0].export("mnist", path), full[0].import_):
        with pytest.raises(UnavailableError, match=r"cannot be (written|read)"):
            act(tmp_path / file)
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def refuses(registry, tmp_path, file, error=ArchiveError, match=None):
    """Check that an import is refused and writes nothing except unreferenced weights."""
    before = tables(registry)
    findings = [str(finding) for finding in registry.verify()]
    with pytest.raises(error, match=match) as caught:
        registry.import_(file)
    assert tables(registry) == before
    assert [str(finding) for finding in registry.verify()] == findings
    return caught.value


def test_other_versions_of_the_same_numbers_are_a_collision(full, registry, tmp_path):
    _, directory = full
    registry.register("mnist", b"mine")
    registry.import_(directory / "mnist-3")
    registry.register("mnist", b"mine", idempotency_key="mine")
    caught = refuses(registry, tmp_path, directory / "mnist", CollisionError)
    assert caught.references == ("mnist/1", "mnist/4")
    caught = refuses(registry, tmp_path, directory / "mnist-1", CollisionError)
    assert caught.references == ("mnist/1",)
    # Versions that do not collide can be imported.
    assert registry.import_(directory / "mnist-2").added == ("mnist/2",)
    assert errors(registry) == []


def test_an_equal_version_of_another_registration_is_a_collision(other, tmp_path):
    with Registry(*place(tmp_path, "third")) as third:
        for registry in (other, third):
            registry.register("mnist", b"one", RunRecord(metrics={"a": 1.0}))
        third.export("mnist", tmp_path / "file")
    refuses(other, tmp_path, tmp_path / "file", CollisionError)


def test_an_idempotency_key_that_is_taken_is_a_collision(full, registry, tmp_path):
    _, directory = full
    for number in range(5):
        registry.register("mnist", b"mine", idempotency_key="key-2" if number == 4 else None)
        if number == 4:
            registry.archive("mnist/5")
    caught = refuses(registry, tmp_path, directory / "mnist-2", CollisionError)
    assert caught.references == ("mnist/2",)


def test_an_idempotency_key_of_another_number_is_a_collision(other, tmp_path):
    """Even if the number in the file is free."""
    with Registry(*place(tmp_path, "third")) as third:
        third.register("mnist", b"")
        third.register("mnist", b"two", idempotency_key="key")
        third.export("mnist/2", tmp_path / "file")
    other.register("mnist", b"", idempotency_key="key")
    assert refuses(other, tmp_path, tmp_path / "file", CollisionError).references == ("mnist/2",)


# Damage.


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An export as bytes, the range of each part, its end, an empty registry, a directory."""
    directory = tmp_path_factory.mktemp("small")
    with Registry(*place(directory, "small"), actor="ann") as registry:
        registry.register("mnist", b"weights one", RunRecord(metrics={"a": 0.5}, gate=PASSED))
        registry.register("mnist", b"weights two", RunRecord(tags={"a": "é"}))
        registry.set_alias("mnist", "champion", 1)
        registry.export("mnist", directory / "file")
    parts = {}
    with tarfile.open(directory / "file") as archive:
        for member in archive:
            parts[member.name] = range(member.offset_data, member.offset_data + member.size)
            end = member.offset_data + -(-member.size // 512) * 512
    with Registry(*place(directory, "other")) as other:
        yield (directory / "file").read_bytes(), parts, end, other, directory


def _import(small, data):
    """Import bytes, and return whether they were refused without any change."""
    *_, other, directory = small
    file = directory / "damaged"
    file.write_bytes(data)
    try:
        other.import_(file)
    except ArchiveError:
        assert other.versions() == []
        return True
    return False


@given(data=st.data())
@settings(max_examples=examples(60))
def test_a_truncated_export_is_refused(small, data):
    contents, _, end, *_ = small
    length = data.draw(
        st.integers(0, end - 1) | st.integers(0, end // 512 - 1).map(lambda n: n * 512)
    )
    # The padding of the last member holds no data.
    padded = contents[:length].rstrip(b"\0") == contents[:end].rstrip(b"\0")
    if not padded:
        assert _import(small, contents[:length])


@given(data=st.data())
@settings(max_examples=examples(120))
def test_any_flipped_bit_of_an_export_is_found(small, data):
    contents, parts, *_ = small
    within = data.draw(st.sampled_from([*parts.values()]))
    place = data.draw(st.sampled_from(within))
    damaged = bytearray(contents)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    assert _import(small, bytes(damaged))


@pytest.fixture(scope="module")
def imported(small):
    """A registry that has already imported the small export."""
    *_, directory = small
    with Registry(*place(directory, "imported")) as registry:
        registry.import_(directory / "file")
        yield registry, tables(registry)


def _is_refused_or_the_same(imported, small, data):
    registry, before = imported
    file = small[-1] / "changed"
    file.write_bytes(data)
    with contextlib.suppress(ArchiveError):
        assert registry.import_(file).present == ("mnist/1", "mnist/2")
    assert tables(registry) == before


@given(data=st.data())
@settings(max_examples=examples(50))
def test_a_flipped_bit_of_a_header_is_found_or_has_no_effect(small, imported, data):
    contents, parts, *_ = small
    within = data.draw(st.sampled_from([*parts.values()]))
    damaged = bytearray(contents)
    place = within.start - 512 + data.draw(st.integers(0, 511))
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    _is_refused_or_the_same(imported, small, bytes(damaged))


CUTS = st.tuples(st.floats(0, 1), st.floats(0, 1), st.binary(max_size=600) | st.none())


@given(cuts=st.lists(CUTS, min_size=1, max_size=3))
@settings(max_examples=examples(50))
def test_any_change_of_an_export_is_refused_or_has_no_effect(small, imported, cuts):
    """Parts of an export are removed, repeated or replaced."""
    contents, _, end, *_ = small
    for cut in cuts:
        start, stop = sorted(round(place * end) for place in cut[:2])
        piece = contents[start:stop] * 2 if cut[2] is None else cut[2]
        contents = contents[:start] + piece + contents[stop:]
    _is_refused_or_the_same(imported, small, contents)


def test_bytes_after_the_end_have_no_effect(small, tmp_path):
    contents, _, end, *_ = small
    for number, padding in enumerate((b"", b"\0" * 1024, b"\0" * 1024 + b"x" * 5000)):
        (tmp_path / "file").write_bytes(contents[:end] + padding)
        with Registry(*place(tmp_path, str(number))) as registry:
            assert registry.import_(tmp_path / "file").added == ("mnist/1", "mnist/2")
            assert errors(registry) == []


def test_a_file_that_is_not_an_export_is_refused(other, tmp_path):
    for number, contents in enumerate((b"", b"x", b"\0" * 2048, b"weights" * 1000, b"PK\3\4")):
        file = tmp_path / str(number)
        file.write_bytes(contents)
        refuses(other, tmp_path, file)


def test_an_export_is_not_decompressed(other, full, tmp_path):
    """A file that is small on disk needs little memory."""
    (tmp_path / "file").write_bytes(gzip.compress((full[1] / "mnist").read_bytes()))
    refuses(other, tmp_path, tmp_path / "file")


# Malicious files, with right hashes.


def repack(source, target, *, manifest=lambda manifest: manifest, members=lambda members: members):
    """Write a changed copy of an export."""
    with tarfile.open(source) as archive:
        found = [(m.name, archive.extractfile(m).read()) for m in archive]
    changed = json.dumps(manifest(json.loads(found[0][1]))).encode()
    whole = []
    for name, data in [("manifest.json", changed), *found[1:]]:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        whole.append((info, data))
    with tarfile.open(target, "w") as archive:
        for info, data in members(whole):
            archive.addfile(info, io.BytesIO(data) if data is not None else None)
    return target


def rehashed(manifest, change):
    """Change events, and compute their hashes again."""
    chain, previous = [], "0" * 64
    for fields in change([Entry(*fields) for fields in manifest["events"]]):
        entry = fields._replace(prev_hash=previous)
        entry = entry._replace(hash=entry.expected_hash(manifest["model"]))
        chain.append(entry)
        previous = entry.hash
    return {**manifest, "events": chain}


def test_a_file_that_the_forger_did_not_change_is_imported(full, other, tmp_path):
    """So the files below are refused because of their changes."""
    source, directory = full
    file = repack(
        directory / "mnist", tmp_path / "file", manifest=lambda m: rehashed(m, lambda chain: chain)
    )
    other.import_(file)
    assert model_state(other) == model_state(source)


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "/evil", "blobs/../../evil", "blobs/" + "g" * 64, "blobs/" + "A" * 64),
        *("blobs/" + "a" * 63, "sha256/" + "a" * 64, "manifest.json", "blobs/", "evil", ""),
        "blobs/" + hashlib.sha256(b"extra").hexdigest(),
    ],
)
def test_a_member_with_another_name_is_refused(full, other, tmp_path, name):
    def add(members):
        info = tarfile.TarInfo(name)
        info.size = 5
        return [members[0], (info, b"extra"), *members[1:]]

    before = files(tmp_path)
    file = repack(full[1] / "mnist", tmp_path / "file", members=add)
    refuses(other, tmp_path, file, match="does not list|cannot")
    assert {n for n in files(tmp_path) if not n.startswith("other/")} == {
        "file",
        *(n for n in before if not n.startswith("other/")),
    }
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize(
    "kind",
    [
        *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE),
        *(tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE, tarfile.CONTTYPE, b"Z"),
    ],
)
@pytest.mark.parametrize("which", ["manifest", "weights"])
def test_a_member_that_is_not_a_file_is_refused(full, other, tmp_path, kind, which):
    """Links and devices are never opened."""
    (tmp_path / "secret").write_bytes(b"one")

    def change(members):
        index = 0 if which == "manifest" else 1
        info, _ = members[index]
        info.type = kind
        info.linkname = str(tmp_path / "secret")
        return members

    file = repack(full[1] / "mnist", tmp_path / "file", members=change)
    before = tables(other)
    try:
        other.import_(file)
    except ArchiveError:
        assert tables(other) == before
    else:
        # POSIX treats these two types as files.
        assert kind in {tarfile.CONTTYPE, b"Z"}
        assert errors(other) == []


@pytest.mark.parametrize("size", [1 << 20, 1 << 40, 1 << 62, 1 << 70, -1, -512])
@pytest.mark.parametrize("index", [0, 1])
def test_a_wrong_size_in_a_header_is_refused(full, other, tmp_path, index, size):
    # Edited by hand, because tarfile would write data of the claimed size.
    file = repack(full[1] / "mnist", tmp_path / "file")
    data = bytearray(file.read_bytes())
    with tarfile.open(file) as archive:
        member = archive.getmembers()[index]
    member.size = size
    try:
        header = member.tobuf(tarfile.GNU_FORMAT)
    except (ValueError, OverflowError):
        pytest.skip("no header can say so")
    start = member.offset_data - 512
    data[start : start + 512] = header[:512]
    file.write_bytes(data)
    refuses(other, tmp_path, file)


def test_a_wrong_size_in_header_and_events_is_refused(other, full, tmp_path):
    """Also in a sparse member, which expands to the claimed size."""

    def claim(chain):
        body = json.loads(chain[0].body)
        body["version"]["size"] = 1 << 40
        first = chain[0]._replace(body=json.dumps(body))
        return [first]

    file = repack(full[1] / "mnist-1", tmp_path / "file", manifest=lambda m: rehashed(m, claim))
    with tarfile.open(file) as archive:
        member = archive.getmembers()[1]
    data = bytearray(file.read_bytes())
    start = member.offset_data - 512
    for kind in (tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE):
        member.size, member.type = 1 << 40, kind
        header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
        if kind == tarfile.GNUTYPE_SPARSE:
            header[124:136] = b"00000000003\0"
            header[386:410] = b"00000000000\0" + b"00000000003\0"
            header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
            header[148:156] = b" " * 8
            header[148:156] = b"%06o\0 " % sum(header)
        data[start : start + 512] = header
        file.write_bytes(data)
        refuses(other, tmp_path, file)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "other"}, "Expected the format digits-registry-export, got 'other'"),
        ({"format_version": 2}, "format version 2; this release reads 1. Upgrade"),
        ({"format_version": "1"}, "format version '1'"),
        ({"model": "../evil"}, "model name"),
        ({"model": "other"}, "was edited"),
        ({"events": []}, "register no version"),
        ({"events": None}, "not valid"),
        ({"events": [[]]}, "not valid"),
        ({"events": ["abcdefghi"]}, "has a wrong type"),
        ({"events": {}}, "no version"),
        ({"model": None}, "model name"),
    ],
)
def test_an_invalid_manifest_is_refused(full, other, tmp_path, change, match):
    file = repack(full[1] / "mnist", tmp_path / "file", manifest=lambda m: {**m, **change})
    refuses(other, tmp_path, file, match=match)


@pytest.mark.parametrize("contents", [b"", b"null", b"[]", b"5", b"{}", b"\xff", b"[" * 100_000])
def test_a_manifest_without_content_is_refused(other, tmp_path, contents):
    with tarfile.open(tmp_path / "file", "w") as archive:
        info = tarfile.TarInfo("manifest.json")
        info.size = len(contents)
        archive.addfile(info, io.BytesIO(contents))
    refuses(other, tmp_path, tmp_path / "file")


def _document(**changes):
    def change(chain):
        body = json.loads(chain[0].body)
        body["version"] = {**body["version"], **changes}
        return [chain[0]._replace(body=json.dumps(body)), *chain[1:]]

    return change


def _event(index, **changes):
    return lambda chain: [
        entry._replace(**changes) if place == index else entry for place, entry in enumerate(chain)
    ]


FORGERIES = {
    # Documents that no registration would have written.
    "a digest that is a path": _document(sha256="../" * 20 + "evil"),
    "a digest in capitals": _document(sha256="A" * 64),
    "other weights": _document(sha256="a" * 64),
    "another size": _document(size=4),
    "a size that is no number": _document(size="3"),
    "a size that is true": _document(size=True),
    "a time that no calendar has": _document(created_at=1 << 61),
    "a time before 1970": _document(created_at=-1),
    "a metric that is none": _document(metrics={"a": float("nan")}),
    "a metric that is a text": _document(metrics={"a": "1"}),
    "a metric written as no release writes it": _document(metrics={"a": 1}),
    "a parameter with NUL": _document(params={"a": "\0"}),
    "a tag with NUL": _document(tags={"a": "\0"}),
    "a tag that is no text": _document(tags={"a": "\ud800"}),
    "a tag too long": _document(tags={"a": "x" * 2001}),
    "a name too long": _document(tags={"x" * 251: "a"}),
    "an input that is no digest": _document(inputs={"a": "../../etc/passwd"}),
    "a parent that is a path": _document(parent="../mnist/1"),
    "a parent that moves": _document(parent="mnist@champion"),
    "a gate that is none": _document(gate=[{"name": "a"}]),
    "a gate that says maybe": _document(
        gate=[{"name": "a", "figure": 1.0, "threshold": 0.0, "passed": 1}]
    ),
    "a field too many": _document(extra=1),
    "a creator too long": _document(created_by="x" * 251),
    "a creator that is no text": _document(created_by=5),
    "a key that is none": _document(idempotency_key=""),
    "a key that is taken": _document(idempotency_key="key-2"),
    "no document": _event(0, body="{}"),
    "a document that is none": _event(0, body='{"version": []}'),
    "a body that is none": _event(4, body="[]"),
    "a body that is not JSON": _event(4, body="{"),
    "a body too deep": _event(4, body="[" * 100_000),
    # Events that no registry would have written.
    "a number that is zero": _event(0, number=0),
    "a number below zero": _event(0, number=-1),
    "a number that no reference has": _event(0, number=1 << 30),
    "a number that is no number": _event(0, number="1"),
    "a number that is true": _event(0, number=True),
    "a number twice": _event(1, number=1),
    "no number": _event(0, number=None),
    "an event that is not counted": _event(0, seq=0),
    "an event out of order": lambda chain: [chain[1], chain[0], *chain[2:]],
    "an event too few": lambda chain: [*chain[:3], *chain[4:]],
    "a time beyond all": _event(0, at=1 << 61),
    "a time that goes back": _event(5, at=0),
    "an actor too long": _event(4, actor="x" * 251),
    "an actor that is no text": _event(4, actor="\ud800"),
    "an actor with NUL": _event(4, actor="\0"),
    "a kind there is not": _event(4, kind="promoted"),
    "a kind too long": _event(4, kind="x" * 5000),
    "an alias that is none": _event(4, alias="../x"),
    "an alias of two": _event(4, alias="champion,live"),
    "an alias too long": _event(4, alias="x" * 64),
    "an alias that moves to no version": _event(4, number=9),
    "an alias of nothing": _event(4, alias=None),
    "an alias of an archived version": _event(8, number=2),
    "a registration with an alias": _event(0, alias="champion"),
    "a field too few": lambda chain: [chain[0][:-1], *chain[1:]],
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_history_with_right_hashes_is_refused(full, other, tmp_path, forgery):
    def change(manifest):
        if forgery == "a field too few":
            return {**manifest, "events": [e[:-1] for e in manifest["events"]]}
        return rehashed(manifest, FORGERIES[forgery])

    file = repack(full[1] / "mnist", tmp_path / "file", manifest=change)
    refuses(other, tmp_path, file)


def test_weights_may_be_in_any_order_and_must_be_complete(full, other, tmp_path):
    names = len(full[0].versions("mnist"))
    for count, kept in enumerate(itertools.permutations(range(1, names))):
        file = repack(
            full[1] / "mnist",
            tmp_path / "file",
            members=lambda members, kept=kept: [members[0], *(members[i] for i in kept)],
        )
        with Registry(*place(tmp_path, f"order-{count}")) as registry:
            registry.import_(file)
            assert errors(registry) == []
    for index in range(1, names):
        file = repack(
            full[1] / "mnist",
            tmp_path / "file",
            members=lambda members, index=index: [*members[:index], *members[index + 1 :]],
        )
        refuses(other, tmp_path, file, match="lacks the weights")


def test_garbage_collection_removes_the_weights_of_a_refused_import(full, other, tmp_path):
    file = repack(full[1] / "mnist", tmp_path / "file", members=lambda members: members[:-1])
    refuses(other, tmp_path, file)
    assert other.gc(grace=timedelta(seconds=-1), unknown=True).blobs == 2
    assert [name for name in files(tmp_path / "other" / "blobs") if "sha256" in name] == []


def test_the_manifest_comes_first(full, other, tmp_path):
    file = repack(
        full[1] / "mnist", tmp_path / "file", members=lambda members: list(reversed(members))
    )
    refuses(other, tmp_path, file, match="no manifest first")


def test_every_refusal_is_an_error_of_the_registry():
    assert issubclass(ArchiveError, RegistryError)
    assert issubclass(CollisionError, RegistryError)


def _refuse(registry, count):
    for number in range(count):
        registry.refuse("mnist", f"{number:064x}", RunRecord(gate=FAILED, run_id=f"night {number}"))


@pytest.mark.parametrize("selection", ["mnist", "mnist-1"])
def test_versions_are_imported_where_candidates_were_refused(registry, full, selection):
    """The first nights did not pass the gate, and a colleague's model is to replace them."""
    _refuse(registry, 2)
    before = registry.history("mnist")
    result = registry.import_(full[1] / selection)
    assert result.added[0] == "mnist/1"
    assert [v.reference for v in reversed(registry.versions("mnist"))] == list(result.added)
    assert registry.history("mnist")[-2:] == before
    assert registry.load("mnist/1") == b"one"
    assert registry.import_(full[1] / selection).added == ()
    assert errors(registry) == []


def test_a_model_of_refused_candidates_can_be_exported_and_imported(registry, other, tmp_path):
    _refuse(registry, 2)
    assert registry.export("mnist", tmp_path / "file") == ()
    assert other.import_(tmp_path / "file").added == ()
    assert other.history("mnist") == registry.history("mnist")
    assert errors(other) == []
    other.import_(tmp_path / "file")
    assert other.history("mnist") == registry.history("mnist")
    assert other.register("mnist", b"1").number == 1


def test_a_record_grows_by_the_same_amount_with_each_registry_it_goes_through(tmp_path):
    """It doubled: after fourteen it had five megabytes."""
    sizes = []
    for hop in range(8):
        with Registry(*place(tmp_path, f"registry {hop}")) as registry:
            if hop == 0:
                registry.register("mnist", b"1", RunRecord(tags={"q": '"\\"' * 20}))
            else:
                registry.import_(tmp_path / str(hop - 1))
            registry.export("mnist/1", tmp_path / str(hop))
            event = registry.history("mnist")[0]
            sizes.append(len(json.dumps(dict(event.details))))
            assert registry.get("mnist/1").tags == {"q": '"\\"' * 20}
            assert errors(registry) == []
    steps = {later - earlier for earlier, later in itertools.pairwise(sizes[1:])}
    assert max(steps) - min(steps) < 10
    # The first event is still there, with the hash that it had in the first registry.
    details = event.details
    while "source" in details:
        (fields,) = details["source"]
        details = fields[6]
    with Registry(*place(tmp_path, "registry 0")) as registry:
        (first,) = registry.history("mnist")
        assert (fields[-1], fields[6]) == (first.hash, dict(first.details))


def test_an_export_goes_through_a_pipe(full, other, tmp_path):
    """As with `digits export mnist - | ssh host digits import -`."""
    source, _ = full
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=source.export, args=("mnist", tmp_path / "pipe"))
    writer.start()
    other.import_(tmp_path / "pipe")
    writer.join()
    assert model_state(other) == model_state(source)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("cut", [100, 3_000])
def test_what_comes_through_a_pipe_is_verified_as_well(full, other, tmp_path, cut):
    os.mkfifo(tmp_path / "pipe")
    data = (full[1] / "mnist").read_bytes()[:cut]
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writer.start()
    with pytest.raises(ArchiveError):
        other.import_(tmp_path / "pipe")
    writer.join()
    assert other.versions() == []


def test_an_export_replaces_the_file_of_a_link_not_the_link(full, tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    full[0].export("mnist/1", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert tarfile.is_tarfile(tmp_path / "file")
