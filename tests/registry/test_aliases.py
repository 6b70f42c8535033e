"""Aliases: moves, rollbacks, deletions and their history."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_contents import FAILED, PASSED, errors

from registry import (
    AliasMovedError,
    ArchivedError,
    Check,
    DamagedBlobError,
    GateError,
    InvalidArgumentError,
    MissingBlobError,
    NotFoundError,
    Registry,
    RunRecord,
    VersionInUseError,
)


def _add(registry, count, *, name="mnist", gate=PASSED):
    for _ in range(count):
        registry.register(name, b"weights", RunRecord(gate=gate))


def test_an_alias_records_its_version_time_and_actor(registry):
    _add(registry, 2)
    before = datetime.now(UTC) - timedelta(microseconds=1)
    registry.set_alias("mnist", "live", 2)
    alias = registry.alias("mnist", "live")
    assert (alias.name, alias.alias, alias.number) == ("mnist", "live", 2)
    assert (alias.reference, alias.moved_by) == ("mnist/2", "ann")
    assert before <= alias.moved_at <= datetime.now(UTC)
    event = registry.history("mnist", alias="live")[0]
    assert (event.seq, event.at, event.actor) == (alias.generation, alias.moved_at, "ann")
    with pytest.raises(NotFoundError, match="no mnist@other in the registry"):
        registry.alias("mnist", "other")


def test_an_alias_moves_only_from_the_expected_generation(registry, opened):
    _add(registry, 3)
    registry.set_alias("mnist", "live", 1)
    seen = registry.alias("mnist", "live")
    opened(actor="bob").set_alias("mnist", "live", 2, expected=seen)
    with pytest.raises(AliasMovedError, match="generation 5, moved by bob at 2") as caught:
        registry.set_alias("mnist", "live", 3, expected=seen)
    found = registry.alias("mnist", "live")
    assert (caught.value.number, caught.value.generation) == (2, found.generation)
    assert f"expected at generation {seen.generation}" in str(caught.value)
    assert found.number == 2
    # The generation can be passed in place of the record.
    assert registry.set_alias("mnist", "live", 3, expected=found.generation).number == 3
    assert len(registry.history("mnist", alias="live")) == 3


def test_a_move_there_and_back_changes_the_generation(registry):
    """The number of the version would be the same."""
    _add(registry, 2)
    registry.set_alias("mnist", "live", 1)
    seen = registry.alias("mnist", "live")
    registry.set_alias("mnist", "live", 2)
    registry.set_alias("mnist", "live", 1)
    with pytest.raises(AliasMovedError):
        registry.set_alias("mnist", "live", 2, expected=seen)
    assert registry.alias("mnist", "live").number == 1


def test_generation_zero_expects_an_alias_that_is_not_set(registry):
    _add(registry, 2)
    assert registry.set_alias("mnist", "live", 1, expected=0).aliases == ("live",)
    with pytest.raises(AliasMovedError):
        registry.set_alias("mnist", "live", 2, expected=0)
    seen = registry.alias("mnist", "live")
    registry.delete_alias("mnist", "live")
    with pytest.raises(AliasMovedError, match="but is not set") as caught:
        registry.set_alias("mnist", "live", 2, expected=seen)
    assert (caught.value.number, caught.value.generation) == (None, None)
    assert registry.set_alias("mnist", "live", 2, expected=0).number == 2


def test_a_generation_is_never_reused_even_after_a_deletion(registry):
    _add(registry, 2)
    seen = []
    for number in (1, 2, 2, 1):
        for alias in ("live", "other"):
            registry.set_alias("mnist", alias, number)
            seen.append(registry.alias("mnist", alias).generation)
        registry.delete_alias("mnist", "live")
        registry.set_alias("mnist", "live", number)
        registry.rollback("mnist", "live") if number == 2 else None
        seen.append(registry.alias("mnist", "live").generation)
    assert seen == sorted(set(seen))
    assert all(generation > 0 for generation in seen)


def test_a_deleted_alias_is_gone_and_its_version_stays(registry):
    _add(registry, 1)
    registry.set_alias("mnist", "live", 1)
    registry.delete_alias("mnist", "live")
    for ask in (lambda: registry.get("mnist@live"), lambda: registry.alias("mnist", "live")):
        with pytest.raises(NotFoundError):
            ask()
    with pytest.raises(NotFoundError, match="no mnist@live"):
        registry.delete_alias("mnist", "live")
    with pytest.raises(NotFoundError, match="no model other"):
        registry.delete_alias("other", "live")
    assert registry.get("mnist/1").aliases == ()
    assert registry.history("mnist", alias="live")[0].details == {"from": 1}


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ((), "no gate is recorded for it"),
        (FAILED, "recall of 7 0.4000 .* 0.9000"),
        ((*PASSED, Check("x", 1, 1, passed=False)), "x 1.0000 .* 1.0000"),
    ],
)
def test_only_a_version_that_passed_its_gate_becomes_champion(registry, gate, reason):
    _add(registry, 1, gate=PASSED)
    _add(registry, 1, gate=gate)
    registry.set_alias("mnist", "champion", 1)
    with pytest.raises(GateError, match=f"mnist/2 cannot become champion: .*{reason}") as caught:
        registry.set_alias("mnist", "champion", 2)
    assert caught.value.reference == "mnist/2"
    assert registry.get("mnist@champion").number == 1
    assert len(registry.history("mnist", alias="champion")) == 1
    # Other aliases can point at it.
    assert registry.set_alias("mnist", "challenger", 2).gate_passed is not True
    assert registry.history("mnist", alias="challenger")[0].details["forced"] is False


def test_the_history_records_a_forced_champion(registry):
    _add(registry, 1, gate=FAILED)
    _add(registry, 1, gate=PASSED)
    registry.set_alias("mnist", "champion", 1, force=True)
    # Force that was not needed is not recorded.
    registry.set_alias("mnist", "champion", 2, force=True)
    registry.rollback("mnist")
    moves = [(e.number, e.details["forced"]) for e in registry.history("mnist", alias="champion")]
    assert moves == [(1, True), (2, False), (1, True)]


def test_force_overrides_only_the_gate(registry):
    _add(registry, 2)
    registry.archive("mnist/2")
    registry.set_alias("mnist", "champion", 1)
    with pytest.raises(ArchivedError):
        registry.set_alias("mnist", "champion", 2, force=True)
    with pytest.raises(AliasMovedError):
        registry.set_alias("mnist", "champion", 1, force=True, expected=99)
    with pytest.raises(NotFoundError):
        registry.set_alias("mnist", "champion", 3, force=True)
    assert registry.get("mnist@champion").number == 1


def test_no_alias_points_at_an_archived_version(registry):
    _add(registry, 2)
    registry.set_alias("mnist", "live", 1)
    registry.set_alias("mnist", "old", 1)
    with pytest.raises(VersionInUseError, match="cannot be archived: it is mnist@live, mnist@old"):
        registry.archive("mnist/1")
    with pytest.raises(VersionInUseError):
        registry.archive("mnist@live")
    registry.archive("mnist/2")
    with pytest.raises(ArchivedError, match="mnist/2 is archived"):
        registry.set_alias("mnist", "live", 2)
    registry.restore("mnist/2")
    assert registry.set_alias("mnist", "live", 2).number == 2


def test_a_rollback_to_an_archived_version_is_refused(registry):
    _add(registry, 2)
    registry.set_alias("mnist", "live", 1)
    registry.set_alias("mnist", "live", 2)
    registry.archive("mnist/1")
    with pytest.raises(ArchivedError):
        registry.rollback("mnist", "live")
    assert registry.get("mnist@live").number == 2
    registry.restore("mnist/1")
    assert registry.rollback("mnist", "live").number == 1


@pytest.mark.parametrize("number", [0, -1, 1.0, "one", None, True, 10**9, "1/1", "1@live"])
def test_an_alias_points_at_a_number(sqlite, number):
    _add(sqlite, 1)
    with pytest.raises(InvalidArgumentError):
        sqlite.set_alias("mnist", "live", number)
    with pytest.raises(NotFoundError):
        sqlite.get("mnist@live")


def test_a_rollback_undoes_the_last_move(registry):
    _add(registry, 3)
    with pytest.raises(NotFoundError, match="mnist@live has no previous version"):
        registry.rollback("mnist", "live")
    for number in (1, 2, 2, 3):
        registry.set_alias("mnist", "live", number)
    assert registry.rollback("mnist", "live").number == 2
    # A second rollback goes further back, and skips the move that did not change the version.
    assert registry.rollback("mnist", "live").number == 1
    with pytest.raises(NotFoundError, match="mnist@live has no previous version"):
        registry.rollback("mnist", "live")
    assert registry.get("mnist@live").number == 1
    # A move after rollbacks is undone to where the rollbacks led.
    registry.set_alias("mnist", "live", 3)
    assert registry.rollback("mnist", "live").number == 1
    kinds = [event.kind for event in registry.history("mnist", alias="live")]
    assert kinds.count("alias_rolled_back") == 3


def test_a_rollback_after_a_deletion_sets_the_alias_again(registry):
    _add(registry, 2)
    registry.set_alias("mnist", "live", 1)
    registry.set_alias("mnist", "live", 2)
    registry.delete_alias("mnist", "live")
    assert registry.rollback("mnist", "live").number == 2
    assert registry.rollback("mnist", "live").number == 1


MOVES = st.lists(
    st.tuples(st.sampled_from(["move", "rollback", "remove"]), st.integers(1, 3)), max_size=12
)


class Undo:
    """The model: the path of an alias, as an editor keeps its changes to undo them."""

    def __init__(self):
        self.path = []

    @property
    def current(self):
        return self.path[-1] if self.path else None

    @property
    def can_roll_back(self):
        return any(number not in {None, self.current} for number in self.path)

    def roll_back(self):
        """Go back to the last number that differs from the current one."""
        current = self.current
        while self.path and self.path[-1] in {current, None}:
            self.path.pop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A registry in which every example uses a model of its own."""
    directory = tmp_path_factory.mktemp("aliases")
    with Registry(f"sqlite:///{directory}/r.db", str(directory / "blobs")) as registry:
        yield registry


