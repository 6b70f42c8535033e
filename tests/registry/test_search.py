"""Pages of versions, in any order."""

import itertools
import random

import pytest
import sqlalchemy as sa
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_contents import DATABASES

from registry import InvalidArgumentError, NotFoundError, Registry, RunRecord

FIGURES = [0.5, 0.25, -1.0, 0.1, 1e300, 1e-9, 0.1 + 0.2]
ORDERS = ["number", "created_at", "metrics.a", 'metrics."b c"', "metrics.never"]


@pytest.fixture(scope="module", params=DATABASES)
def filled(request, tmp_path_factory):
    """Versions of two models, whose metrics are often equal or missing."""
    place = tmp_path_factory.mktemp("search")
    url = f"sqlite:///{place}/registry.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").new_schema()
    source = random.Random(3)
    with Registry(url, str(place / "blobs")) as registry:
        for _ in range(40):
            metrics = {
                name: source.choice(FIGURES) for name in ("a", "b c")[: source.randint(0, 2)]
            }
            registry.register(source.choice("mn"), b"", RunRecord(metrics=metrics))
        yield registry


def _pages(registry, limit, **question):
    """Return the versions of all pages."""
    seen, last = [], None
    while page := registry.versions(limit=limit, after=last, **question):
        assert len(page) <= limit
        seen += page
        # The record and the reference work the same.
        last = page[-1] if len(seen) % 2 else page[-1].reference
    return seen


def _key_of(order):
    """Return the sort key function; the key is None if the order leaves the version out."""
    if order.startswith("metrics."):
        name = order.removeprefix("metrics.").strip('"')
        return lambda version: version.metrics.get(name)
    return lambda version: getattr(version, order)


@given(
    order=st.sampled_from(ORDERS),
    direction=st.sampled_from(["", " asc", " desc"]),
    name=st.sampled_from([None, "m", "n", "other"]),
    limit=st.integers(1, 45),
)
@settings(max_examples=examples(25))
def test_pages_give_each_version_once_in_the_right_order(filled, order, direction, name, limit):
    seen = _pages(filled, limit, name=name, order_by=order + direction)
    key = _key_of(order)
    expected = [v for v in filled.versions(name) if key(v) is not None]
    assert sorted(v.reference for v in seen) == sorted(v.reference for v in expected)
    keys = [key(v) for v in seen]
    assert keys == sorted(keys, reverse=direction == " desc")
    # The order does not depend on the size of pages, even among equal keys.
    assert seen == filled.versions(name, order_by=order + direction)


@given(name=st.sampled_from([None, "m", "n"]), limit=st.integers(1, 45))
@settings(max_examples=examples(20))
def test_without_an_order_pages_go_from_the_newest_to_the_oldest(filled, name, limit):
    seen = _pages(filled, limit, name=name)
    assert seen == filled.versions(name)
    assert len({v.reference for v in seen}) == len(seen)
    for model in "mn":
        numbers = [v.number for v in seen if v.name == model]
        assert numbers == sorted(numbers, reverse=True)
    names = [v.name for v in seen]
    assert names == sorted(names)


@given(
    order=st.sampled_from(ORDERS[:-1]), desc=st.sampled_from(["", " desc"]), limit=st.integers(1, 9)
)
@settings(max_examples=examples(30))
def test_pages_of_a_search_are_complete(filled, order, desc, limit):
    where = "metrics.a >= 0.25 or not number < 10"
    seen = _pages(filled, limit, where=where, order_by=order + desc)
    assert seen == filled.versions(where=where, order_by=order + desc)
    key = _key_of(order)
    assert {v.reference for v in seen} == {
        v.reference
        for v in filled.versions()
        if (v.metrics.get("a", 0) >= 0.25 or v.number >= 10) and key(v) is not None
    }


@pytest.mark.parametrize("order", ["number", "created_at", "metrics.a"])
@pytest.mark.parametrize("direction", ["", " desc"])
def test_versions_added_meanwhile_do_not_shift_pages(sqlite, order, direction):
    """Every version that was there at the start is returned once."""
    figures = itertools.cycle([0.5, 0.25, 0.75])
    for _ in range(9):
        sqlite.register("m", b"", RunRecord(metrics={"a": next(figures)}))
    before = sqlite.versions(order_by=order + direction)
    seen, last = [], None
    while page := sqlite.versions(order_by=order + direction, limit=2, after=last):
        seen += page
        last = page[-1]
        if len(seen) < 12:
            for name in "mn":
                sqlite.register(name, b"", RunRecord(metrics={"a": next(figures)}))
    assert len({v.reference for v in seen}) == len(seen)
    were_there = {v.reference for v in before}
    assert [v.reference for v in seen if v.reference in were_there] == [v.reference for v in before]


@pytest.mark.parametrize("limit", [0, -1, 1 << 31, 1.0, "1", True])
def test_a_limit_is_a_whole_number_from_one(sqlite, limit):
    sqlite.register("m", b"")
    for ask in (sqlite.versions, lambda limit: sqlite.history("m", limit=limit)):
        with pytest.raises(InvalidArgumentError, match="limit: expected a whole number from 1"):
            ask(limit=limit)


