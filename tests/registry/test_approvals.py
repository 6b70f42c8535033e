"""Four eyes: protected aliases move only after somebody else has approved."""

import contextlib
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registry_contents import FAILED, PASSED, errors, execute, tables
from sqlalchemy import exc

from registry import (
    ApprovalError,
    ArchivedError,
    GateError,
    InvalidArgumentError,
    MissingBlobError,
    NotFoundError,
    ProtectedAliasError,
    Registry,
    RegistryError,
    RunRecord,
    VersionInUseError,
)


@pytest.fixture
def team(request, url, tmp_path):
    """The same registry as several people open it, each with a role of their own."""
    with contextlib.ExitStack() as stack:

        def person(name):
            own = url
            if url.startswith("postgresql"):
                server = request.getfixturevalue("postgresql")
                if name != "ann":
                    own = role(server, url, name, may_approve=True)
            registry = Registry(own, str(tmp_path / "blobs"), actor=name)
            return stack.enter_context(registry)

        people = {name: person(name) for name in ("ann", "bob", "eve")}
        for number, gate in ((1, PASSED), (2, PASSED), (3, FAILED)):
            people["ann"].register("m", b"%d" % number, RunRecord(gate=gate))
        people["ann"].set_alias("m", "champion", 1)
        yield people


def role(server, url, name, *, may_approve):
    """Create a role that may write all tables, and return the address for it.

    It must not have the right TRIGGER, or its triggers would run with the rights of others.
    """
    schema = url.rpartition("%3D")[2]
    name = f"{name}_{uuid.uuid4().hex[:8]}"
    server.execute(f"CREATE ROLE {name} LOGIN")
    server.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    rights = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES"
    server.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {name}")
    server.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {name}")
    if may_approve:
        functions = f"{schema}.digits_approve, {schema}.digits_move_alias"
        server.execute(f"GRANT EXECUTE ON FUNCTION {functions} TO {name}")
    return url.replace(f"{server.user}@", f"{name}@")


def test_a_protected_alias_moves_after_somebody_else_has_approved(team):
    team["ann"].protect("m", "champion")
    proposal = team["ann"].propose("m/2", "champion", reason="better")
    assert (proposal.version, proposal.alias, proposal.reason) == ("m/2", "champion", "better")
    assert (proposal.proposed_by, proposal.approved_by) == ("ann", ())
    assert not proposal.is_approved
    assert team["eve"].proposals("m") == [proposal]
    approved = team["bob"].approve("m/2", "champion", reason="looked at it")
    assert approved.approved_by == ("bob",)
    assert approved.is_approved
    assert team["ann"].get("m@champion").number == 2
    assert team["ann"].proposals("m") == []
    told = [(e.kind, e.alias, e.number, e.actor) for e in team["ann"].history("m", limit=4)]
    assert told == [
        ("alias_moved", "champion", 2, "bob"),
        ("approved", "champion", 2, "bob"),
        ("proposed", "champion", 2, "ann"),
        ("protected", "champion", None, "ann"),
    ]
    assert errors(team["ann"]) == []


def test_nobody_moves_a_protected_alias_alone(team):
    ann = team["ann"]
    ann.set_alias("m", "champion", 2)
    ann.protect("m", "champion")
    before = tables(ann)
    for move in (
        lambda: ann.set_alias("m", "champion", 1),
        lambda: ann.set_alias("m", "champion", 1, force=True),
        lambda: ann.rollback("m"),
        lambda: ann.delete_alias("m", "champion"),
    ):
        with pytest.raises(ProtectedAliasError, match="m@champion is protected: propose"):
            move()
    assert tables(ann) == before
    ann.propose("m/1", "champion")
    with pytest.raises(ApprovalError, match="ann proposed m/1, so somebody else approves it"):
        ann.approve("m/1", "champion")
    ann.set_alias("m", "canary", 1)


