from collections.abc import Iterator

import pytest
from receivers import SECRET, Receiver, receiver


@pytest.fixture
def inbox_of_messages() -> Iterator[Receiver]:
    """A receiver of messages."""
    with receiver() as running:
        yield running


@pytest.fixture
def webhook(inbox_of_messages: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The only receiver that is set up, as a signed webhook."""
    monkeypatch.setenv("DIGITS_NOTIFY", f"{inbox_of_messages.address}/hook#{SECRET}")
    return inbox_of_messages
