"""History, verification, lineage, comparison and garbage collection."""

import contextlib
import os
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_contents import DATABASES, FAILED, PASSED, errors, execute, tables

from registry import (
    ArchivedError,
    Check,
    DamagedHistoryError,
    InvalidArgumentError,
    NotFoundError,
    Registry,
    RunRecord,
    schema,
)
from registry.events import Entry


def _fill(registry):
    registry.register(
        "mnist",
        b"one",
        RunRecord(
            metrics={"accuracy": 0.98},
            params={"size": 30, "preset": "quick"},
            tags={"team": "ocr"},
            inputs={"train": "ab" * 32},
            environment={"numpy": "2.1"},
            gate=PASSED,
            code_version="1.0",
            run_id="run-1",
        ),
        idempotency_key="key-1",
    )
    registry.register("mnist", b"two", RunRecord(parent="mnist/1", gate=FAILED))
    registry.register("other", b"three")
    registry.set_alias("mnist", "champion", 1)
    registry.set_alias("mnist", "live", 2)
    registry.set_alias("mnist", "live", 1)
    registry.rollback("mnist", "live")
    registry.delete_alias("mnist", "live")
    registry.archive("mnist/2")
    registry.restore("mnist/2")


def test_every_change_of_a_model_is_an_event(registry, opened):
    before = datetime.now(UTC) - timedelta(microseconds=1)
    _fill(registry)
    opened().archive("mnist/2")
    history = registry.history("mnist")
    recorded = [(e.seq, e.kind, e.alias, e.number, e.actor) for e in reversed(history)]
    assert recorded == [
        (1, "registered", None, 1, "ann"),
        (2, "registered", None, 2, "ann"),
        (3, "alias_moved", "champion", 1, "ann"),
        (4, "alias_moved", "live", 2, "ann"),
        (5, "alias_moved", "live", 1, "ann"),
        (6, "alias_rolled_back", "live", 2, "ann"),
        (7, "alias_removed", "live", None, "ann"),
        (8, "archived", None, 2, "ann"),
        (9, "restored", None, 2, "ann"),
        (10, "archived", None, 2, None),
    ]
    moves = [dict(e.details) for e in reversed(registry.history("mnist", alias="live"))]
    assert moves == [
        *({"from": None, "forced": False}, {"from": 2, "forced": False}),
        *({"from": 1, "forced": False}, {"from": 2}),
    ]
    moments = [e.at for e in reversed(history)]
    assert moments == sorted(moments)
    assert before <= moments[0]
    assert moments[-1] <= datetime.now(UTC)
    assert {e.name for e in history} == {"mnist"}
    assert [e.kind for e in registry.history("other")] == ["registered"]
    record = history[-1].details["version"]
    assert (record["metrics"], record["idempotency_key"]) == ({"accuracy": 0.98}, "key-1")
    with pytest.raises(TypeError):
        history[0].details["from"] = 1


def test_history_is_read_in_pages(registry):
    _fill(registry)
    whole = registry.history("mnist")
    seen, before = [], None
    while page := registry.history("mnist", limit=2, before=before):
        seen += page
        before = page[-1].seq
    assert seen == whole
    live = registry.history("mnist", alias="live", limit=2, before=7)
    assert [e.seq for e in live] == [6, 5]
    assert registry.history("mnist", alias="never") == []
    with pytest.raises(NotFoundError, match="no model never"):
        registry.history("never")
    with pytest.raises(InvalidArgumentError):
        registry.history("../mnist")


def test_history_is_of_one_version_or_of_one_kind(registry):
    _fill(registry)
    everything = registry.history("mnist")
    for number in (1, 2, 3):
        assert registry.history("mnist", number=number) == [
            event for event in everything if event.number == number
        ]
    for kind in ("registered", "alias_moved", "refused"):
        assert registry.history("mnist", kind=kind) == [
            event for event in everything if event.kind == kind
        ]
    assert len(registry.history("mnist", number=2, kind="archived", limit=5)) == 1


