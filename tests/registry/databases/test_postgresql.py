"""Registries on PostgreSQL: poolers, and what an address may say."""

import shutil
from pathlib import Path

import pytest
from pgbouncer import NOT_INSTALLED, PGBOUNCER, pgbouncer
from registry_contents import FAILED, errors

from registry import Registry, RunRecord, UnavailableError, UnsupportedError, schema


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


def _tables(server, database):
    """Return the names of the tables, with their schemas."""
    rows = server.execute(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables "
        "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
        database,
    )
    return {name for (name,) in rows}


FOREIGN = (
    "CREATE TABLE events (id INTEGER, occurred TIMESTAMP)",
    "CREATE TABLE meta (name TEXT)",
)


@pytest.mark.parametrize("foreign", [(), FOREIGN[:1], FOREIGN])
def test_tables_are_in_a_schema_of_their_own(postgresql, tmp_path, foreign):
    """Prefect's database has a table of events, and its server is often that of the registry."""
    database = postgresql.new_database()
    for statement in foreign:
        postgresql.execute(statement, database)
    with Registry(postgresql.url(database), str(tmp_path / "blobs")) as registry:
        registry.register("mnist", b"1", RunRecord(metrics={"a": 0.5}, run_id="run"))
        registry.refuse("mnist", "ab" * 32, RunRecord(gate=FAILED))
        registry.set_alias("mnist", "live", 1)
        assert [v.number for v in registry.versions(where="metrics.a > 0.4")] == [1]
        registry.export("mnist", tmp_path / "file")
        assert registry.gc().blobs == 0
        assert errors(registry) == []
        before = registry.versions()
    names = _tables(postgresql, database)
    in_public = {name for name in names if name.startswith("public.")}
    assert in_public == {f"public.{text.split()[2]}" for text in foreign}
    assert names - in_public == {f"digits.{table}" for table in schema.metadata.tables}
    with Registry(postgresql.url(database), str(tmp_path / "blobs"), create=False) as registry:
        assert registry.versions() == before


def test_a_search_path_with_a_schema_of_ones_own_is_followed(postgresql, tmp_path):
    """Registries of earlier releases are where it led."""
    url = postgresql.new_schema()
    with Registry(url, str(tmp_path / "blobs")) as registry:
        registry.register("mnist", b"1")
        assert registry._database.schema in url


@pytest.fixture(params=["2"])
def golden(postgresql, tmp_path, request):
    """The name of a database as the release of a schema left it, and a copy of its weights."""
    database = postgresql.new_database()
    name = f"{request.param}-postgresql"
    directory = Path(__file__).parents[2] / "data" / "registries" / name
    postgresql.execute((directory / "registry.sql").read_text(), database)
    shutil.copytree(directory / "blobs", tmp_path / "blobs")
    return database


def test_a_registry_of_schema_2_is_moved_to_its_own_schema(postgresql, golden, tmp_path):
    blobs = str(tmp_path / "blobs")
    with Registry(postgresql.url(golden), blobs, create=False) as registry:
        assert [v.number for v in registry.versions("mnist")] == [3, 2, 1]
        assert registry.get("mnist@champion").number == 1
        assert [len(registry.history(name)) for name in ("mnist", "letters")] == [10, 1]
        assert registry.load("mnist/2") == b"weights 2"
        assert errors(registry) == []
        assert registry.register("mnist", b"four").number == 4
    tables = _tables(postgresql, golden)
    assert {name for name in tables if name.startswith("public.")} == {"public.meta"}
    # A release of schema 2 reads this, and tells its user to upgrade.
    assert postgresql.execute("SELECT schema_version FROM public.meta", golden) == [(4,)]
    with Registry(postgresql.url(golden), blobs) as registry:
        assert registry.latest("mnist").number == 4


@pytest.mark.parametrize("golden", ["3"], indirect=True)
def test_a_registry_of_schema_3_is_unchanged(postgresql, golden, tmp_path):
    with Registry(postgresql.url(golden), str(tmp_path / "blobs")) as registry:
        assert [v.number for v in registry.versions("mnist")] == [3, 2, 1]
        assert [p.version for p in registry.proposals("mnist")] == ["mnist/3"]
        assert registry.messages.read() == registry.batches() == registry.job_runs.read() == []
        assert errors(registry) == []