def test_each_person_approves_once(team):
    team["ann"].protect("m", "champion", approvals=2)
    team["ann"].propose("m/2", "champion")
    assert not team["bob"].approve("m/2", "champion").is_approved
    with pytest.raises(ApprovalError, match="approved m/2 already"):
        team["bob"].approve("m/2", "champion")
    assert team["ann"].get("m@champion").number == 1
    assert errors(team["ann"]) == []
    assert team["eve"].approve("m/2", "champion").approved_by == ("bob", "eve")
    assert team["ann"].get("m@champion").number == 2
    assert errors(team["ann"]) == []


def test_a_move_makes_other_proposals_void(team):
    team["ann"].register("m", b"4", RunRecord(gate=PASSED))
    team["ann"].protect("m", "champion", approvals=2)
    team["ann"].propose("m/2", "champion")
    team["ann"].propose("m/4", "champion")
    team["bob"].approve("m/4", "champion")
    for name in ("bob", "eve"):
        team[name].approve("m/2", "champion")
    with pytest.raises(NotFoundError, match="m/4 is not proposed for m@champion"):
        team["eve"].approve("m/4", "champion")
    team["ann"].propose("m/4", "champion")
    assert team["eve"].approve("m/4", "champion").approved_by == ("eve",)
    assert errors(team["ann"]) == []


def test_the_gate_holds_for_proposals(team):
    team["ann"].protect("m", "champion")
    with pytest.raises(GateError):
        team["ann"].propose("m/3", "champion")
    team["ann"].propose("m/3", "champion", force=True)
    team["bob"].approve("m/3", "champion")
    assert team["ann"].history("m", limit=1)[0].details["forced"] is True
    team["ann"].archive("m/2")
    with pytest.raises(ArchivedError):
        team["ann"].propose("m/2", "champion")
    team["ann"].restore("m/2")
    team["ann"].propose("m/2", "champion")
    team["ann"].archive("m/2")
    with pytest.raises(ArchivedError):
        team["bob"].approve("m/2", "champion")


def test_a_proposed_version_is_not_deleted(team):
    team["ann"].protect("m", "champion")
    team["ann"].propose("m/2", "champion")
    with pytest.raises(VersionInUseError, match="proposed for m@champion"):
        team["ann"].delete("m/2")
    team["ann"].unprotect("m", "champion")
    team["ann"].delete("m/2")
    assert errors(team["ann"]) == []


def test_weights_that_are_missing_are_not_approved(team):
    team["ann"].protect("m", "champion")
    team["ann"].propose("m/2", "champion")
    team["ann"]._blobs.delete(team["ann"].get("m/2").sha256)
    with pytest.raises(MissingBlobError):
        team["bob"].approve("m/2", "champion")
    assert team["ann"].get("m@champion").number == 1


def test_without_a_name_nobody_proposes_or_approves(registry, opened):
    registry.register("m", b"1", RunRecord(gate=PASSED))
    registry.protect("m", "champion")
    with opened() as nobody, pytest.raises(InvalidArgumentError, match="the name of the person"):
        nobody.propose("m/1", "champion")
    registry.propose("m/1", "champion")
    with opened() as nobody, pytest.raises(InvalidArgumentError, match="the name of the person"):
        nobody.approve("m/1", "champion")


def test_what_is_not_protected_needs_no_proposal(registry):
    registry.register("m", b"1")
    for ask in (
        lambda: registry.propose("m/1", "live"),
        lambda: registry.approve("m/1", "live"),
        lambda: registry.unprotect("m", "live"),
    ):
        with pytest.raises(NotFoundError, match="m@live is not protected"):
            ask()
    for approvals in (0, 101, True):
        with pytest.raises(InvalidArgumentError):
            registry.protect("m", "live", approvals)