def test_a_metric_is_read_of_all_versions_that_have_it(registry):
    for value in (0.97, None, 0.99):
        metrics = {} if value is None else {"accuracy": value}
        registry.register("mnist", str(value).encode(), RunRecord(metrics=metrics))
    values = registry.metric_history("mnist", "accuracy")
    assert [(each.number, each.value) for each in values] == [(1, 0.97), (3, 0.99)]
    assert [each.created_at for each in values] == [
        registry.get(f"mnist/{number}").created_at for number in (1, 3)
    ]
    assert registry.metric_history("mnist", "x' or 1=1 --") == []
    with pytest.raises(NotFoundError):
        registry.metric_history("letters", "accuracy")


def test_each_event_holds_the_hash_of_the_one_before(registry):
    _fill(registry)
    with registry._database.read() as connection:
        columns = [schema.events.c[name] for name in Entry._fields]
        query = sa.select(*columns).join(schema.models).where(schema.models.c.name == "mnist")
        chain = [Entry(*row) for row in connection.execute(query.order_by(schema.events.c.seq))]
    previous = "0" * 64
    for entry in chain:
        assert entry.prev_hash == previous
        assert entry.hash == entry.expected_hash("mnist")
        assert entry.hash != entry.expected_hash("other")
        previous = entry.hash
    assert [e.hash for e in registry.history("mnist")] == [e.hash for e in reversed(chain)]


def test_a_call_that_changes_nothing_adds_no_event(registry):
    _fill(registry)
    before = registry.history("mnist")
    registry.restore("mnist/2")
    registry.register("mnist", b"one", idempotency_key="key-1")
    for refused in (
        lambda: registry.set_alias("mnist", "champion", 2),
        lambda: registry.set_alias("mnist", "champion", 3),
        lambda: registry.register("mnist", b"x", RunRecord(parent="mnist/9")),
        lambda: registry.register("mnist", b"x", idempotency_key="key-1"),
        lambda: registry.archive("mnist/1"),
        lambda: registry.delete_alias("mnist", "never"),
        lambda: registry.rollback("mnist"),
    ):
        with pytest.raises(Exception):  # noqa: B017, PT011 - each of its own kind
            refused()
    assert registry.history("mnist") == before
    assert [v.number for v in registry.versions("mnist")] == [2, 1]


def test_times_follow_the_order_of_events_even_if_clocks_do_not(registry, monkeypatch):
    """A clock that is set back does not put an event before the previous one."""
    times = iter([5_000_000, 9_000_000, 3_000_000, 7_000_000, 11_000_000])
    for module in ("registry.registration.now", "registry.aliases.now", "registry.registry.now"):
        monkeypatch.setattr(module, lambda: next(times, 12_000_000))
    registry.register("mnist", b"one")
    registry.set_alias("mnist", "live", 1)
    registry.archive(registry.register("mnist", b"two").reference)
    moments = [e.at for e in reversed(registry.history("mnist"))]
    assert moments == sorted(moments)
    assert errors(registry) == []


@pytest.mark.parametrize(
    "statement",
    [
        *("UPDATE events SET actor = 'eve'", "UPDATE events SET seq = seq + 100"),
        *("DELETE FROM events", "DELETE FROM events WHERE seq = 1"),
    ],
)
def test_the_database_refuses_to_change_an_event(registry, statement):
    _fill(registry)
    before = tables(registry)
    with (
        pytest.raises(sa.exc.DBAPIError, match="events are append-only"),
        registry._database._engine.begin() as connection,
    ):
        connection.execute(sa.text(statement))
    assert tables(registry) == before


def test_postgresql_refuses_to_truncate_the_events(postgresql, tmp_path):
    """SQLite has no TRUNCATE."""
    with (
        Registry(postgresql.new_schema(), str(tmp_path / "blobs")) as registry,
        pytest.raises(sa.exc.DBAPIError, match="events are append-only"),
        registry._database._engine.begin() as connection,
    ):
        connection.execute(sa.text("TRUNCATE events"))


@pytest.fixture(scope="module", params=DATABASES)
def edited(request, tmp_path_factory):
    """A registry whose tables the tests edit; each test restores them."""
    place = tmp_path_factory.mktemp("edited")
    url = f"sqlite:///{place}/registry.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").new_schema()
    with Registry(url, str(place / "blobs"), actor="ann") as registry:
        _fill(registry)
        yield registry


