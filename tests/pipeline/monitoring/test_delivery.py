"""Messages reach real receivers: at least once, signed, and without telling anybody the address."""

import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receivers import SECRET, receiver

from pipeline import SettingsError, load_settings, open_registry
from pipeline.monitoring import delivery
from pipeline.monitoring.delivery import deliver, deliver_quietly, send_test
from pipeline.monitoring.webhooks import signature

# Apprise looks at every module that it may need.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")

PASSWORD = "correct-horse-battery"


def _write(*keys):
    with open_registry() as registry:
        return [registry.messages.write("test", {}, key=key) for key in keys]


def _waiting():
    with open_registry() as registry:
        return registry.messages.waiting()


def test_a_webhook_is_signed_as_the_standard_says(version, webhook):
    (promoted,) = _waiting()
    before = int(time.time())
    (attempt,) = deliver(load_settings())
    assert (attempt.message, attempt.error) == (promoted.id, None)
    ((headers, body),) = webhook.requests
    assert headers["webhook-id"] == promoted.id
    assert before <= int(headers["webhook-timestamp"]) <= time.time()
    # Computed here once more, from the text of the standard.
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}"
    expected = hmac.digest(key, content.encode(), hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    told = json.loads(body)
    assert told["type"] == "digits.model.promoted"
    assert told["timestamp"] == promoted.at.isoformat()
    assert told["data"]["version"] == "mnist/1"
    assert told["data"]["title"] == "mnist/1 is the champion"
    assert _waiting() == []
    assert deliver(load_settings()) == []


@given(st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=3), st.binary())
def test_each_secret_has_its_signature(secrets, body):
    """So receivers may change to a new secret at their leisure."""
    signatures = signature(secrets, "msg_1", 1, body).split(" ")
    assert signatures == [signature([secret], "msg_1", 1, body) for secret in secrets]


