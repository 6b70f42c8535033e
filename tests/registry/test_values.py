"""Values that a record may hold: those of NumPy, limits in characters, messages of one line."""

import numpy as np
import pytest
from registry_contents import errors

from registry import Check, InvalidArgumentError, RunRecord


def test_values_of_numpy_are_those_of_python(registry):
    record = RunRecord(
        metrics={"a": np.float32(0.5), "b": np.int64(3), "c": np.float64(0.1)},
        params={
            "rate": np.float32(0.25),
            "epochs": np.int64(10),
            "on": np.bool_(True),
            "sizes": np.array([784, 30]),
            "nested": [np.int8(1), {"x": np.float64(0.1)}],
        },
        gate=(Check("a", np.float32(0.5), np.float64(0.25), passed=np.bool_(True)),),
    )
    version = registry.register("mnist", np.arange(4, dtype=np.float32).data, record)
    assert version.metrics == {"a": 0.5, "b": 3.0, "c": 0.1}
    assert version.params == {
        "rate": 0.25,
        "epochs": 10,
        "on": True,
        "sizes": [784, 30],
        "nested": [1, {"x": 0.1}],
    }
    assert version.gate == (Check("a", 0.5, 0.25, passed=True),)
    assert version.size == 16
    assert registry.load("mnist/1") == np.arange(4, dtype=np.float32).tobytes()
    assert [v.number for v in registry.versions(where="params.epochs = 10")] == [1]
    assert errors(registry) == []


@pytest.mark.parametrize(
    "record",
    [
        RunRecord(metrics={"a": np.float32("nan")}),
        RunRecord(metrics={"a": np.bool_(True)}),
        RunRecord(metrics={"a": np.array([1.0])}),
        RunRecord(metrics={"a": np.float32}),
        RunRecord(params={"a": np.float64("inf")}),
        RunRecord(params={"a": np.complex64(1)}),
        RunRecord(params={"a": {1, 2}}),
        RunRecord(gate=(Check("a", 1, 0, passed=np.int64(1)),)),
        RunRecord(gate=(Check("a", 1, 0, passed="yes"),)),
    ],
)
def test_other_values_of_numpy_are_refused(sqlite, record):
    with pytest.raises(InvalidArgumentError):
        sqlite.register("mnist", b"1", record)
    assert sqlite.versions() == []


@pytest.mark.parametrize("weights", ["text", None, 5, [1, 2]])
def test_weights_are_bytes(sqlite, tmp_path, weights):
    for value in (weights, tmp_path):
        with pytest.raises(InvalidArgumentError, match="weights: expected bytes"):
            sqlite.register("mnist", value)


@pytest.mark.parametrize("letter", ["a", "é", "日", "😀"])
def test_limits_count_characters_in_every_language(registry, letter):
    longest = letter * 1998  # and two quotes
    version = registry.register(
        "mnist", b"1", RunRecord(params={"p": longest}, tags={"t": letter * 2000})
    )
    assert version.params == {"p": longest}
    where = f"params.p = '{longest}' and tags.t like '{letter}%'"
    assert [v.number for v in registry.versions(where=where)] == [1]
    assert errors(registry) == []
    for record in (RunRecord(params={"p": longest + "a"}), RunRecord(tags={"t": letter * 2001})):
        with pytest.raises(InvalidArgumentError, match=r"2,?000 characters"):
            registry.register("mnist", b"1", record)


def test_a_message_shows_the_beginning_of_a_long_value(sqlite):
    for record in (
        RunRecord(tags={"t": "x" * 1_000_000}),
        RunRecord(params={"p": list(range(100_000))}),
        RunRecord(run_id="x" * 1_000_000),
        RunRecord(gate=(Check("x" * 1_000_000, 1, 0, passed=True),)),
    ):
        with pytest.raises(InvalidArgumentError) as error:
            sqlite.register("mnist", b"1", record)
        assert len(str(error.value)) < 300
        assert error.value.got is not None
    with pytest.raises(InvalidArgumentError, match=r"\(1,000,000 in all\)"):
        sqlite.register("mnist", b"1", RunRecord(tags={"t": "x" * 1_000_000}))
    with pytest.raises(InvalidArgumentError) as error:
        sqlite.register("m" * 1_000_000, b"1")
    assert len(str(error.value)) < 300