@pytest.fixture(scope="module")
def edit(edited):
    """Edit the tables, and restore them at the end of the block."""
    assert errors(edited) == []
    with edited._database.read() as connection:
        rows = {
            table: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in schema.metadata.sorted_tables
        }
    deletions = [f"DELETE FROM {table.name}" for table in reversed(rows)]

    @contextlib.contextmanager
    def edit(*statements):
        execute(edited, *statements)
        try:
            yield
        finally:
            execute(edited, *deletions)
            with edited._database._engine.begin() as connection:
                for table in rows:
                    if rows[table]:
                        connection.execute(sa.insert(table), rows[table])

    yield edit
    # Each test has restored what it edited.
    assert errors(edited) == []


FIRST = "seq = 1 AND model_id = (SELECT id FROM models WHERE name = 'mnist')"
VERSION = "number = 1 AND model_id = (SELECT id FROM models WHERE name = 'mnist')"
OF_VERSION = f"version_id = (SELECT id FROM versions WHERE {VERSION})"
ALIAS = "alias = 'champion'"

EDITS = [
    # The history.
    (f"UPDATE events SET actor = 'eve' WHERE {FIRST}", "mnist", "event 1 was edited"),
    (f"UPDATE events SET at = at + 1 WHERE {FIRST}", "mnist", "event 1 was edited"),
    (f"UPDATE events SET kind = 'imported' WHERE {FIRST}", "mnist", "event 1 was edited"),
    (f"UPDATE events SET alias = 'x' WHERE {FIRST}", "mnist", "event 1 was edited"),
    (f"UPDATE events SET number = 3 WHERE {FIRST}", "mnist", "event 1 was edited"),
    (f"UPDATE events SET number = NULL WHERE {FIRST}", "mnist", "event 1 was edited"),
    (
        f"UPDATE events SET body = replace(body, '0.98', '0.99') WHERE {FIRST}",
        *("mnist", "event 1 was edited"),
    ),
    (f"UPDATE events SET body = '' WHERE {FIRST}", "mnist", "event 1 has no readable"),
    (f"UPDATE events SET body = '[]' WHERE {FIRST}", "mnist", "event 1 has no readable"),
    (
        f"""UPDATE events SET body = '{{"version":{{}}}}' WHERE {FIRST}""",
        *("mnist/1", "event 1 has no readable"),
    ),
    (f"UPDATE events SET hash = '{'a' * 64}' WHERE {FIRST}", "mnist", "event 2 does not follow"),
    (f"UPDATE events SET prev_hash = '{'a' * 64}' WHERE {FIRST}", "mnist", "event 1 does not"),
    (f"DELETE FROM events WHERE {FIRST}", "mnist", "events 1 to 1 are missing"),
    ("DELETE FROM events WHERE seq IN (4, 5)", "mnist", "events 4 to 5 are missing"),
    ("DELETE FROM events WHERE seq >= 8", "mnist", "events 8 to 9 are missing"),
    ("DELETE FROM events", "mnist", "events 1 to 9 are missing"),
    ("UPDATE models SET head_hash = name", "mnist", "event 9 is not the last one"),
    ("UPDATE models SET next_event = 9", "mnist", "events 10 to 8 are missing"),
    ("UPDATE models SET name = 'minst' WHERE name = 'mnist'", "minst", "event 1 was edited"),
    ("UPDATE models SET next_number = 2", "mnist/2", "would be assigned again"),
    # The searchable columns.
    *(
        (f"UPDATE versions SET {column} = {value} WHERE {VERSION}", "mnist/1", text)
        for column, value, text in (
            ("state", "'archived'", "its state is 'archived', but its event says 'ready'"),
            ("run_id", "'x'", "its run_id is 'x', but its event says 'run-1'"),
            ("run_id", "NULL", "its run_id is None"),
            ("idempotency_key", "'x'", "its idempotency_key is 'x'"),
            ("created_at", "1", "its created_at is 1"),
            ("created_by", "'eve'", "its created_by is 'eve', but its event says 'ann'"),
            ("code_version", "'2.0'", "its code_version is '2.0'"),
            ("parent", "'mnist/2'", "its parent is 'mnist/2'"),
            ("gate", "'failed'", "its gate is 'failed', but its event says 'passed'"),
            ("event_seq", "2", "it refers to event 2, but event 1 registered it"),
            ("event_seq", "NULL", "it refers to event None"),
            (
                "blob_sha256",
                "(SELECT max(sha256) FROM blobs WHERE size = 5)",
                "its blob_sha256 is",
            ),
        )
    ),
    (f"UPDATE versions SET number = 7 WHERE {VERSION}", "mnist/7", "no event records its reg"),
    (
        "UPDATE versions SET gate = 'passed' WHERE gate = 'failed'",
        *("mnist/2", "its gate is 'passed', but its event says 'failed'"),
    ),
    ("UPDATE blobs SET size = size + 1", "mnist/1", "its size is 4, but its event says 3"),
    *(
        (f"UPDATE version_{part} SET {change} WHERE {OF_VERSION}", "mnist/1", f"its version_{part}")
        for part, change in (
            ("metrics", "value = 0.99"),
            ("metrics", "name = 'a'"),
            ("params", "value = '31', number = 31"),
            ("params", "number = NULL"),
            ("tags", "value = 'others'"),
            ("environment", "value = '3.0'"),
            ("inputs", f"sha256 = '{'cd' * 32}'"),
            ("inputs", "role = 'test'"),
        )
    ),
    *(
        (f"DELETE FROM version_{part}", "mnist/1", f"its version_{part} differ")
        for part in ("metrics", "params", "tags", "environment", "inputs")
    ),
    (
        "INSERT INTO version_tags SELECT id, 'new', 'tag' FROM versions WHERE number = 2",
        *("mnist/2", "its version_tags differ"),
    ),
    # Aliases.
    (f"UPDATE aliases SET number = 2 WHERE {ALIAS}", "mnist@champion", "it is at version 2"),
    (f"UPDATE aliases SET generation = 1 WHERE {ALIAS}", "mnist@champion", "since event 1"),
    (f"UPDATE aliases SET moved_at = 1 WHERE {ALIAS}", "mnist@champion", "time 1,"),
    (f"UPDATE aliases SET alias = 'live' WHERE {ALIAS}", "mnist@live", "last event says not set"),
    (f"DELETE FROM aliases WHERE {ALIAS}", "mnist@champion", "it is not set"),
]


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_every_edited_or_missing_row_is_found(edit, edited, number):
    statement, subject, text = EDITS[number]
    with edit(statement):
        found = [(finding.subject, finding.text) for finding in errors(edited)]
        assert any(s == subject and text in t for s, t in found), found
        # Verifying one version reports its own problems and those of its chain.
        if subject == "mnist/1":
            assert any(text in finding.text for finding in errors(edited, "mnist/1"))