@pytest.mark.parametrize("golden", ["3"], indirect=True)
@pytest.mark.parametrize("rights", ["SELECT", "SELECT, INSERT, UPDATE, DELETE"])
def test_roles_may_use_the_tables_of_a_new_schema_as_they_may_use_the_others(
    postgresql, golden, tmp_path, rights
):
    """Otherwise nobody but the owner could promote after an upgrade."""
    role = f"role_{golden}_{len(rights)}"
    postgresql.execute(f"CREATE ROLE {role} LOGIN", golden)
    postgresql.execute(f"GRANT USAGE ON SCHEMA digits TO {role}", golden)
    postgresql.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA digits TO {role}", golden)
    postgresql.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA digits TO {role}", golden)
    blobs = str(tmp_path / "blobs")
    Registry(postgresql.url(golden), blobs).close()
    url = postgresql.url(golden).replace(f"{postgresql.user}@", f"{role}@")
    with Registry(url, blobs) as registry:
        assert registry.batches() == registry.messages.waiting() == []
        if rights == "SELECT":
            with pytest.raises(UnavailableError, match="permission denied"):
                registry.job_runs.begin("retrain", "1")
        else:
            run = registry.job_runs.begin("retrain", "1")
            registry.job_runs.end(run, "failed", "no reason")
            refused = RunRecord(gate=FAILED)
            registry.refuse("mnist", "ab" * 32, refused)
            kinds = [message.kind for message in registry.messages.waiting()]
            assert kinds == ["job.failed", "model.refused"]


@pytest.mark.parametrize("golden", ["2", "3"], indirect=True)
def test_a_migrated_registry_has_the_tables_of_a_new_one(postgresql, golden, tmp_path):
    new = postgresql.new_database()
    for database in (golden, new):
        Registry(postgresql.url(database), str(tmp_path / "blobs")).close()
    for question in (
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, "
        "column_default FROM information_schema.columns WHERE table_schema = 'digits'",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'digits'",
        "SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid) "
        "FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace "
        "WHERE n.nspname = 'digits'",
        "SELECT t.tgrelid::regclass::text, pg_get_triggerdef(t.oid) FROM pg_trigger t "
        "WHERE NOT tgisinternal",
        "SELECT proname, prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = 'digits'",
    ):
        migrated, fresh = (sorted(postgresql.execute(question, d), key=str) for d in (golden, new))
        assert migrated == fresh
        assert fresh != []


def test_tables_of_another_program_in_our_schema_are_refused(postgresql, tmp_path):
    for statement in (
        "CREATE TABLE digits.events (id INTEGER)",
        "CREATE TABLE digits.meta (a INT)",
    ):
        database = postgresql.new_database()
        postgresql.execute("CREATE SCHEMA digits", database)
        postgresql.execute(statement, database)
        before = _tables(postgresql, database)
        with pytest.raises(UnsupportedError, match="another program"):
            Registry(postgresql.url(database), str(tmp_path / "blobs"))
        assert _tables(postgresql, database) == before


def test_a_database_user_who_may_only_read_can_ask(postgresql, tmp_path):
    database = postgresql.new_database()
    with Registry(postgresql.url(database), str(tmp_path / "blobs")) as registry:
        registry.register("mnist", b"1")
    for statement in (
        "CREATE ROLE reader LOGIN",
        "GRANT USAGE ON SCHEMA digits TO reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA digits TO reader",
    ):
        postgresql.execute(statement, database)
    url = postgresql.url(database).replace(f"{postgresql.user}@", "reader@")
    with Registry(url, str(tmp_path / "blobs"), create=False) as registry:
        assert registry.latest("mnist").number == 1
        assert errors(registry) == []
        with pytest.raises(UnavailableError, match="permission denied"):
            registry.set_alias("mnist", "live", 1)


def test_a_backup_is_left_to_the_tools_of_the_server(postgresql, tmp_path):
    with (
        Registry(postgresql.new_schema(), str(tmp_path / "blobs")) as registry,
        pytest.raises(UnsupportedError, match="pg_dump --schema=test_"),
    ):
        registry.backup(tmp_path / "file")