@given(moves=MOVES)
@settings(max_examples=examples(40))
def test_rollbacks_undo_moves(shared, moves):
    """At every time the alias was where the history says."""
    name = f"model-{uuid.uuid4().hex}"
    _add(shared, 3, name=name)
    model, moments = Undo(), []
    for action, number in moves:
        if action == "move":
            shared.set_alias(name, "champion", number)
            model.path.append(number)
        elif action == "remove" and model.current is not None:
            shared.delete_alias(name, "champion")
            model.path.append(None)
        elif action == "remove":
            with pytest.raises(NotFoundError):
                shared.delete_alias(name, "champion")
        elif model.can_roll_back:
            assert shared.rollback(name).number is not None
            model.roll_back()
        else:
            with pytest.raises(NotFoundError, match="has no previous version"):
                shared.rollback(name)
        assert _number_at(shared, name) == model.current
        events = shared.history(name, alias="champion", limit=1)
        if events:
            moments.append((events[0].at, model.current))
    _check_moments(shared, name, moments)
    assert errors(shared, f"{name}/1") == []


def _check_moments(registry, name, moments):
    """Look the champion up at the time of each move, and just before and after it."""
    microsecond = timedelta(microseconds=1)
    numbers = dict(moments)  # The last one, if several moves have the same time.
    for moment, _ in moments:
        for at in (moment - microsecond, moment, moment + microsecond):
            past = [earlier for earlier in numbers if earlier <= at]
            expected = numbers[max(past)] if past else None
            assert _number_at(registry, name, at=at) == expected
    assert _number_at(registry, name, at=datetime(1970, 1, 1, tzinfo=UTC)) is None
    assert _number_at(registry, name, at=datetime(9999, 1, 1, tzinfo=UTC)) == _number_at(
        registry, name
    )