def test_missing_versions_are_found(edit, edited):
    details = [f"DELETE FROM version_{p}" for p in ("metrics", "params", "tags", "inputs")]
    rest = ["DELETE FROM version_environment", "DELETE FROM aliases", "DELETE FROM versions"]
    with edit(*details, *rest):
        found = {finding.subject: finding.text for finding in errors(edited)}
        for reference in ("mnist/1", "mnist/2", "other/1"):
            assert found[reference] == "it was registered, but is missing"


def test_an_edited_record_is_never_returned(edit, edited):
    """Reading fails if the event does not belong to the version."""
    for statement in (
        f"UPDATE events SET body = '' WHERE {FIRST}",
        f"""UPDATE events SET body = '{{"version":{{}}}}' WHERE {FIRST}""",
        f"""UPDATE events SET body = replace(body, 'created_at"\\:', 'created_at"\\:9999999999')
        WHERE {FIRST}""",
        f"DELETE FROM events WHERE {FIRST}",
        f"UPDATE versions SET event_seq = 2 WHERE {VERSION}",
        f"UPDATE versions SET blob_sha256 = (SELECT max(sha256) FROM blobs WHERE size = 5)"
        f" WHERE {VERSION}",
    ):
        with edit(statement):
            for ask in (edited.get, edited.load):
                with pytest.raises(DamagedHistoryError, match="mnist/1 was edited or lost"):
                    ask("mnist/1")
            # The others are listed as they are, and this one as damaged.
            listed = {v.reference: v for v in edited.versions()}
            assert listed["mnist/1"].state == "damaged"
            assert (listed["mnist/1"].metrics, listed["mnist/1"].gate_passed) == ({}, None)
            others = [reference for reference in listed if reference != "mnist/1"]
            assert [listed[reference] for reference in others] == list(map(edited.get, others))
            # It can still be verified, by number and by alias.
            assert errors(edited, "mnist/1")
            assert errors(edited, "mnist@champion")
            assert edited.get("other/1").number == 1


