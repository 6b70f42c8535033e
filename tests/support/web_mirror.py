"""A real HTTP server on the loopback interface that answers as it is told."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    """What was asked."""

    path: str
    range: str | None


Behaviour = Callable[[BaseHTTPRequestHandler, bytes | None], None]
"""Answers a request for a file, None where the server has no such file."""


@dataclass
class Mirror:
    """A running server."""

    files: dict[str, bytes]
    behaviour: Behaviour
    url: str = ""
    requests: list[Request] = field(default_factory=list)


def promise(handler: BaseHTTPRequestHandler, length: int) -> None:
    """Answer that a whole file of so many bytes follows."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()


def serve_file(handler: BaseHTTPRequestHandler, content: bytes | None) -> None:
    """Answer as a good server does, ranges included."""
    if content is None:
        handler.send_error(404)
        return
    start = 0
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if asked:
        start = int(asked[1])
        if start >= len(content):
            handler.send_error(416)
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    else:
        handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    handler.wfile.write(content[start:])


def ignore_ranges(handler: BaseHTTPRequestHandler, content: bytes | None) -> None:
    """Answer as a simple server does: always the whole file."""
    del handler.headers["Range"]
    serve_file(handler, content)


def always(status: int) -> Behaviour:
    """Answer every request with a status."""

    def behave(handler: BaseHTTPRequestHandler, content: bytes | None) -> None:
        handler.send_error(status)

    return behave


def at_first(count: int, behaviour: Behaviour, then: Behaviour = serve_file) -> Behaviour:
    """Behave in one way for some requests, then in another."""
    left = iter(range(count))

    def behave(handler: BaseHTTPRequestHandler, content: bytes | None) -> None:
        (then if next(left, None) is None else behaviour)(handler, content)

    return behave


def body(content: bytes) -> Behaviour:
    """Answer every request with status 200 and this."""

    def behave(handler: BaseHTTPRequestHandler, _content: bytes | None) -> None:
        serve_file(handler, content)

    return behave


def breaking_off(after: int, serve: Behaviour = serve_file) -> Behaviour:
    """Close the connection after so many bytes of each answer's body."""

    def behave(handler: BaseHTTPRequestHandler, content: bytes | None) -> None:
        whole = handler.wfile

        class Broken:
            def __init__(self) -> None:
                self.left: int | None = None

            def write(self, data: bytes) -> int:
                if data.startswith(b"HTTP/"):
                    return whole.write(data)
                whole.write(data[:after])
                handler.close_connection = True
                return len(data)

            def flush(self) -> None:
                whole.flush()

        handler.wfile = Broken()
        try:
            serve(handler, content)
        finally:
            handler.wfile = whole

    return behave


@contextlib.contextmanager
def mirror(files: dict[str, bytes], behaviour: Behaviour = serve_file) -> Iterator[Mirror]:
    """Run a server that has these files, by path."""
    state = Mirror(files, behaviour)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.requests.append(Request(self.path, self.headers.get("Range")))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                state.behaviour(self, state.files.get(self.path.lstrip("/")))

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
