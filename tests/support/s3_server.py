"""A local S3 endpoint: the server of moto."""

import contextlib
import logging
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class S3Server:
    """An S3 endpoint with one bucket."""

    host: str
    bucket: str = "weights"

    def address(self, prefix: str) -> str:
        """Return the address of a prefix in the bucket, with credentials, for pyarrow."""
        options = f"scheme=http&endpoint_override={self.host}&region=us-east-1"
        return f"s3://key:secret@{self.bucket}/{prefix}?{options}"


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start an endpoint, and stop it at the end of the block."""
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
