"""Versions as a table in Arrow's format."""

import io
from datetime import UTC

import pyarrow as pa
import pyarrow.parquet as pq
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_contents import PASSED

from registry import Registry, RunRecord
from registry.documents import canonical_json

PARAMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
    | st.lists(st.integers(0, 9), max_size=2)
)


def test_a_row_for_each_version_with_its_types(registry):
    registry.register(
        "m",
        b"one",
        RunRecord(
            metrics={"accuracy": 0.98},
            params={"size": 30, "rate": 0.1, "preset": "quick", "on": True, "sizes": [1, 2]},
            tags={"team": "ocr"},
            inputs={"train": "ab" * 32},
            environment={"numpy": "2.1"},
            gate=PASSED,
        ),
    )
    registry.register("m", b"two", RunRecord(metrics={"loss": 1.0}, params={"rate": 1}))
    registry.set_alias("m", "champion", 1)
    frame = registry.versions_frame("m")
    assert frame.column("reference").to_pylist() == ["m/2", "m/1"]
    assert frame.column("aliases").to_pylist() == [[], ["champion"]]
    assert frame.column("gate_passed").to_pylist() == [None, True]
    first = registry.get("m/1").created_at
    assert frame.column("created_at").to_pylist()[1] == first.astimezone(UTC)
    types = {field.name: str(field.type) for field in frame.schema}
    assert types["created_at"] == "timestamp[us, tz=UTC]"
    expected = {
        "metrics.accuracy": ("double", [None, 0.98]),
        "metrics.loss": ("double", [1.0, None]),
        "params.size": ("int64", [None, 30]),
        "params.rate": ("double", [1.0, 0.1]),
        "params.preset": ("string", [None, "quick"]),
        "params.on": ("bool", [None, True]),
        "params.sizes": ("string", [None, "[1,2]"]),
        "tags.team": ("string", [None, "ocr"]),
        "inputs.train": ("string", [None, "ab" * 32]),
        "environment.numpy": ("string", [None, "2.1"]),
    }
    for name, (kind, values) in expected.items():
        assert (types[name], frame.column(name).to_pylist()) == (kind, values)
    assert len(frame.schema) == 14 + len(expected)


def test_it_is_filtered_sorted_and_limited_as_the_list_is(registry):
    for number in range(1, 6):
        registry.register("m", b"%d" % number, RunRecord(metrics={"a": -number}))
    frame = registry.versions_frame(where="number > 1", order_by="metrics.a desc", limit=2)
    assert frame.column("number").to_pylist() == [2, 3]


def test_no_versions_are_an_empty_table_with_the_same_columns(registry):
    frame = registry.versions_frame()
    assert frame.num_rows == 0
    assert {"reference", "created_at", "size"} <= set(frame.column_names)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["p", "q"]), PARAMS), min_size=1, max_size=4))
def test_whatever_the_params_are_no_value_changes(tmp_path_factory, records):
    """And the table goes through Parquet."""
    directory = tmp_path_factory.mktemp("frames")
    with Registry(f"sqlite:///{directory}/r.db", str(directory / "blobs")) as registry:
        for params in records:
            registry.register("m", b"", RunRecord(params=params))
        frame = registry.versions_frame("m", order_by="number asc")
    buffer = io.BytesIO()
    pq.write_table(frame, buffer)
    assert pq.read_table(io.BytesIO(buffer.getvalue())).equals(frame)
    for name in set().union(*records):
        column = frame.column(f"params.{name}")
        values = [params.get(name) for params in records]
        if pa.types.is_string(column.type) and not all(isinstance(v, str | None) for v in values):
            values = [None if value is None else canonical_json(value) for value in values]
        assert list(map(repr, column.to_pylist())) == [
            repr(float(value))
            if pa.types.is_float64(column.type) and value is not None
            else repr(value)
            for value in values
        ]