def test_a_damaged_version_can_be_deleted(registry):
    """Whoever restores it from a backup or gives it up wants listings without damage."""
    for weights in (b"one", b"two", b"three"):
        registry.register("mnist", weights)
    execute(registry, "UPDATE events SET body = '' WHERE number = 2")
    assert registry.delete("mnist/2").versions == ("mnist/2",)
    assert [version.reference for version in registry.versions()] == ["mnist/3", "mnist/1"]
    assert registry.load("mnist/3") == b"three"
    with pytest.raises(NotFoundError, match="mnist/2 was deleted"):
        registry.delete("mnist/2")
    # The damage to its event is still told.
    assert errors(registry)


def test_searching_an_edited_table_never_changes_a_record(edit, edited):
    """A search uses the edited value, but returns the registered one."""
    with edit("UPDATE version_metrics SET value = 0.999"):
        found = edited.versions(where="metrics.accuracy > 0.99")
        assert [v.metrics["accuracy"] for v in found] == [0.98]


def test_an_edited_gate_column_has_no_effect_on_promotion(edit, edited):
    """The document decides, not the searchable column."""
    with edit("UPDATE versions SET gate = 'passed'"):
        assert edited.get("mnist/2").gate_passed is False


def _path(tmp_path, sha256):
    return tmp_path / "blobs" / "sha256" / sha256[:2] / sha256


@pytest.mark.parametrize("damage", ["missing", "emptied", "others"])
def test_missing_or_damaged_weights_are_found(registry, tmp_path, damage):
    _fill(registry)
    sha256 = registry.get("mnist/1").sha256
    path = _path(tmp_path, sha256)
    path.unlink()
    if damage != "missing":
        path.write_bytes(b"" if damage == "emptied" else b"eno")
    word = "missing" if damage == "missing" else "damaged"
    for reference in (None, "mnist/1", "mnist@champion"):
        (found,) = errors(registry, reference)
        assert found.subject == f"blob {sha256[:12]}"
        assert f"Weights {sha256} are {word}" in found.text
        assert str(found).startswith("error: blob ")
    assert errors(registry, "mnist/2") == []
    registry.register("mnist", b"one")
    assert errors(registry) == []


def test_an_unreferenced_file_is_a_warning(sqlite, tmp_path):
    """It affects no version, and a registration may be in progress."""
    _fill(sqlite)
    sha256 = sqlite._blobs.put(b"orphan")
    left = tmp_path / "blobs" / "tmp" / "left"
    left.write_bytes(b"half")
    subjects = {f"blob {sha256[:12]}", "temporary file left"}
    assert subjects.isdisjoint(finding.subject for finding in sqlite.verify())
    for path in (left, _path(tmp_path, sha256)):
        os.utime(path, (0, 0))
    found = {f.subject: f for f in sqlite.verify()}
    assert subjects <= found.keys()
    assert {found[subject].severity for subject in subjects} == {"warning"}
    assert "no version here ever had it" in found[f"blob {sha256[:12]}"].text
    assert "garbage collection removes it" in found["temporary file left"].text
    # Verifying one version does not report unreferenced files.
    assert subjects.isdisjoint(f.subject for f in sqlite.verify("mnist/1"))
    sqlite.gc(unknown=True)
    assert subjects.isdisjoint(finding.subject for finding in sqlite.verify())


def test_a_damaged_file_of_the_database_is_found(sqlite, tmp_path):
    _fill(sqlite)
    execute(sqlite, "DELETE FROM models WHERE name = 'other'")
    found = [finding.text for finding in errors(sqlite) if finding.subject == "database"]
    assert any("refers to a missing row of models" in text for text in found)


