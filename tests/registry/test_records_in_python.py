"""What a programmer does with records and references: tables, copies, short names, paths."""

import copy
import json
import pickle
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from registry_contents import errors

from registry import Check, InvalidArgumentError, NotFoundError, Registry, RunRecord

RECORD = RunRecord(
    metrics={"accuracy": 0.5}, params={"sizes": [784, 10]}, tags={"team": "ocr"}, run_id="r"
)


@pytest.fixture
def mine(tmp_path):
    """A registry with two versions, whose default model is named."""
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url, str(tmp_path / "blobs"), default_model="mnist") as registry:
        registry.register("mnist", b"one", RECORD)
        registry.register("mnist", b"two")
        registry.set_alias("mnist/1", "live")
        yield registry


def test_a_list_of_versions_is_a_table_of_pandas(mine):
    table = pd.DataFrame(mine.versions())
    assert table["number"].tolist() == [2, 1]
    assert table["metrics"].tolist() == [{}, {"accuracy": 0.5}]
    assert pd.DataFrame(mine.models())["aliases"].tolist() == [{"live": 1}]
    assert len(pd.DataFrame(mine.history("mnist"))) == 3


def test_records_become_dicts_json_and_copies(mine):
    version = mine.get(1)
    assert json.loads(json.dumps(asdict(version)["params"])) == {"sizes": [784, 10]}
    for same in (copy.copy(version), copy.deepcopy(version), pickle.loads(pickle.dumps(version))):
        assert same == version
        with pytest.raises(TypeError):
            same.metrics["accuracy"] = 1.0
    (model,) = mine.models()
    assert copy.deepcopy(model) == pickle.loads(pickle.dumps(model)) == model


def test_a_version_is_shown_in_a_line(mine):
    shown = repr(mine.get(1))
    assert shown.startswith("ModelVersion(mnist/1, ready, live, 20")
    assert len(shown) < 100
    assert "no alias" in repr(mine.get(2))


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.update(a=1),
        lambda values: values.pop("accuracy"),
        lambda values: values.popitem(),
        lambda values: values.clear(),
        lambda values: values.setdefault("a", 1),
        lambda values: values.__delitem__("accuracy"),
        lambda values: values.__ior__({"a": 1}),
    ],
)
def test_a_record_cannot_be_changed(mine, change):
    version = mine.get(1)
    with pytest.raises(TypeError, match="cannot be changed"):
        change(version.metrics)
    assert version.metrics == {"accuracy": 0.5}


def test_a_version_is_named_by_reference_number_or_record(mine):
    first = mine.get("mnist/1")
    for reference in ("mnist@live", "@live", "1", 1, first, mine.alias("mnist", "live")):
        assert mine.get(reference) == first
        assert mine.load(reference) == b"one"
        assert mine.compare(reference, 2).second.number == 2
    assert mine.tag(2, {"a": "b"}).tags == {"a": "b"}
    assert mine.archive("2").state == "archived"
    assert [version.number for version in mine.versions(after=2)] == [1]
    assert errors(mine) == []


@pytest.mark.parametrize("reference", ["@live", "1", 1])
def test_without_a_default_model_a_reference_names_one(sqlite, reference):
    sqlite.register("mnist", b"one")
    with pytest.raises(InvalidArgumentError, match=r"expected name@alias or name/number, got"):
        sqlite.get(reference)


@pytest.mark.parametrize("reference", ["live", "mnist", "", "@", 0, -1, True, 1.0, None])
def test_what_names_no_version_is_refused(mine, reference):
    with pytest.raises(InvalidArgumentError, match=r"name/number, @alias or a number, got"):
        mine.get(reference)


def test_a_default_model_has_a_valid_name(tmp_path):
    with pytest.raises(InvalidArgumentError, match="model name"):
        Registry(f"sqlite:///{tmp_path}/r.db", str(tmp_path), default_model="No Name")


def test_an_alias_is_set_by_reference_or_by_name_and_number(mine):
    second = mine.get(2)
    for arguments in (("mnist/2", "a"), (2, "b"), (second, "c"), ("@live", "d")):
        assert mine.set_alias(*arguments).number == (1 if arguments[1] == "d" else 2)
    assert mine.set_alias("mnist", "e", 2).aliases == ("a", "b", "c", "e")
    with pytest.raises(InvalidArgumentError, match="model name"):
        mine.set_alias("mnist/2", "f", 2)
    with pytest.raises(NotFoundError):
        mine.set_alias("mnist/3", "f")


def test_weights_are_bytes_or_a_file(mine, tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"three")
    assert mine.load(mine.register("mnist", file)) == b"three"
    assert mine.load(mine.register("mnist", str(file))) == b"three"
    with pytest.raises(InvalidArgumentError, match=r"weights: expected bytes or a file \(No such"):
        mine.register("mnist", tmp_path / "nothing")


def test_files_are_named_by_strings_or_paths(mine, tmp_path):
    for name in (tmp_path / "a", str(tmp_path / "b")):
        mine.export("mnist", name)
        assert mine.import_(name).present == ("mnist/1", "mnist/2")
        assert mine.download(1, name).number == 1
        mine.backup(name)


def test_an_alias_is_shown_as_it_was(registry, monkeypatch):
    start = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def at(days, act, *arguments):
        moment = start + timedelta(days=days)
        monkeypatch.setattr(time, "time_ns", lambda: round(moment.timestamp() * 1e9))
        act(*arguments)
        return moment

    at(0, registry.register, "mnist", b"1")
    registry.register("mnist", b"2")
    moments = [
        at(1, registry.set_alias, "mnist", "live", 1),
        at(2, registry.set_alias, "mnist", "live", 2),
        at(3, registry.delete_alias, "mnist", "live"),
        at(4, registry.set_alias, "mnist", "live", 1),
    ]
    now = [registry.alias("mnist", "live", at=moment) for moment in moments if moment != moments[2]]
    assert [alias.number for alias in now] == [1, 2, 1]
    assert [alias.moved_at for alias in now] == [moments[0], moments[1], moments[3]]
    assert {alias.moved_by for alias in now} == {"ann"}
    assert now[-1] == registry.alias("mnist", "live")
    for moment in (start, moments[2], moments[3] - timedelta(microseconds=1)):
        with pytest.raises(NotFoundError, match="mnist@live was not set at 2026"):
            registry.alias("mnist", "live", at=moment)
    with pytest.raises(NotFoundError):
        registry.alias("other", "live", at=moments[0])


@pytest.mark.parametrize(
    ("figure", "threshold", "text"),
    [
        (0.9886, 0.999, "accuracy 0.9886 < 0.9990"),
        (0.02, 0.02, "accuracy 0.0200 ≥ 0.0200"),
        (0.97996, 0.98, "accuracy 0.97996 < 0.98000"),
        (0.1 + 0.2, 0.3, "accuracy 0.3000 ≥ 0.3000"),
    ],
)
def test_a_check_shows_which_figure_is_larger(figure, threshold, text):
    assert str(Check("accuracy", figure, threshold, passed=figure >= threshold)) == text
