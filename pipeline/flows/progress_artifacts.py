"""How far a flow has come, as an artifact that Prefect's pages show."""

import logging
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

_log = logging.getLogger(__name__)


class ProgressArtifact:
    """Listens to the work of a run, and keeps an artifact of what it does and how far it is."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._id: UUID | None = None
        self._shown: tuple[str, int] | None = None
        self._answers = True

    def __call__(self, activity: str, done: float, total: float, remark: str) -> None:
        """Tell the server, if there is a percent more to tell."""
        percent = int(100 * done / total) if total else 0
        # Each is a request, and of more than a hundred nobody would see more.
        if not self._answers or self._shown == (activity, percent):
            return
        self._shown = (activity, percent)
        description = f"{activity}, {remark}" if remark else activity
        try:
            if self._id is None:
                # Outside an event loop this is the identifier itself, not a promise of it.
                self._id = cast(
                    UUID,
                    create_progress_artifact(percent, key=self._key, description=description),
                )
            else:
                update_progress_artifact(self._id, percent, description=description)
        except Exception as error:
            # An hour's training does not end because a server does not answer, nor waits for it
            # again and again.
            self._answers = False
            _log.warning("Prefect's server is told of no more progress: %s", error)