@pytest.mark.parametrize("reference", ["mnist/9", "never/1", "mnist@never"])
def test_verifying_a_missing_version_is_an_error(edited, reference):
    with pytest.raises(NotFoundError, match=reference):
        list(edited.verify(reference))


# Lineage, idempotency, comparison, state, garbage collection.


def test_lineage_is_stored_and_searchable(registry):
    _fill(registry)
    first, second = registry.get("mnist/1"), registry.get("mnist/2")
    assert (second.parent, first.parent) == ("mnist/1", None)
    assert (first.code_version, first.run_id, first.created_by) == ("1.0", "run-1", "ann")
    assert first.environment == {"numpy": "2.1"}
    assert first.inputs == {"train": "ab" * 32}
    assert (first.gate, first.gate_passed) == (PASSED, True)
    assert (second.gate, second.gate_passed) == (FAILED, False)
    assert registry.get("other/1").gate_passed is None
    for where in (
        *("parent = 'mnist/1'", "parent like 'mnist/%'", "not gate = 'passed' and name = 'mnist'"),
        "environment.numpy not in ('2.1') and name = 'mnist'",
    ):
        assert [v.number for v in registry.versions(where=where)] == [2]
    assert [v.number for v in registry.versions(where=f"inputs.train = '{'ab' * 32}'")] == [1]
    # A parent can be of another model.
    assert registry.register("other", b"", RunRecord(parent="mnist/2")).parent == "mnist/2"


@pytest.mark.parametrize("parent", ["mnist/9", "never/1", "mnist/2"])
def test_a_parent_must_exist(registry, parent):
    registry.register("mnist", b"one")
    with pytest.raises(NotFoundError, match=parent):
        registry.register("mnist", b"two", RunRecord(parent=parent))
    assert [v.number for v in registry.versions()] == [1]
    assert registry.register("mnist", b"two", RunRecord(parent="mnist/1")).number == 2


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("parent", "mnist@champion"),
        ("parent", "mnist"),
        ("parent", 1),
        ("gate", ["passed"]),
        ("gate", [Check("", 1, 1, passed=True)]),
        ("gate", [Check("a", float("nan"), 1, passed=True)]),
        ("gate", [Check("a", 1, float("inf"), passed=True)]),
        ("gate", [Check("a", 1, 1, passed=1)]),
        ("gate", [Check("a", True, 1, passed=True)]),
        ("environment", {"a": 1}),
        ("environment", {"a": "\0"}),
        ("code_version", ""),
        ("code_version", "x" * 251),
        ("tags", {"a": "\ud800"}),
        ("params", {"a": "\0"}),
        ("params", {"a": ["\ud800"]}),
        ("params", {"a": {"\0": 1}}),
        ("metrics", {"x" * 251: 1.0}),
        ("metrics", {"a": 10**400}),
        ("metrics", [("a", 1.0)]),
    ],
)
def test_invalid_lineage_is_refused(sqlite, tmp_path, argument, value):
    with pytest.raises(InvalidArgumentError):
        sqlite.register("mnist", b"", RunRecord(**{argument: value}))
    assert sqlite.versions() == []
    assert not (tmp_path / "blobs").exists()


def test_a_negative_zero_is_zero(registry):
    """SQLite returns 0.0 for -0.0, which `verify` would report as a difference."""
    version = registry.register(
        "m", b"", RunRecord(metrics={"a": -0.0}, params={"a": -0.0, "b": [-0.0]})
    )
    assert str(version.metrics["a"]) == "0.0"
    assert len(registry.versions(where="metrics.a = -0.0 and params.a = 0")) == 1
    assert errors(registry) == []


def test_a_repeated_registration_ignores_other_values(registry):
    """Only its key and its weights matter."""
    _fill(registry)
    before = tables(registry)
    again = registry.register(
        "mnist",
        b"one",
        RunRecord(metrics={"other": 1.0}, parent="mnist/2"),
        idempotency_key="key-1",
    )
    assert again == registry.get("mnist/1")
    assert tables(registry) == before


