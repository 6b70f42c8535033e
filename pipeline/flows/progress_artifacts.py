"""The progress of a flow run, as an artifact that Prefect's pages show."""

import logging
import time
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

_log = logging.getLogger(__name__)

# Seconds from one update to the next, each of which is a request that the job waits for.
_INTERVAL = 1.0


class ProgressArtifact:
    """A progress listener that updates an artifact of the flow run.

    Parameters
    ----------
    key : str
        Key of the artifact.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._id: UUID | None = None
        self._shown: tuple[str, int] | None = None
        self._next_update = 0.0
        self._is_reachable = True

    def __call__(self, activity: str, done: float, total: float, remark: str) -> None:
        """Update the artifact if it would show something new, at most once a second.

        The beginning and the end of each activity are always shown.
        """
        percent = int(100 * done / total) if total else 0
        if not self._is_reachable or self._shown == (activity, percent):
            return
        is_new = self._shown is None or self._shown[0] != activity
        if not is_new and percent < 100 and time.monotonic() < self._next_update:
            return
        self._shown = (activity, percent)
        self._next_update = time.monotonic() + _INTERVAL
        description = f"{activity}, {remark}" if remark else activity
        try:
            if self._id is None:
                # Outside an event loop this is the id itself, not an awaitable.
                self._id = cast(
                    UUID,
                    create_progress_artifact(percent, key=self._key, description=description),
                )
            else:
                update_progress_artifact(self._id, percent, description=description)
        except Exception as error:
            # A long training neither fails nor waits again and again if the server is unreachable.
            self._is_reachable = False
            _log.warning("Progress is no longer sent to the Prefect server: %s", error)