def test_the_protection_survives_export_and_import(team, tmp_path):
    team["ann"].protect("m", "champion", approvals=2)
    team["ann"].propose("m/2", "champion")
    team["bob"].approve("m/2", "champion")
    team["ann"].export("m", tmp_path / "file")
    with Registry(f"sqlite:///{tmp_path}/o.db", str(tmp_path / "o"), actor="eve") as other:
        other.import_(tmp_path / "file")
        assert errors(other) == []
        with pytest.raises(ProtectedAliasError):
            other.set_alias("m", "champion", 2)
        assert other.approve("m/2", "champion").is_approved
        assert other.get("m@champion").number == 2


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM protected_aliases",
        "UPDATE protected_aliases SET approvals = 1",
        "DELETE FROM approvals",
        "UPDATE approvals SET number = 1",
    ],
)
def test_verify_finds_changes_of_the_protection(team, statement):
    team["ann"].protect("m", "champion", approvals=2)
    team["ann"].propose("m/2", "champion")
    team["bob"].approve("m/2", "champion")
    assert errors(team["ann"]) == []
    execute(team["ann"], statement)
    assert errors(team["ann"]) != []


# What a role that may write all tables might try on PostgreSQL. It owns none of them.
_STATEMENTS = [
    "UPDATE aliases SET number = {n}",
    "UPDATE aliases SET alias = 'x'",
    "UPDATE aliases SET model_id = 2 WHERE alias = 'champion'",
    "DELETE FROM aliases",
    "TRUNCATE aliases",
    "INSERT INTO aliases VALUES (1, 'champion', {n}, 99, 0) "
    "ON CONFLICT (model_id, alias) DO UPDATE SET number = {n}",
    "UPDATE protected_aliases SET approvals = 0",
    "UPDATE protected_aliases SET alias = 'x'",
    "DELETE FROM protected_aliases",
    "TRUNCATE protected_aliases",
    "INSERT INTO approvals VALUES (1, 'champion', {n}, 'bob', 0, NULL)",
    "UPDATE models SET name = 'x' WHERE name = 'm'",
    "UPDATE models SET id = id + 1",
    "DELETE FROM versions WHERE number = 1",
    "UPDATE versions SET number = number + 10",
    "UPDATE versions SET blob_sha256 = (SELECT max(sha256) FROM blobs)",
    "UPDATE versions SET blob_sha256 = (SELECT min(sha256) FROM blobs)",
    "UPDATE versions SET event_seq = {n}",
    "UPDATE events SET number = {n}",
    "TRUNCATE aliases, protected_aliases, approvals CASCADE",
    "TRUNCATE models CASCADE",
    "TRUNCATE versions CASCADE",
    "DROP TABLE aliases",
    "DROP TRIGGER guard_alias ON aliases",
    "ALTER TABLE aliases DISABLE TRIGGER ALL",
    "ALTER TABLE aliases OWNER TO CURRENT_USER",
    "SET session_replication_role = replica",
    "CREATE OR REPLACE FUNCTION digits_guard_alias() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RETURN NEW; END $$",
    "CREATE FUNCTION pg_temp.mine() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN NEW.number := {n}; RETURN NEW; END $$",
    "CREATE TRIGGER mine BEFORE UPDATE ON aliases FOR EACH ROW EXECUTE FUNCTION pg_temp.mine()",
    "CREATE RULE mine AS ON SELECT TO aliases DO INSTEAD SELECT 1",
    "CREATE TEMPORARY TABLE protected_aliases (model_id integer, alias text, approvals integer)",
    "SELECT digits_approve(1, 'champion', {n}, 0, NULL)",
    "SELECT digits_move_alias(1, 'champion', {n}, 99, 0)",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
]

_CALLS = {
    "set_alias": lambda registry, n: registry.set_alias("m", "champion", n, force=True),
    "rollback": lambda registry, _n: registry.rollback("m"),
    "delete_alias": lambda registry, _n: registry.delete_alias("m", "champion"),
    "unprotect": lambda registry, _n: registry.unprotect("m", "champion"),
    "protect": lambda registry, _n: registry.protect("m", "champion", 100),
    "propose": lambda registry, n: registry.propose(f"m/{n}", "champion", force=True),
    "approve": lambda registry, n: registry.approve(f"m/{n}", "champion"),
    "delete": lambda registry, n: registry.delete(f"m/{n}"),
    "prune": lambda registry, _n: registry.prune("m", keep=1),
    "archive": lambda registry, n: registry.archive(f"m/{n}"),
}


