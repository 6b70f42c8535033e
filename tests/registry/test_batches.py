"""Scored batches in the registry."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry import (
    AgreedLabels,
    BatchRecord,
    DriftFigure,
    Estimate,
    InvalidArgumentError,
    NotFoundError,
    ShadowFigures,
)

RECORD = BatchRecord(
    version="mnist/7",
    sha256="ab" * 32,
    inputs=("scans/", "s3://bucket/Ünïcode"),
    output="/data/scores",
    files=12,
    digits=(1, 0, 2, 0, 0, 3, 0, 4, 0, 0),
    failures={"empty file": 2},
    novel=1,
    confidence=0.985,
    histogram=(0,) * 19 + (10,),
    estimate=Estimate(0.985, 0.97, 1.0),
    drift=(DriftFigure("ink", 0.1, 0.25),),
    seconds=1.5,
)
FAR = dataclasses.replace(RECORD, drift=(DriftFigure("ink", 0.3, 0.25), *RECORD.drift))
LABELS = AgreedLabels((2, 8), (1, 8), (1.2, 7.9))


def test_a_batch_is_read_as_it_was_recorded(registry):
    before = datetime.now(UTC)
    shadow = ShadowFigures("mnist/8", 3, 1, 2)
    record = dataclasses.replace(RECORD, labels=LABELS, shadow=shadow)
    batch = registry.record_batch(record, key="1" * 64)
    assert before <= batch.at <= datetime.now(UTC)
    fields = {each.name: getattr(batch, each.name) for each in dataclasses.fields(BatchRecord)}
    assert BatchRecord(**fields) == record
    assert registry.batches() == [registry.batch(batch.id)] == [batch]
    assert (batch.predicted, batch.has_drifted) == (10, False)


def test_recording_a_batch_again_keeps_its_id_and_time(registry):
    """A run that was killed after the scoring is repeated, and a finished one may be."""
    first = registry.record_batch(RECORD, key="1" * 64)
    other = registry.record_batch(RECORD, key="2" * 64)
    again = registry.record_batch(dataclasses.replace(RECORD, novel=0), key="1" * 64)
    assert (again.id, again.at, again.novel) == (first.id, first.at, 0)
    assert [batch.id for batch in registry.batches()] == [other.id, first.id]


def test_batches_are_selected(registry):
    records = [
        RECORD,
        FAR,
        dataclasses.replace(RECORD, version="mnist/8"),
        dataclasses.replace(RECORD, version="letters/7"),
    ]
    ids = [registry.record_batch(r, key=f"{n:064}").id for n, r in enumerate(records)]

    def selected(*name, **choice):
        return [ids.index(batch.id) for batch in registry.batches(*name, **choice)]

    assert selected() == [3, 2, 1, 0]
    assert selected("mnist") == [2, 1, 0]
    assert selected("mnist", number=7) == [1, 0]
    assert selected(drifted=True) == [1]
    assert selected(limit=2) == [3, 2]
    assert selected(before=ids[2], limit=1) == [1]
    assert selected(since=registry.batch(ids[2]).at) == [3, 2]
    assert selected(since=datetime.now(UTC) + timedelta(hours=1)) == []


def test_labels_come_later(registry):
    batch = registry.record_batch(RECORD, key="1" * 64)
    labelled = registry.label_batch(batch.id, LABELS)
    assert labelled == dataclasses.replace(batch, labels=LABELS) == registry.batch(batch.id)
    # The labels of people stay if the scoring is recorded again.
    assert registry.record_batch(RECORD, key="1" * 64).labels == LABELS


def test_a_drifted_batch_writes_one_message(registry):
    registry.record_batch(RECORD, key="1" * 64)
    batch = registry.record_batch(FAR, key="2" * 64)
    registry.record_batch(FAR, key="2" * 64)
    (message,) = registry.messages.waiting()
    assert message.kind == "batch.drifted"
    assert message.body == {
        "batch": batch.id,
        "version": "mnist/7",
        "output": "/data/scores",
        "files": 12,
        "drift": [{"what": "ink", "index": 0.3, "limit": 0.25}],
    }


@pytest.mark.parametrize(
    "change",
    [
        {"version": "mnist@champion"},
        {"sha256": "x"},
        {"files": -1},
        {"digits": (1.5,)},
        {"failures": {"empty": -1}},
        {"confidence": float("nan")},
        {"seconds": float("inf")},
        {"inputs": (b"bytes",)},
        {"labels": AgreedLabels((1,), (2,), (0.5,))},
        {"labels": AgreedLabels((1, 1), (1,), (0.5,))},
    ],
)
def test_invalid_values_are_refused(sqlite, change):
    with pytest.raises(InvalidArgumentError):
        sqlite.record_batch(dataclasses.replace(RECORD, **change), key="1" * 64)
    with pytest.raises(InvalidArgumentError):
        sqlite.record_batch(RECORD, key="no digest")
    assert sqlite.batches() == sqlite.messages.waiting() == []


def test_a_missing_batch_is_not_found(registry):
    with pytest.raises(NotFoundError, match="batch 7"):
        registry.batch(7)
    with pytest.raises(NotFoundError, match="batch 7"):
        registry.label_batch(7, LABELS)


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(), max_size=3),
    reasons=st.dictionaries(st.text(), st.integers(0, 1 << 40), max_size=3),
    confidence=st.none() | st.floats(0, 1),
)
def test_any_text_comes_back(sqlite, texts, reasons, confidence):
    record = dataclasses.replace(
        RECORD, inputs=tuple(texts), failures=reasons, confidence=confidence
    )
    batch = sqlite.record_batch(record, key="1" * 64)
    assert (batch.inputs, batch.failures, batch.confidence) == (tuple(texts), reasons, confidence)
