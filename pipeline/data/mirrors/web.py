"""A mirror on the web: bounded in time and bytes, resumed where it broke off."""

import hashlib
import queue
import re
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3

from pipeline.data.mirrors.inflation import ENOUGH, check_beginning, install
from pipeline.data.mnist import IdxFile
from pipeline.errors import SourceError, UnreachableError
from pipeline.progress import report

# Seconds from the question to the answer's headers, for all of name look-up, each of the
# host's addresses, TLS and proxies together: requests bounds each address by itself only, and
# an object store has eight.
_PATIENCE = 4.0

# Seconds without a byte before a connection counts as broken.
_SILENCE = 5.0

# A mirror slower than this, once it has had _PATIENCE seconds, is left for the next source.
_SLOWEST = 50_000  # bytes per second

# Seconds to wait before each further attempt on a file.
_BACK_OFF = (0.5, 1.0, 2.0)

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK = 1 << 16

# Compressed, a file may be a little longer than plain, never much.
_OVERHEAD = 1 << 16


class WebMirror:
    """Holds each file as ``<base URL>/<name>.gz`` or ``<base URL>/<name>``."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/") + "/"
        self._session = requests.Session()
        # Ask for the bytes as they are stored, so that a range of them means something.
        self._session.headers["Accept-Encoding"] = "identity"

    @property
    def name(self) -> str:
        """The base URL, without a user's name and password."""
        parts = urlsplit(self._base_url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def deliver(self, file: IdxFile, target: Path) -> None:
        """Put the verified file at `target`, or raise `SourceError`."""
        try:
            self._deliver(f"{file.name}.gz", file, target)
        except _NotFoundError:
            self._deliver(file.name, file, target)

    def _deliver(self, name: str, file: IdxFile, target: Path) -> None:
        url = self._base_url + name
        # One for each URL: two mirrors may have compressed the same file differently.
        partial = target.with_name(
            f".{name}.{hashlib.sha256(url.encode()).hexdigest()[:12]}.partial"
        )
        partial.parent.mkdir(parents=True, exist_ok=True)
        for pause in (*_BACK_OFF, None):
            try:
                resumed = self._download(url, partial, file)
                self._install(partial, file, target, resumed=resumed)
            except SourceError as error:
                if error.transient and pause is not None and not isinstance(error, _FINAL):
                    time.sleep(pause)
                    continue
                # Only a process that was killed leaves its partial download for the next.
                partial.unlink(missing_ok=True)
                raise
            partial.unlink()
            return

    def _install(self, partial: Path, file: IdxFile, target: Path, *, resumed: bool) -> None:
        try:
            with partial.open("rb") as stream:
                install(stream, file, target)
        except SourceError as error:
            if not resumed:
                raise
            # The two halves may be of different files: start over before giving up.
            partial.unlink()
            raise SourceError(error.reason, transient=True) from None

    def _download(self, url: str, partial: Path, file: IdxFile) -> bool:
        """Complete `partial`; return whether it goes on from an earlier one."""
        have = partial.stat().st_size if partial.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        with self._answer(url, headers) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                # Nothing is missing, or the file got shorter: its digest will tell.
                return True
            if response.status_code == requests.codes.not_found:
                raise _NotFoundError("answered 404 Not Found")
            if not response.ok:
                raise SourceError(
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
                    if have == 0 and received < ENOUGH:
                        # The first bytes may come one by one.
                        beginning += chunk
                        if len(beginning) >= ENOUGH:
                            check_beginning(beginning)
                    received += len(chunk)
                    if have + received > file.size + _OVERHEAD:
                        raise SourceError(f"sent more than the {file.size:,} bytes of the file")
                    output.write(chunk)
                    report(f"Download {file.name}", have + received, total)
                    seconds = time.monotonic() - started
                    if seconds > _PATIENCE and received < _SLOWEST * (seconds - _PATIENCE):
                        raise _SlowError(
                            f"is too slow: {received:,} bytes in {seconds:.0f} s", transient=True
                        )
        # No other OSError: a full disk is not the mirror's fault.
        except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
            raise SourceError(
                f"broke off after {have + received:,} bytes ({_told(error)})", transient=True
            ) from None

    def _answer(self, url: str, headers: dict[str, str]) -> requests.Response:
        """Ask, in a thread of its own so that one limit holds for everything that may hang."""
        answers: queue.SimpleQueue[requests.Response | requests.RequestException] = (
            queue.SimpleQueue()
        )

        def ask() -> None:
            try:
                answers.put(
                    self._session.get(
                        url, headers=headers, stream=True, timeout=(_PATIENCE, _SILENCE)
                    )
                )
            except requests.RequestException as error:
                answers.put(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            answer = answers.get(timeout=_PATIENCE)
        except queue.Empty:
            raise UnreachableError(f"did not answer within {_PATIENCE:g} s") from None
        if isinstance(answer, requests.RequestException):
            raise UnreachableError(f"cannot be reached ({_told(answer)})") from None
        return answer


class _NotFoundError(SourceError):
    """The mirror has no file of that name."""


class _SlowError(SourceError):
    """The mirror is too slow to be waited for."""


# Worth another try some day, not another try now.
_FINAL = (UnreachableError, _SlowError)


def _told(error: BaseException) -> str:
    """Return the innermost reason of a network error, without the object addresses in it."""
    while True:
        inner = getattr(error, "reason", None) or next(
            (argument for argument in error.args if isinstance(argument, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        error = inner
    text = getattr(error, "strerror", None) or str(error)
    return re.sub(r"^.*object at 0x[0-9a-f]+>: |^\w+\(host=.*?\): ", "", text)
