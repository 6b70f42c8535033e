"""Messages about events, and their deliveries."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from registry_contents import FAILED, PASSED

from registry import Registry, RunRecord, schema

MINUTE = timedelta(minutes=1)
NO_TIME = timedelta(0)


def test_events_that_people_should_know_write_messages(registry):
    for number in (1, 2):
        registry.register("mnist", b"%d" % number, RunRecord(gate=PASSED))
    registry.set_alias("mnist", "champion", 1)
    registry.set_alias("mnist", "champion", 2, reason="better")
    registry.rollback("mnist", reason="worse")
    registry.refuse("mnist", "ab" * 32, RunRecord(gate=FAILED, parent="mnist/1", run_id="run-9"))
    registry.protect("mnist", "champion")
    registry.propose("mnist/2", "champion", reason="again")
    # These are of no concern.
    registry.set_alias("mnist", "canary", 2)
    registry.tag("mnist/2", {"a": "b"})
    registry.delete_alias("mnist", "canary")
    messages = registry.messages.waiting()
    assert [(m.kind, m.body["version"], m.body["from"], m.body["reason"]) for m in messages] == [
        ("model.promoted", "mnist/1", None, None),
        ("model.promoted", "mnist/2", "mnist/1", "better"),
        ("model.rolled_back", "mnist/1", "mnist/2", "worse"),
        ("model.refused", None, "mnist/1", None),
        ("model.proposed", "mnist/2", None, "again"),
    ]
    refused = messages[3].body
    assert (refused["run_id"], refused["actor"], refused["model"]) == ("run-9", "ann", "mnist")
    assert [check["name"] for check in refused["failed_checks"]] == ["recall of 7"]
    assert registry.messages.read() == messages[::-1]


def test_a_failed_change_writes_no_message(registry):
    registry.register("mnist", b"1", RunRecord(gate=FAILED))
    with pytest.raises(Exception, match="refused it"):
        registry.set_alias("mnist", "champion", 1)
    assert registry.messages.read() == []


def test_a_change_whose_message_cannot_be_written_is_not_made(registry):
    registry.register("mnist", b"1", RunRecord(gate=PASSED))
    with registry._database.write() as connection:
        schema.deliveries.drop(connection)
        schema.messages.drop(connection)
    with pytest.raises(Exception, match="messages"):
        registry.set_alias("mnist", "champion", 1)
    assert registry.get("mnist/1").aliases == ()
    assert [event.kind for event in registry.history("mnist")] == ["registered"]


def test_a_message_with_the_same_key_is_the_same(registry):
    first = registry.messages.write("registry.damaged", {"findings": 1}, key="today")
    again = registry.messages.write("registry.damaged", {"findings": 2}, key="today")
    other = registry.messages.write("job.overdue", {}, key="today")
    assert again == first != other
    assert registry.messages.was_written("registry.damaged", "today")
    assert not registry.messages.was_written("registry.damaged", "yesterday")
    assert registry.messages.waiting() == [first, other]


def test_a_message_is_taken_by_one_process(registry, opened):
    message = registry.messages.write("test", {}, key="1")
    assert registry.messages.take("a", lease=MINUTE) == [(message, 1)]
    assert opened().messages.take("a", lease=MINUTE) == []
    # Another endpoint gets it too.
    assert opened().messages.take("b", lease=MINUTE) == [(message, 1)]


def test_a_message_of_a_killed_process_is_taken_again(registry):
    message = registry.messages.write("test", {}, key="1")
    registry.messages.take("a", lease=NO_TIME)
    assert registry.messages.take("a", lease=MINUTE) == [(message, 2)]


def test_a_delivered_message_is_not_taken_again(registry):
    message = registry.messages.write("test", {}, key="1")
    registry.messages.take("a", lease=NO_TIME)
    registry.messages.note_delivered(message.id, "a")
    assert registry.messages.take("a", lease=NO_TIME) == []
    registry.messages.close_delivered(["a", "b"])
    assert registry.messages.waiting() == [message]
    registry.messages.take("b", lease=NO_TIME)
    registry.messages.note_delivered(message.id, "b")
    registry.messages.close_delivered(["a", "b"])
    assert registry.messages.waiting() == []
    (done,) = registry.messages.read()
    assert done.done_at is not None
    # An endpoint that is set up later does not get old messages.
    assert registry.messages.take("c", lease=NO_TIME) == []


def test_a_failed_attempt_waits(registry):
    registry.messages.write("test", {}, key="1")
    ((message, _),) = registry.messages.take("a", lease=MINUTE)
    later = datetime.now(UTC) + MINUTE
    registry.messages.note_failed(message.id, "a", "connection refused", later)
    assert registry.messages.take("a", lease=MINUTE) == []
    assert registry.messages.waiting()[0].errors == ("connection refused",)
    registry.messages.note_failed(message.id, "a", "again", datetime.now(UTC))
    assert registry.messages.take("a", lease=MINUTE) == [(message, 2)]


def test_the_oldest_messages_are_taken_first(registry):
    first, second = (registry.messages.write("test", {}, key=key) for key in "12")
    assert registry.messages.take("a", lease=MINUTE, limit=1) == [(first, 1)]
    assert registry.messages.take("a", lease=MINUTE, limit=1) == [(second, 1)]


def test_old_messages_are_given_up_and_then_removed(registry):
    message = registry.messages.write("test", {}, key="1")
    registry.messages.take("a", lease=MINUTE)
    assert registry.messages.remove_old(waiting=MINUTE, done=MINUTE) == 0
    assert registry.messages.waiting() == [message]
    assert registry.messages.remove_old(waiting=NO_TIME, done=MINUTE) == 1
    assert registry.messages.waiting() == []
    assert [each.id for each in registry.messages.read()] == [message.id]
    assert registry.messages.remove_old(waiting=NO_TIME, done=NO_TIME) == 0
    assert registry.messages.read() == []
    with registry._database.read() as connection:
        assert connection.execute(sa.select(schema.deliveries)).all() == []


def test_each_message_is_taken_once_by_several_at_once(registry, opened):
    written = [registry.messages.write("test", {}, key=str(n)).id for n in range(20)]
    taken: list[str] = []
    start = threading.Barrier(4)

    def work(mine: Registry) -> None:
        start.wait()
        taken.extend(message.id for message, _ in mine.messages.take("a", lease=MINUTE))

    threads = [threading.Thread(target=work, args=(opened(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(written)