@pytest.mark.parametrize("before", [0, -1, 1 << 31, 1 << 70, 1.0, "1", False])
def test_before_is_a_whole_number_from_one(sqlite, before):
    sqlite.register("m", b"")
    with pytest.raises(InvalidArgumentError, match="before: expected a whole number from 1"):
        sqlite.history("m", before=before)


def test_after_is_a_version_with_a_position_in_the_order(filled):
    some = filled.versions("m", order_by="metrics.a", limit=1)[0]
    without = next(v for v in filled.versions() if "a" not in v.metrics)
    for after in ("m", "m@live", "m/0", ""):
        with pytest.raises(InvalidArgumentError):
            filled.versions(after=after)
    for after in ("m/999", "other/1"):
        with pytest.raises(NotFoundError, match=f"no {after} in the registry"):
            filled.versions(after=after)
    with pytest.raises(NotFoundError, match="with the metric a to continue after"):
        filled.versions(order_by="metrics.a", after=without)
    assert filled.versions("m", order_by="metrics.a", after=some)


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"name": "m"},
        {"where": "tags.a = '1' and not alias = 'live' or params.a in (1, 'x')"},
        {"order_by": "metrics.a desc"},
        {"order_by": "created_at", "limit": 100, "after": "m/1"},
    ],
)
def test_the_number_of_statements_does_not_depend_on_the_number_of_versions(registry, question):
    """Details, gates and aliases are not read one version at a time."""
    counts = []
    for _ in range(3):
        for number in range(4):
            version = registry.register("m", b"", RunRecord(metrics={"a": number}, tags={"a": "1"}))
        registry.set_alias("m", "live", version.number)
        statements = []
        engine = registry._database._engine
        sa.event.listen(
            engine,
            "before_cursor_execute",
            lambda connection, cursor, statement, *rest, into=statements: into.append(statement),
        )
        registry.versions(**question)
        counts.append(sum(1 for s in statements if s.startswith("SELECT")))
    assert counts == [2 if "after" in question else 1] * 3


def test_an_alias_that_differs_is_none_of_a_versions_aliases(registry):
    """A second alias made the champion one of "all but the champion"."""
    for number in range(1, 4):
        registry.register("mnist", b"%d" % number)
    for alias, number in (("champion", 3), ("staging", 3), ("staging-2", 2)):
        registry.set_alias("mnist", alias, number, force=True)

    def numbers(where):
        return [v.number for v in registry.versions("mnist", where=where)]

    assert numbers("alias != 'champion'") == numbers("not alias = 'champion'") == [2, 1]
    assert numbers("alias != 'champion' and alias != null") == [2]
    assert numbers("alias = null") == [1]


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("params.seed = 7", [7]),
        ("params.seed = 7.0 and tags.team = 'ocr'", [7]),
        ("params.seed in (7, '8', 9000) and not state = 'archived'", [8, 7]),
        ("params.seed = 0 or params.seed = 1", [1]),
        ("params.zero = 0", [3]),
        ("params.zero = '-0.0'", [3]),
        ("params.big = 9007199254740992", [5, 4]),
        ("metrics.a = 12", [12]),
        ("inputs.train = '" + f"{13:064x}" + "'", [13]),
        ("environment.host = 'h14' and params.seed != 15", [14]),
        (f"tags.long = '{'x' * 300}16'", [16]),
        (f"tags.long = '{'x' * 300}'", []),
        ("params.seed = 7 and params.seed = 8", []),
        ("metrics.a = 1e999", []),
    ],
)
def test_a_rare_value_is_found_by_its_index(rare, where, numbers):
    """On SQLite, which would read all versions of the model otherwise."""
    registry, statements = rare
    statements.clear()
    assert [v.number for v in registry.versions("m", where=where)] == numbers
    if registry._database.url.get_backend_name() != "sqlite":
        return
    # An index helps neither a side of `or`, nor a text whose first 250 characters are common, nor
    # a number that several integers round to.
    has_index = not any(part in where for part in (" or ", "long", "big"))
    statement, values = statements[-1]
    assert ("versions.id IN" in statement) is has_index
    with registry._database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        reads = [row.detail for row in plan if row.detail.startswith(("SCAN v", "SEARCH versions"))]
        assert (reads[0] == "SEARCH versions USING INTEGER PRIMARY KEY (rowid=?)") is has_index


@pytest.fixture(scope="module", params=DATABASES)
def rare(request, tmp_path_factory):
    """A registry with 300 versions, each with values of its own, and its statements."""
    directory = tmp_path_factory.mktemp("rare")
    url = f"sqlite:///{directory}/registry.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").new_schema()
    with Registry(url, str(directory / "blobs")) as registry:
        for number in range(1, 301):
            registry.register(
                "m",
                b"",
                RunRecord(
                    metrics={"a": number},
                    params={"seed": number}
                    | ({"zero": -0.0} if number == 3 else {})
                    | ({"big": 2**53 + number - 4} if number in (4, 5) else {}),
                    tags={"team": "ocr", "long": f"{'x' * 300}{number}"},
                    inputs={"train": f"{number:064x}"},
                    environment={"host": f"h{number}"},
                ),
            )
        statements = []
        sa.event.listen(
            registry._database._engine,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, values, *_: statements.append(
                (statement, values)
            ),
        )
        yield registry, statements
