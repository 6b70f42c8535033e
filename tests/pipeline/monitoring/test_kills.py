"""Killed at every moment: no committed event is without its message, and each message arrives."""

import os
import signal

import pytest
import sqlalchemy as sa
from registry_contents import DRIFTED_BATCH, FAILED, PASSED

from pipeline import load_settings, open_registry
from pipeline.monitoring import delivery
from pipeline.monitoring.delivery import deliver
from registry import Registry, RunRecord


def _live(registry: Registry) -> None:
    """Do everything that writes a message."""
    number = registry.register("mnist", b"weights", RunRecord(gate=PASSED)).number
    registry.set_alias("mnist", "champion", number)
    registry.refuse("mnist", "ab" * 32, RunRecord(gate=FAILED, run_id=os.urandom(4).hex()))
    registry.record_batch(DRIFTED_BATCH, key=os.urandom(32).hex())
    # The last runs of each job are kept, and they are to be counted.
    run = registry.job_runs.begin(f"job-{os.urandom(4).hex()}", "1")
    registry.job_runs.end(run, "failed", os.urandom(4).hex())
    if number > 1:
        registry.rollback("mnist", to=1)


def _events(registry: Registry) -> int:
    """Count the committed events that people should know."""
    kinds = ("alias_moved", "alias_rolled_back", "refused")
    history = [event for event in registry.history("mnist") if event.kind in kinds]
    failed = [run for run in registry.job_runs.read() if run.outcome == "failed"]
    return len(history) + len(failed) + len(registry.batches(drifted=True))


def _killed(after: int) -> bool:
    """Live and deliver in a child that is killed at a statement of SQL; return whether it was."""
    child = os.fork()
    if child == 0:
        try:
            statements = iter(range(after))

            def count(*_: object) -> None:
                if next(statements, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            sa.event.listen(sa.engine.Engine, "before_cursor_execute", count)
            sa.event.listen(sa.engine.Engine, "commit", count)
            with open_registry() as registry:
                _live(registry)
            deliver(load_settings())
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_no_event_is_without_its_message(version, webhook, torture, measured, monkeypatch):
    # What a killed process has taken is taken again at once.
    monkeypatch.setattr(delivery, "_LEASE", delivery.timedelta(0))
    kills, step = 0, 1 if torture else 29
    after = 0
    while _killed(after):
        kills += 1
        after += step
    assert kills > (60 if torture else 5)
    deliver(load_settings())
    with open_registry() as registry:
        events = _events(registry)
        written = [message.id for message in registry.messages.read()]
        assert registry.messages.waiting() == []
    assert len(written) == len(set(written)) == events
    assert set(webhook.ids) == set(written)
    twice = len(webhook.ids) - len(set(webhook.ids))
    measured(
        f"messages: {kills} kills, {events} events, {events - len(written)} without a message, "
        f"{twice} delivered twice, with the same id"
    )
