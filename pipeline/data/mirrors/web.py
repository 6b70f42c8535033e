"""A mirror on the web: downloads that are limited in time and size, and resumed if interrupted."""

import hashlib
import queue
import re
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3

from pipeline.data.mirrors.inflation import MAGIC_LENGTH, check_beginning, install
from pipeline.data.mnist import IdxFile
from pipeline.errors import MirrorError, UnreachableError
from pipeline.progress import report

# Seconds from the request to the headers of the response: name look-up, all addresses of the host,
# TLS and proxies together. The time limit of `requests` is for each address, and an object store
# has eight.
_CONNECT_LIMIT = 4.0

# Seconds without a byte after which a connection counts as broken.
_READ_LIMIT = 5.0

# Bytes per second. A mirror that is slower after the first _CONNECT_LIMIT seconds is given up.
_MIN_SPEED = 50_000

# Seconds before each further attempt to download a file.
_BACK_OFF = (0.5, 1.0, 2.0)

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK = 1 << 16

# Bytes by which a compressed file may be longer than the file itself.
_OVERHEAD = 1 << 16


class WebMirror:
    """A web server with each file as ``<base URL>/<name>.gz`` or ``<base URL>/<name>``."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/") + "/"
        self._session = requests.Session()
        # Ask for the bytes as they are stored: re-encoded bytes would have other ranges.
        self._session.headers["Accept-Encoding"] = "identity"

    @property
    def name(self) -> str:
        """The base URL, without user name and password."""
        parts = urlsplit(self._base_url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def deliver(self, file: IdxFile, target: Path) -> None:
        """Write the verified file to `target`, or raise `MirrorError`."""
        try:
            self._deliver(f"{file.name}.gz", file, target)
        except _NotFoundError:
            self._deliver(file.name, file, target)

    def _deliver(self, name: str, file: IdxFile, target: Path) -> None:
        url = self._base_url + name
        # One for each URL, since two mirrors may have compressed the same file differently.
        partial = target.with_name(
            f".{name}.{hashlib.sha256(url.encode()).hexdigest()[:12]}.partial"
        )
        partial.parent.mkdir(parents=True, exist_ok=True)
        for pause in (*_BACK_OFF, None):
            try:
                resumed = self._download(url, partial, file)
                self._install(partial, file, target, resumed=resumed)
            except MirrorError as error:
                if error.transient and pause is not None and not isinstance(error, _FINAL):
                    time.sleep(pause)
                    continue
                # Only a killed process leaves a partial download, which the next one resumes.
                partial.unlink(missing_ok=True)
                raise
            partial.unlink()
            return

    def _install(self, partial: Path, file: IdxFile, target: Path, *, resumed: bool) -> None:
        try:
            with partial.open("rb") as stream:
                install(stream, file, target)
        except MirrorError as error:
            if not resumed:
                raise
            # The two parts may be of different files: start over before giving up.
            partial.unlink()
            raise MirrorError(error.reason, transient=True) from None

    def _download(self, url: str, partial: Path, file: IdxFile) -> bool:
        """Complete `partial`; return whether an earlier download was resumed."""
        have = partial.stat().st_size if partial.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        with self._request(url, headers) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                # The partial file is complete, or the file is shorter now: its digest decides.
                return True
            if response.status_code == requests.codes.not_found:
                raise _NotFoundError("answered 404 Not Found")
            if not response.ok:
                raise MirrorError(
                    f"answered {response.status_code} {response.reason}",
                    transient=response.status_code in _TRANSIENT,
                )
            begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            resumed = bool(have and begins and int(begins[1]) == have)
            if not resumed:
                have = 0
            self._receive(response, partial, have, file)
            return resumed

    def _receive(
        self, response: requests.Response, partial: Path, have: int, file: IdxFile
    ) -> None:
        started = time.monotonic()
        received = 0
        beginning = b""
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else file.size
        try:
            with partial.open("ab" if have else "wb") as output:
                while chunk := response.raw.read1(_CHUNK, decode_content=False):
                    if have == 0 and received < MAGIC_LENGTH:
                        # The first bytes may arrive in several chunks.
                        beginning += chunk
                        if len(beginning) >= MAGIC_LENGTH:
                            check_beginning(beginning)
                    received += len(chunk)
                    if have + received > file.size + _OVERHEAD:
                        raise MirrorError(f"sent more than the {file.size:,} bytes of the file")
                    output.write(chunk)
                    report(f"Download {file.name}", have + received, total)
                    seconds = time.monotonic() - started
                    if received < _MIN_SPEED * (seconds - _CONNECT_LIMIT):
                        raise _SlowError(
                            f"is too slow: {received:,} bytes in {seconds:.0f} s", transient=True
                        )
        # Other OSErrors are not the mirror's fault, such as a full disk.
        except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
            raise MirrorError(
                f"broke off after {have + received:,} bytes ({_innermost_reason(error)})",
                transient=True,
            ) from None

    def _request(self, url: str, headers: dict[str, str]) -> requests.Response:
        """Send a request, in a thread: one time limit then covers everything that may hang."""
        responses: queue.SimpleQueue[requests.Response | requests.RequestException] = (
            queue.SimpleQueue()
        )

        def send() -> None:
            try:
                responses.put(
                    self._session.get(
                        url, headers=headers, stream=True, timeout=(_CONNECT_LIMIT, _READ_LIMIT)
                    )
                )
            except requests.RequestException as error:
                responses.put(error)

        threading.Thread(target=send, daemon=True).start()
        try:
            response = responses.get(timeout=_CONNECT_LIMIT)
        except queue.Empty:
            raise UnreachableError(f"did not answer within {_CONNECT_LIMIT:g} s") from None
        if isinstance(response, requests.RequestException):
            raise UnreachableError(f"cannot be reached ({_innermost_reason(response)})") from None
        return response


class _NotFoundError(MirrorError):
    """The mirror has no file of that name."""


class _SlowError(MirrorError):
    """The mirror is too slow."""


# Transient errors that are not worth another attempt now.
_FINAL = (UnreachableError, _SlowError)


def _innermost_reason(error: BaseException) -> str:
    """Return the innermost reason of a network error, without object addresses."""
    while True:
        inner = getattr(error, "reason", None) or next(
            (argument for argument in error.args if isinstance(argument, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        error = inner
    text = getattr(error, "strerror", None) or str(error)
    return re.sub(r"^.*object at 0x[0-9a-f]+>: |^\w+\(host=.*?\): ", "", text)