class _Attack:
    """A registry on PostgreSQL with a protected champion, and a role that wants to move it."""

    def __init__(self, server, directory: Path) -> None:
        self.url = server.new_schema()
        self.blobs = str(directory / "blobs")
        self.owner = Registry(self.url, self.blobs, actor="ann")
        for number in (1, 2, 3):
            self.owner.register("m", b"%d" % number, RunRecord(gate=PASSED))
        self.owner.register("other", b"4")
        for number in (3, 1):
            self.owner.set_alias("m", "champion", number)
        self.owner.protect("m", "champion")
        self.owner.propose("m/2", "champion")
        self.address = role(server, self.url, "mallory", may_approve=False)
        self.champion = self.seen()

    def seen(self) -> tuple[int, str, bytes]:
        version = self.owner.get("m@champion")
        return version.number, version.sha256, self.owner.load("m@champion")

    def try_statements(self, statements: list[str]) -> int:
        """Run statements in one session, each in a transaction; return how many succeeded."""
        engine = sa.create_engine(self.address, isolation_level="AUTOCOMMIT")
        succeeded = 0
        with engine.connect() as connection:
            for statement in statements:
                try:
                    connection.exec_driver_sql(statement)
                    succeeded += 1
                except exc.DBAPIError:
                    pass
        engine.dispose()
        return succeeded

    def close(self) -> None:
        self.owner.close()


@pytest.fixture(scope="module")
def attack(postgresql, tmp_path_factory):
    attacked = _Attack(postgresql, tmp_path_factory.mktemp("attack"))
    yield attacked
    attacked.close()


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    statements=st.lists(st.sampled_from(_STATEMENTS), max_size=6),
    calls=st.lists(st.sampled_from(sorted(_CALLS)), max_size=2),
    number=st.integers(1, 3),
)
def test_no_call_and_no_statement_of_another_role_moves_a_protected_alias(
    attack, statements, calls, number
):
    """On PostgreSQL."""
    attack.try_statements([statement.format(n=number) for statement in statements])
    with Registry(attack.address, attack.blobs, actor="mallory") as registry:
        for call in calls:
            with contextlib.suppress(RegistryError):
                _CALLS[call](registry, number)
    assert attack.seen() == attack.champion


def test_each_statement_alone_moves_no_protected_alias(attack):
    for statement in _STATEMENTS:
        for number in (1, 2, 3):
            attack.try_statements([statement.format(n=number)])
            assert attack.seen() == attack.champion, statement


def test_a_role_without_the_right_is_told_so(postgresql, tmp_path):
    attack = _Attack(postgresql, tmp_path)
    with Registry(attack.address, attack.blobs, actor="mallory") as registry:
        with pytest.raises(ProtectedAliasError, match="EXECUTE on digits_approve"):
            registry.approve("m/2", "champion")
        with pytest.raises(ProtectedAliasError, match="Only the owner of the tables"):
            registry.unprotect("m", "champion")
    attack.close()


def test_without_the_protection_the_same_role_moves_it(postgresql, tmp_path):
    """The tests above can fail."""
    attacked = _Attack(postgresql, tmp_path)
    attacked.owner.unprotect("m", "champion")
    assert attacked.try_statements(["UPDATE aliases SET number = 2"]) == 1
    assert attacked.owner.get("m@champion").number == 2
    with Registry(attacked.address, attacked.blobs, actor="mallory") as registry:
        assert registry.set_alias("m", "champion", 3).number == 3
    attacked.close()


def test_a_role_with_the_right_needs_the_approvals(team):
    """Calling the function alone does not move the alias."""
    if team["ann"]._database.address.startswith("/"):
        pytest.skip("PostgreSQL only")
    team["ann"].protect("m", "champion", approvals=2)
    engine = team["bob"]._database._engine
    for statement in (
        "SELECT digits_move_alias(1, 'champion', 2, 99, 0)",
        "SELECT digits_approve(1, 'champion', 2, 0, NULL), "
        "digits_move_alias(1, 'champion', 2, 99, 0)",
    ):
        with pytest.raises(exc.DBAPIError, match="needs more approvals"), engine.begin() as open_:
            open_.exec_driver_sql(statement)
    assert team["ann"].get("m@champion").number == 1
