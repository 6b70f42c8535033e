"""Receivers of messages: local HTTP servers that keep what they get."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""A secret of webhooks: the example of the standard."""


@dataclass
class Receiver:
    """A running server."""

    address: str
    """``http://…``, without a path."""
    status: int = 204
    """What it answers."""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    """Headers, with names in lower case, and the body of each request."""
    wait: threading.Event = field(default_factory=threading.Event)
    """It answers once this is set."""

    @property
    def ids(self) -> list[str]:
        """The ids of the webhooks that came."""
        return [headers["webhook-id"] for headers, _ in self.requests]


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """Start a server, and stop it at the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            running.requests.append((headers, body))
            running.wait.wait(30)
            self.send_response(running.status)
            if running.status == 302:
                self.send_header("location", f"{running.address}/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

        def handle_one_request(self) -> None:
            # A client that gave up is no error here.
            with contextlib.suppress(ConnectionError):
                super().handle_one_request()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = Receiver(f"http://127.0.0.1:{server.server_port}")
    running.wait.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        running.wait.set()
        server.shutdown()
        thread.join()
        server.server_close()