def _number_at(registry, name, **when):
    try:
        return registry.get(f"{name}@champion", **when).number
    except NotFoundError:
        return None


def test_a_time_needs_a_time_zone_and_may_have_any(registry):
    _add(registry, 2)
    registry.set_alias("mnist", "live", 1)
    moved = registry.alias("mnist", "live").moved_at
    registry.set_alias("mnist", "live", 2)
    elsewhere = datetime.fromisoformat(moved.isoformat()).astimezone()
    if registry.alias("mnist", "live").moved_at > moved:
        assert registry.get("mnist@live", at=elsewhere).number == 1
    with pytest.raises(InvalidArgumentError, match="a time with a time zone"):
        registry.get("mnist@live", at=moved.replace(tzinfo=None))
    with pytest.raises(NotFoundError):
        registry.get("mnist@live", at=datetime.min.replace(tzinfo=UTC))
    # A number always means the same version, but only since it was registered.
    with pytest.raises(NotFoundError, match="There was no mnist/2 in the registry at 0001"):
        registry.get("mnist/2", at=datetime.min.replace(tzinfo=UTC))


def _path(tmp_path, sha256):
    return tmp_path / "blobs" / "sha256" / sha256[:2] / sha256


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_no_alias_moves_to_weights_that_cannot_be_trusted(registry, tmp_path, damage):
    """In an incident "done" would be the wrong answer."""
    for number in (1, 2, 3):
        registry.register("mnist", b"%d" % number)
    for number in (1, 2, 3):
        registry.set_alias("mnist", "live", number)
    path = _path(tmp_path, registry.get("mnist/2").sha256)
    path.chmod(0o644)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"others")
    before = registry.alias("mnist", "live"), registry.history("mnist")
    expected = MissingBlobError if damage == "missing" else DamagedBlobError
    for act in (
        lambda: registry.rollback("mnist", "live"),
        lambda: registry.rollback("mnist", "live", to=2),
        lambda: registry.set_alias("mnist", "live", 2),
        lambda: registry.set_alias("mnist", "new", 2),
    ):
        with pytest.raises(expected):
            act()
    assert (registry.alias("mnist", "live"), registry.history("mnist")) == before
    assert registry.rollback("mnist", "live", to=1).number == 1