def test_a_comparison_lists_only_differences(registry):
    registry.register(
        "m",
        b"one",
        RunRecord(
            metrics={"a": 0.5, "same": 1.0, "gone": 2.0},
            params={"size": 30, "kind": "a", "null": None, "flag": True},
            tags={"team": "ocr"},
            inputs={"train": "ab" * 32},
            environment={"numpy": "2.1"},
        ),
    )
    registry.register(
        "m",
        b"two",
        RunRecord(
            metrics={"a": 0.75, "same": 1.0},
            params={"size": 32, "kind": "b", "flag": False},
            tags={"team": "ocr"},
            inputs={"train": "cd" * 32},
            environment={"numpy": "2.2"},
        ),
    )
    compared = registry.compare("m/1", "m/2")
    assert (compared.first.number, compared.second.number) == (1, 2)
    assert compared.same_weights is False
    assert [(d.name, *d.values, d.change) for d in compared.metrics] == [
        *(("a", 0.5, 0.75, 0.25), ("gone", 2.0, None, None))
    ]
    # A parameter of null differs from a missing one; true is not a number.
    assert [(d.name, *d.values, d.change) for d in compared.params] == [
        ("flag", True, False, None),
        ("kind", "a", "b", None),
        ("null", None, None, None),
        ("size", 30, 32, 2.0),
    ]
    assert compared.tags == ()
    assert [d.values for d in compared.inputs] == [("ab" * 32, "cd" * 32)]
    assert [d.name for d in compared.environment] == ["numpy"]
    itself = registry.compare("m/1", "m/1")
    assert itself.same_weights
    assert itself.metrics == itself.params == itself.inputs == ()
    with pytest.raises(NotFoundError):
        registry.compare("m/1", "m/3")


VALUES = st.dictionaries(st.sampled_from("abc"), st.sampled_from([0, 1, 1.0, True, None, "x", [1]]))


@given(first=VALUES, second=VALUES)
@settings(max_examples=examples(25))
def test_a_comparison_is_symmetric(edited, first, second):
    one, two = (
        edited.register("compared", b"", RunRecord(params=params)) for params in (first, second)
    )
    there = edited.compare(one.reference, two.reference)
    back = edited.compare(two.reference, one.reference)
    assert [(d.name, d.first, d.second) for d in there.params] == [
        (d.name, d.second, d.first) for d in back.params
    ]
    equal = {n for n in first if n in second and first[n] == second[n]}
    assert {d.name for d in there.params} == (first.keys() | second.keys()) - equal


def test_an_archived_version_can_be_found_and_restored(registry):
    _fill(registry)
    assert registry.archive("mnist/2").state == "archived"
    assert registry.load("mnist/2") == b"two"
    assert [v.number for v in registry.versions(where="state = 'archived'")] == [2]
    assert registry.latest("mnist").number == 2
    with pytest.raises(ArchivedError):
        registry.set_alias("mnist", "live", 2)
    seq = registry.history("mnist")[0].seq
    assert registry.archive("mnist/2").state == "archived"
    assert registry.history("mnist")[0].seq == seq
    assert registry.restore("mnist/2").state == "ready"
    assert registry.set_alias("mnist", "live", 2).number == 2
    for act in (registry.archive, registry.restore):
        with pytest.raises(NotFoundError):
            act("mnist/9")
    assert errors(registry) == []


def test_garbage_collection_removes_only_unreferenced_files(registry, tmp_path):
    _fill(registry)
    kept = {p: p.read_bytes() for p in (tmp_path / "blobs").rglob("*") if p.is_file()}
    sha256 = registry._blobs.put(b"orphan")
    left = tmp_path / "blobs" / "tmp" / "left"
    left.write_bytes(b"half")
    nothing = registry.gc()
    assert (nothing.blobs, nothing.temporary_files, nothing.size) == (0, 0, 0)
    at_once = timedelta(seconds=-10)
    for dry_run in (True, False):
        collected = registry.gc(grace=at_once, unknown=True, dry_run=dry_run)
        assert (collected.blobs, collected.temporary_files, collected.size) == (1, 1, 10)
        assert (left.exists(), _path(tmp_path, sha256).exists()) == (dry_run, dry_run)
    assert registry.gc(grace=at_once, unknown=True).blobs == 0
    assert {p: p.read_bytes() for p in (tmp_path / "blobs").rglob("*") if p.is_file()} == kept
    assert errors(registry) == []
