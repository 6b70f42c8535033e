"""`verify` finds every flipped bit and every removed event."""

import pytest
import sqlalchemy as sa
from registry_actions import check_it_is_whole

from registry import Registry, RunRecord, events, schema


@pytest.fixture
def registry(place):
    """A registry with events of most kinds."""
    with Registry(*place, actor="ann") as registry:
        registry.register("m", b"1", RunRecord(metrics={"accuracy": 0.5}, run_id="run"))
        registry.register("m", bytes(range(64)), RunRecord(tags={"name": "a ü"}))
        registry.set_alias("m", "live", 1)
        registry.set_alias("m", "live", 2)
        registry.rollback("m", "live")
        registry.delete_alias("m", "live")
        registry.archive("m/2")
        registry.restore("m/2")
        registry.set_alias("m", "live", 2)
        registry.register("other", b"1")
        yield registry


def _is_found(registry) -> bool:
    return any(finding.severity == "error" for finding in registry.verify())


def test_a_bit_flipped_in_a_blob_is_found(registry, tmp_path, torture, measured):
    weights = bytes(range(64))
    sha256 = registry.get("m/2").sha256
    path = tmp_path / "blobs" / "sha256" / sha256[:2] / sha256
    path.chmod(0o644)
    bits = range(0, len(weights) * 8, 1 if torture else 61)
    for bit in bits:
        path.write_bytes(_flipped(weights, bit))
        assert _is_found(registry), bit
    path.write_bytes(weights)
    check_it_is_whole(registry)
    measured(f"bits flipped in a blob: {len(bits)}, all found")


def _flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


@pytest.fixture
def edit(place, registry):
    """Edit events in spite of the triggers; return whether the database accepted the edit."""
    engine = sa.create_engine(place.url)
    sqlite = engine.dialect.name == "sqlite"
    prepare = "PRAGMA synchronous = OFF" if sqlite else "SET session_replication_role = replica"
    if sqlite:
        with engine.begin() as connection:
            for action in ("UPDATE", "DELETE"):
                connection.exec_driver_sql(f"DROP TRIGGER events_no_{action}")

    def edit(*statements) -> bool:
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(prepare)
                for statement in statements:
                    connection.execute(statement)
        except sa.exc.DBAPIError:
            return False
        return True

    yield edit
    engine.dispose()


def _events(registry):
    with registry._database.read() as connection:
        return [row._asdict() for row in connection.execute(sa.select(schema.events))]


def _is(row):
    columns = schema.events.c
    return sa.and_(columns.model_id == row["model_id"], columns.seq == row["seq"])


def test_a_removed_event_is_found(registry, edit):
    """The first one of a model, the last one, and any between."""
    for row in _events(registry):
        assert edit(sa.delete(schema.events).where(_is(row)))
        assert _is_found(registry), row
        assert edit(sa.insert(schema.events).values(row))
        check_it_is_whole(registry)


def test_a_bit_flipped_in_an_event_is_found(registry, edit, request, torture, measured):
    """In any column, and a value in place of NULL."""
    rows = _events(registry)
    database = request.node.callspec.id
    edits = [
        (row, column, value)
        for row in rows
        for column in (schema.events.c.model_id, *events.COLUMNS)
        for value in _edited(row[column.name], database)
    ]
    tried = 0
    # The steps are odd, to vary the bit; the full torture edits every byte.
    step = {"sqlite": 3, "postgresql": 7}[database] if torture else 499
    for row, column, value in edits[::step]:
        # An edit that the database refuses, such as a duplicate key, needs no detection.
        if edit(sa.update(schema.events).where(_is(row)).values({column: value})):
            tried += 1
            assert _is_found(registry), (row, column.name, str(value))
            assert edit(sa.delete(schema.events), sa.insert(schema.events).values(rows))
    check_it_is_whole(registry)
    assert tried > 0
    measured(f"bits flipped in {len(rows)} events, {database}: {tried} of {len(edits)}, all found")


def _edited(value, database):
    """Yield every value that differs in one bit, as SQL."""
    if value is None:
        yield sa.literal("1", sa.String)
    elif isinstance(value, int):
        for bit in range(63):
            yield sa.literal(value ^ 1 << bit, sa.BigInteger)
        yield sa.literal(value - (1 << 63), sa.BigInteger)
    else:
        data = value.encode()
        for bit in range(len(data) * 8):
            flipped = _flipped(data, bit).hex()
            if database == "sqlite":
                # SQLite does not check whether it is valid UTF-8.
                yield sa.literal_column(f"CAST(x'{flipped}' AS TEXT)")
            else:
                yield sa.literal_column(f"convert_from('\\x{flipped}'::bytea, 'UTF8')")