def test_of_two_rollbacks_at_once_one_goes_back(registry, opened):
    """Two people on call saw the same version and rolled it back: two steps."""
    _add(registry, 4)
    for number in (1, 2, 3, 4):
        registry.set_alias("mnist", "live", number)
    seen = registry.alias("mnist", "live")
    one = registry.rollback("mnist", "live", expected=seen, reason="wrong sevens")
    assert one.number == 3
    with pytest.raises(AliasMovedError, match=f"expected at generation {seen.generation}"):
        opened().rollback("mnist", "live", expected=seen.generation)
    assert registry.alias("mnist", "live").number == 3
    event = registry.history("mnist")[0]
    assert (event.kind, event.details["reason"]) == ("alias_rolled_back", "wrong sevens")


def test_a_rollback_can_go_back_several_versions(registry):
    """The next one goes on from there."""
    _add(registry, 4)
    for number in (1, 2, 3, 4):
        registry.set_alias("mnist", "live", number)
    assert registry.rollback("mnist", "live", to=2).number == 2
    for to in (2, 3, 4, 9):
        with pytest.raises(NotFoundError, match=f"did not point at version {to} before"):
            registry.rollback("mnist", "live", to=to)
    assert registry.rollback("mnist", "live").number == 1
    with pytest.raises(NotFoundError, match="no previous version"):
        registry.rollback("mnist", "live")
    assert errors(registry) == []
