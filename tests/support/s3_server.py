"""An S3 endpoint on the loopback interface: moto's server."""

import contextlib
import logging
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class S3Server:
    """An endpoint with a bucket."""

    host: str
    bucket: str = "weights"

    def address(self, prefix: str) -> str:
        """Return the address of a place in the bucket, with credentials as pyarrow takes them."""
        options = f"scheme=http&endpoint_override={self.host}&region=us-east-1"
        return f"s3://key:secret@{self.bucket}/{prefix}?{options}"


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start the endpoint, and stop it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        found = S3Server(f"{host}:{port}")
        request = urllib.request.Request(f"http://{found.host}/{found.bucket}", method="PUT")
        with urllib.request.urlopen(request, timeout=120):
            pass
        yield found
    finally:
        server.stop()
