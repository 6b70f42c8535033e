"""Registries on PostgreSQL: poolers, and what an address may say."""

import pytest
from pgbouncer import NOT_INSTALLED, PGBOUNCER, pgbouncer

from registry import Registry, RunRecord, UnsupportedError


@pytest.fixture
def pooled(postgresql):
    """The address of an empty database behind PgBouncer, which shares one connection."""
    if PGBOUNCER is None:
        pytest.skip(NOT_INSTALLED)
    with pgbouncer(postgresql, postgresql.new_database()) as url:
        yield url


def test_behind_a_pooler_each_question_gets_its_own_answer(pooled, tmp_path):
    """Statements prepared on a shared connection would answer another client's question."""
    blobs = str(tmp_path / "blobs")
    with Registry(pooled, blobs) as one, Registry(pooled, blobs) as two:
        for number in range(1, 4):
            record = RunRecord(metrics={"a": number / 10}, tags={"k": str(number)})
            one.register("mnist", b"%d" % number, record)
        # psycopg prepares a statement at its sixth use.
        for _ in range(10):
            assert [v.number for v in one.versions("mnist", where="metrics.a > 0.25")] == [3]
            assert [v.number for v in two.versions("mnist", where="tags.k = '1'")] == [1]
            assert (one.get("mnist/2").number, two.latest("mnist").number) == (2, 3)
        for number in range(4, 14):
            assert (one if number % 2 else two).register("mnist", b"x").number == number


def test_preparing_statements_can_be_turned_on(postgresql, tmp_path):
    def prepared(option):
        with Registry(f"{postgresql.new_schema()}{option}", str(tmp_path / "blobs")) as registry:
            registry.register("mnist", b"weights")
            for _ in range(10):
                registry.latest("mnist")
            with registry._database.read() as connection:
                query = "SELECT count(*) FROM pg_prepared_statements"
                return connection.exec_driver_sql(query).scalar()

    assert prepared("") == 0
    assert prepared("&prepare_threshold=None") == 0
    assert prepared("&prepare_threshold=3") > 0


@pytest.mark.parametrize("value", ["often", "-1"])
def test_an_invalid_threshold_is_refused(postgresql, tmp_path, value):
    with pytest.raises(UnsupportedError, match="prepare_threshold"):
        Registry(f"{postgresql.url()}&prepare_threshold={value}", str(tmp_path / "blobs"))