def test_the_example_of_the_standard_has_its_signature():
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = signature([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_service_of_apprise_gets_title_and_text(version, inbox_of_messages, monkeypatch):
    address = inbox_of_messages.address.replace("http", "json")
    monkeypatch.setenv("DIGITS_NOTIFY", address)
    (promoted,) = _waiting()
    deliver(load_settings())
    ((_, body),) = inbox_of_messages.requests
    told = json.loads(body)
    assert told["title"] == "mnist/1 is the champion"
    assert promoted.id in told["message"]
    assert _waiting() == []


def test_without_a_receiver_messages_wait(version):
    assert deliver(load_settings()) == []
    assert len(_waiting()) == 1


def test_a_message_that_does_not_arrive_is_sent_again_with_the_same_id(
    version, webhook, monkeypatch
):
    monkeypatch.setattr(delivery, "_BACK_OFF", (0,))
    webhook.status = 500
    (attempt,) = deliver(load_settings())
    assert attempt.error == "HTTP status 500"
    assert _waiting()[0].errors == ("HTTP status 500",)
    webhook.status = 200
    (attempt,) = deliver(load_settings())
    assert attempt.error is None
    assert webhook.ids == [attempt.message] * 2
    assert _waiting() == []


def test_a_failed_attempt_is_not_repeated_at_once(version, webhook):
    webhook.status = 503
    assert len(deliver(load_settings())) == 1
    assert deliver(load_settings()) == []
    assert len(webhook.requests) == 1


@given(st.integers(1, 1000))
def test_attempts_become_rarer(attempts):
    seconds = delivery._pause(attempts).total_seconds()
    assert 4 <= seconds <= 12 * 3600
    assert delivery._pause(attempts + 2).total_seconds() > seconds or attempts >= 5


def test_a_redirect_is_not_followed(version, webhook):
    webhook.status = 302
    (attempt,) = deliver(load_settings())
    assert attempt.error == "HTTP status 302"
    assert len(webhook.requests) == 1


def test_a_dead_receiver_keeps_no_message_from_another_one(version, webhook, monkeypatch):
    dead = "http://127.0.0.1:9"
    monkeypatch.setenv("DIGITS_NOTIFY", f"{dead}#{SECRET} {webhook.address}#{SECRET}")
    attempts = deliver(load_settings())
    assert sorted((a.endpoint, a.error is None) for a in attempts) == [
        ("http (1 of 2)", False),
        ("http (2 of 2)", True),
    ]
    assert len(webhook.requests) == 1
    assert deliver(load_settings()) == []


def test_a_receiver_that_never_answers_holds_nobody_up(version, webhook):
    """A pass ends; the message is sent again when its lease is over."""
    with _held_up(webhook):
        assert len(webhook.requests) == 1
        assert len(_waiting()) == 1


def test_an_answer_after_the_end_of_a_pass_counts(version, webhook):
    with _held_up(webhook):
        pass
    assert deliver(load_settings()) == []
    assert _waiting() == []
    assert len(webhook.requests) == 1


@contextmanager
def _held_up(webhook):
    """Let passes end before the receiver answers, which it does after this block."""
    webhook.wait.clear()
    before = set(threading.enumerate())
    # On a busy machine the time of a pass may be over before anything is sent.
    while not webhook.requests:
        assert deliver(load_settings(), limit=0.3) == []
    yield
    late = [thread for thread in threading.enumerate() if thread not in before]
    webhook.wait.set()
    for thread in late:
        thread.join()


def test_all_that_waits_is_sent_in_order(version, webhook):
    written = _write(*"abc")
    deliver(load_settings())
    assert webhook.ids[1:] == [message.id for message in written]


ADDRESSES = [
    f"mailto://user:{PASSWORD}@localhost.invalid",
    f"json://user:{PASSWORD}@127.0.0.1:9/path",
    f"http://user:{PASSWORD}@127.0.0.1:9/{PASSWORD}#{SECRET}",
    f"http://{PASSWORD}.invalid/#{SECRET}",
    f"bogus://{PASSWORD}",
    f"{PASSWORD}://{PASSWORD}",
    f"https://example.invalid/{PASSWORD}",
    f"http://example.invalid/#whsec_{PASSWORD}",
    f"{PASSWORD}",
    f"http://[{PASSWORD}#whsec_{PASSWORD}",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_told_nobody(version, home, address, monkeypatch, caplog, capfd):
    """Not in logs, messages of errors, reprs, or the database."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("DIGITS_NOTIFY", address)
    settings = load_settings()
    texts = [repr(settings), str(settings.model_dump()), settings.model_dump_json()]
    try:
        attempts = deliver(settings)
        texts += [repr(attempts), repr(send_test(settings))]
        assert all(attempt.error for attempt in attempts)
    except SettingsError as error:
        texts += [str(error), repr(error)]
    deliver_quietly(settings)
    texts += [caplog.text, *capfd.readouterr()]
    texts += [path.read_bytes().decode(errors="replace") for path in home.glob("registry.db*")]
    for secret in (PASSWORD, SECRET):
        assert not [text for text in texts if secret in text]


def test_a_test_message_needs_no_registry(home, webhook):
    (attempt,) = send_test(load_settings())
    assert (attempt.endpoint, attempt.error) == ("http (1 of 1)", None)
    assert json.loads(webhook.requests[0][1])["type"] == "digits.test"
    assert not home.exists()


def test_a_test_message_without_a_receiver_is_refused(home):
    with pytest.raises(SettingsError, match="DIGITS_NOTIFY"):
        send_test(load_settings())


def test_two_receivers_get_the_same_message(version, webhook, monkeypatch):
    with receiver() as other:
        addresses = " ".join(f"{each.address}/#{SECRET}" for each in (webhook, other))
        monkeypatch.setenv("DIGITS_NOTIFY", addresses)
        deliver(load_settings())
        assert webhook.ids == other.ids != []
        assert webhook.requests[0][1] == other.requests[0][1]
