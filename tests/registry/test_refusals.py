"""Refused candidates are recorded, but never become versions."""

import pytest
from registry_contents import FAILED, PASSED, errors

from registry import InvalidArgumentError, NotFoundError, Registry, RunRecord

SHA256 = "ab" * 32


def _refuse(registry, **changes):
    fields = {"gate": FAILED, "metrics": {"accuracy": 0.5}, "run_id": "night-1", **changes}
    return registry.refuse("mnist", SHA256, RunRecord(**fields))


def test_a_refusal_is_an_event_and_not_a_version(registry):
    registry.register("mnist", b"one", RunRecord(gate=PASSED))
    event = _refuse(registry, parent="mnist/1", inputs={"train": "cd" * 32})
    assert (event.kind, event.number, event.alias) == ("refused", None, None)
    candidate = event.details["candidate"]
    assert candidate["sha256"] == SHA256
    assert candidate["metrics"] == {"accuracy": 0.5}
    assert candidate["parent"] == "mnist/1"
    assert candidate["inputs"] == {"train": "cd" * 32}
    assert [check["passed"] for check in candidate["gate"]] == [c.passed for c in FAILED]
    assert registry.history("mnist")[0] == event
    assert [version.number for version in registry.versions()] == [1]
    assert registry.register("mnist", b"two").number == 2
    assert errors(registry) == []


def test_the_first_event_of_a_model_can_be_a_refusal(registry):
    _refuse(registry)
    assert registry.versions("mnist") == []
    with pytest.raises(NotFoundError):
        registry.latest("mnist")
    assert errors(registry) == []
    assert registry.register("mnist", b"one").number == 1


def test_a_repeated_refusal_returns_the_first_event(registry):
    first = _refuse(registry)
    assert _refuse(registry) == first
    assert _refuse(registry, run_id="night-2").seq == 2
    # Without a run id, a repetition cannot be recognized.
    assert [_refuse(registry, run_id=None).seq for _ in range(2)] == [3, 4]
    assert _refuse(registry, run_id='a"%_\\') == _refuse(registry, run_id='a"%_\\')
    assert len(registry.history("mnist")) == 5


def test_a_candidate_that_passed_cannot_be_refused(registry):
    for gate in (PASSED, ()):
        with pytest.raises(InvalidArgumentError, match=r"^gate: expected a check that failed"):
            _refuse(registry, gate=gate)
    with pytest.raises(InvalidArgumentError, match="SHA-256"):
        registry.refuse("mnist", "abc", RunRecord(gate=FAILED))
    with pytest.raises(NotFoundError):
        _refuse(registry, parent="mnist/7")
    with pytest.raises(NotFoundError):
        registry.history("mnist")


def test_an_export_of_a_model_includes_refusals(registry, tmp_path):
    registry.register("mnist", b"one")
    _refuse(registry, parent="mnist/1")
    registry.register("mnist", b"two")
    registry.export("mnist", tmp_path / "all.tar")
    with Registry(f"sqlite:///{tmp_path}/other.db", str(tmp_path / "others")) as other:
        assert other.import_(tmp_path / "all.tar").added == ("mnist/1", "mnist/2")
        kinds = [event.kind for event in other.history("mnist")]
        assert kinds == [event.kind for event in registry.history("mnist")]
        assert errors(other) == []


def test_the_history_records_the_reason_of_a_move(registry):
    registry.register("mnist", b"one", RunRecord(gate=PASSED))
    registry.set_alias("mnist", "champion", 1, reason="the best we have")
    registry.set_alias("mnist", "live", 1)
    live, champion = registry.history("mnist")[:2]
    assert champion.details["reason"] == "the best we have"
    assert "reason" not in live.details
    with pytest.raises(InvalidArgumentError, match="reason"):
        registry.set_alias("mnist", "live", 1, reason="\0")
