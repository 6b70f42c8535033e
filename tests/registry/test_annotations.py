"""Tags and descriptions after the registration."""

from datetime import UTC, datetime

import pytest
from empty_registries import create_empty
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_contents import errors, execute, tables

from registry import InvalidArgumentError, NotFoundError, Registry, RunRecord

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5)


@pytest.fixture
def tagged(registry):
    """A registry with a version that has a tag."""
    registry.register("m", b"one", RunRecord(tags={"team": "ocr"}))
    return registry


def test_tags_are_set_changed_and_removed(tagged):
    version = tagged.tag("m/1", {"reviewed": "yes", "team": "research"})
    assert dict(version.tags) == {"reviewed": "yes", "team": "research"}
    assert tagged.get("m/1") == version
    assert tagged.versions(where="tags.reviewed = 'yes'") == [version]
    assert tagged.versions(where="tags.team = 'ocr'") == []
    version = tagged.untag("m/1", "team")
    assert dict(version.tags) == {"reviewed": "yes"}
    assert tagged.versions(where="tags.team like '%'") == []
    assert dict(tagged.untag("m/1", "reviewed").tags) == {}
    assert errors(tagged) == []


def test_every_change_of_tags_is_an_event(tagged):
    tagged.tag("m/1", {"reviewed": "yes"})
    tagged.untag("m/1", "team")
    told = [(e.kind, e.number, e.actor, dict(e.details)) for e in tagged.history("m", limit=2)]
    both, one = {"reviewed": "yes", "team": "ocr"}, {"reviewed": "yes"}
    assert told == [
        ("tagged", 1, "ann", {"tags": one, "from": both}),
        ("tagged", 1, "ann", {"tags": both, "from": {"team": "ocr"}}),
    ]


def test_a_change_that_changes_nothing_is_no_event(tagged):
    tagged.describe("m/1", "good")
    tagged.describe_model("m", "digits")
    before = tables(tagged)
    tagged.tag("m/1", {"team": "ocr"})
    tagged.describe("m/1", "good")
    tagged.describe_model("m", "digits")
    assert tables(tagged) == before


def test_a_version_and_a_model_have_descriptions(tagged):
    assert tagged.get("m/1").description is None
    assert tagged.describe("m/1", "trained at night").description == "trained at night"
    assert tagged.versions(where="description like '%night'") == [tagged.get("m/1")]
    assert tagged.versions(where="description = null") == []
    assert tagged.describe_model("m", "handwritten digits").description == "handwritten digits"
    assert tagged.describe("m/1", None).description is None
    told = [(e.kind, e.number, dict(e.details)) for e in tagged.history("m", limit=3)]
    assert told == [
        ("described", 1, {"description": None, "from": "trained at night"}),
        ("model_described", None, {"description": "handwritten digits", "from": None}),
        ("described", 1, {"description": "trained at night", "from": None}),
    ]
    assert errors(tagged) == []


@pytest.mark.parametrize("tags", [{"a": 1}, {"": "x"}, {"a": "x\0"}, {"a": "x" * 2001}, "a=b"])
def test_tags_that_cannot_be_registered_cannot_be_set_later(tagged, tags):
    before = tables(tagged)
    with pytest.raises(InvalidArgumentError):
        tagged.tag("m/1", tags)
    assert tables(tagged) == before


def test_what_is_not_there_cannot_be_changed(tagged):
    with pytest.raises(NotFoundError, match="m/1 has no tag 'x'"):
        tagged.untag("m/1", "team", "x")
    assert dict(tagged.get("m/1").tags) == {"team": "ocr"}
    for change in (
        lambda: tagged.tag("m/2", {"a": "b"}),
        lambda: tagged.untag("m@live", "team"),
        lambda: tagged.describe("n/1", "x"),
        lambda: tagged.describe_model("n", "x"),
    ):
        with pytest.raises(NotFoundError):
            change()
    with pytest.raises(InvalidArgumentError):
        tagged.describe("m/1", "x" * 2001)


@settings(max_examples=examples(25), deadline=None)
@given(
    st.lists(
        st.tuples(st.dictionaries(TEXT, TEXT, max_size=3), st.sets(TEXT, max_size=2)), max_size=5
    )
)
def test_tags_are_what_the_changes_lead_to(tmp_path_factory, changes):
    """In the record, in searches, after export and import, and for `verify`."""
    directory = tmp_path_factory.mktemp("tags")
    expected = {"first": "x"}
    for name in "rst":
        create_empty(directory / f"{name}.db")
    with (
        Registry(f"sqlite:///{directory}/r.db", str(directory / "blobs")) as registry,
        Registry(f"sqlite:///{directory}/s.db", str(directory / "s")) as whole,
        Registry(f"sqlite:///{directory}/t.db", str(directory / "t")) as single,
    ):
        registry.register("m", b"one", RunRecord(tags=expected))
        for added, removed in changes:
            registry.tag("m/1", added)
            expected |= added
            names = [name for name in removed if name in expected]
            registry.untag("m/1", *names)
            expected = {name: value for name, value in expected.items() if name not in names}
        registry.describe("m/1", f"{len(changes)} changes")
        single.register("other", b"")
        registry.export("m", directory / "whole")
        registry.export("m/1", directory / "single")
        whole.import_(directory / "whole")
        single.import_(directory / "single")
        for each in (registry, whole, single):
            version = each.get("m/1")
            assert (dict(version.tags), version.description) == (
                expected,
                f"{len(changes)} changes",
            )
            for name, value in expected.items():
                quoted = "'" + value.replace("'", "''") + "'"
                key = '"' + name.replace('"', '""') + '"'
                assert each.versions("m", where=f"tags.{key} = {quoted}") == [version]
            assert errors(each) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE versions SET tags = NULL",
        "UPDATE versions SET tags = '{}'",
        "UPDATE versions SET tags = 'no JSON'",
        "UPDATE version_tags SET value = 'other'",
        "UPDATE versions SET description = 'other'",
        "UPDATE models SET description = 'other'",
    ],
)
def test_verify_finds_changes_without_an_event(tagged, statement):
    tagged.tag("m/1", {"reviewed": "yes"})
    tagged.describe("m/1", "good")
    assert errors(tagged) == []
    execute(tagged, statement)
    assert errors(tagged) != []


def test_a_version_at_a_past_time_has_the_tags_and_the_description_of_then(tagged):
    registered = datetime.now(UTC)
    tagged.tag("m/1", {"reviewed": "yes"})
    tagged.describe("m/1", "good")
    described = datetime.now(UTC)
    tagged.untag("m/1", "team")
    tagged.describe("m/1", None)
    then = tagged.get("m/1", at=registered)
    assert (dict(then.tags), then.description) == ({"team": "ocr"}, None)
    then = tagged.get("m/1", at=described)
    assert (dict(then.tags), then.description) == ({"team": "ocr", "reviewed": "yes"}, "good")
    assert dict(tagged.get("m/1").tags) == {"reviewed": "yes"}
