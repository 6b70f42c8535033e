"""The progress of a flow run, as an artifact that Prefect's pages show."""

import logging
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

_log = logging.getLogger(__name__)


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
        self._is_reachable = True

    def __call__(self, activity: str, done: float, total: float, remark: str) -> None:
        """Update the artifact if the activity or its percentage has changed."""
        percent = int(100 * done / total) if total else 0
        # Each update is a request to the server.
        if not self._is_reachable or self._shown == (activity, percent):
            return
        self._shown = (activity, percent)
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
