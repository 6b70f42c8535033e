"""The queues that a server keeps, each over some of the scored batches."""

import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from pipeline import files
from pipeline.errors import InputError
from pipeline.review.networks import load_if_kept
from pipeline.review.queue import ReviewQueue
from pipeline.review.scored_batch import ScoredBatch
from pipeline.scoring.outcome import SUMMARY
from pipeline.settings import Settings

_Stamp = tuple[int, int, int, int]

# Queues that are kept at a time.
_MAX_QUEUES = 16


class ReviewQueues:
    """Queues over scored batches, opened when they are first asked for.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._batches: dict[tuple[Path, _Stamp], ScoredBatch] = {}
        self._queues: dict[tuple[tuple[Path, _Stamp], ...], ReviewQueue] = {}

    def over(self, outputs: Iterable[Path]) -> ReviewQueue:
        """Return the queue over the output directories of some scorings.

        It is a new one if one of them was scored again. Those that are not there, or not finished,
        are left out.
        """
        with self._lock:
            stamps = tuple(
                (output, stamp)
                for output in dict.fromkeys(outputs)
                if (stamp := _stamp(output)) is not None
            )
            queue = self._queues.pop(stamps, None)
            if queue is None:
                found = [batch for stamp in stamps if (batch := self._batch(*stamp)) is not None]
                load = partial(load_if_kept, self._settings.blobs_url)
                queue = ReviewQueue(self._settings.reviews, found, load)
            # The last one is the one used last.
            self._queues[stamps] = queue
            for old in list(self._queues)[:-_MAX_QUEUES]:
                del self._queues[old]
            self._batches = {
                key: batch
                for key, batch in self._batches.items()
                if any(key in queue for queue in self._queues)
            }
            return queue

    def _batch(self, output: Path, stamp: _Stamp) -> ScoredBatch | None:
        if (output, stamp) not in self._batches:
            try:
                self._batches[output, stamp] = ScoredBatch.open(output)
            except InputError:
                return None
        return self._batches[output, stamp]


def _stamp(output: Path) -> _Stamp | None:
    try:
        return files.change_stamp(output / SUMMARY)
    except OSError:
        return None
