"""How many images of a scoring are done, also of the shards that are being scored.

A shard takes seconds to minutes. Who scores it, in whatever process or on whatever machine, writes
how far it is to a small file beside the shard. The process that waits for the shards adds them up.
"""

import contextlib
import contextvars
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.progress import counting_to, report

_SUFFIX = ".done"

# Seconds between two looks at the files, and between two times that one is written.
_INTERVAL = 0.5


class ShardTracker:
    """Writes how many images of a shard have been read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._images = 0
        self._written_at = time.monotonic()

    def count(self, images: int) -> None:
        """Count images that have been read."""
        self._images += images
        now = time.monotonic()
        if now - self._written_at >= _INTERVAL:
            self._written_at = now
            self._file.write_text(str(self._images))

    def reach(self, images: int) -> None:
        """Say how many images have been read in all."""
        self.count(images - self._images)


@contextlib.contextmanager
def track_shard(shard_file: Path) -> Iterator[ShardTracker]:
    """Track the images that are read in this block."""
    file = shard_file.with_name(shard_file.name + _SUFFIX)
    tracker = ShardTracker(file)
    try:
        with counting_to(tracker.count):
            yield tracker
    finally:
        file.unlink(missing_ok=True)


class ScoringProgress:
    """Reports how many images of all shards are done.

    Parameters
    ----------
    activity : str
    shards : Path
        Directory of the shards.
    total : int
        Number of all images.
    """

    def __init__(self, activity: str, shards: Path, total: int) -> None:
        self._activity = activity
        self._shards = shards
        self._done = 0
        self._total = total
        self._resumed = 0
        self._started = time.monotonic()
        self._reported = -1
        self._lock = threading.Lock()

    def add(self, images: int, *, is_resumed: bool) -> None:
        """Add the images of a shard that is done, perhaps by an earlier run."""
        with self._lock:
            self._done += images
            self._resumed += images * is_resumed
        self.report()

    def report(self) -> None:
        """Report what is done now, unless that was reported."""
        with self._lock:
            # A shard may be counted twice for a moment: as done, and by its file.
            now = min(self._done + self._partly_done(), self._total)
            if now > self._reported:
                self._reported = now
                report(self._activity, now, self._total, self._rate(now))

    def _rate(self, now: int) -> str:
        seconds = time.monotonic() - self._started
        done = now - self._resumed
        return f"{done / seconds:,.0f} a second" if done and seconds > 0 else ""

    def _partly_done(self) -> int:
        images = 0
        for file in self._shards.glob(f"*{_SUFFIX}"):
            # It may be gone by now, or be written at this moment.
            with contextlib.suppress(OSError, ValueError):
                images += int(file.read_text())
        return images

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Report again and again during this block."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_INTERVAL):
                self.report()

        # Listeners are in a context variable.
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(watch,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
