"""Claims: an image that somebody is looking at is given to nobody else.

They are a small file that is rewritten under the lock of the directory of reviews, so that several
processes share them. A claim that is not renewed expires: its reviewer has left.
"""

import json
import time
from pathlib import Path

SECONDS = 600.0
"""Time after which a claim that is not renewed expires."""

# The image of an expired claim is kept for a decision that comes late, for a day.
_LATE = 86_400.0

_FILE_NAME = "claims.json"


class Claims:
    """The claims of a directory; use it under `pipeline.files.locked`, and `save` at the end."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE_NAME
        self._now = time.time()
        try:
            values = json.loads(self._path.read_text())
            self._claims = {key: (str(who), float(until)) for key, (who, until) in values.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            # Of a writer that was killed: at worst two reviewers get an image.
            self._claims = {}

    def claim(self, key: str, holder: str) -> bool:
        """Claim something, or renew the claim; return whether it was free or the holder's own."""
        who, until = self._claims.get(key, (holder, 0.0))
        if who != holder and until > self._now:
            return False
        self._claims[key] = (holder, self._now + SECONDS)
        return True

    def is_free_for(self, key: str, holder: str) -> bool:
        """Return whether nobody else has a claim to something."""
        who, until = self._claims.get(key, (holder, 0.0))
        return who == holder or until <= self._now

    def release(self, key: str) -> None:
        """End the claim to something."""
        self._claims.pop(key, None)

    def long_expired(self) -> list[str]:
        """End the claims that expired a day ago, and return what they were to."""
        ended = [key for key, (_, until) in self._claims.items() if until + _LATE <= self._now]
        for key in ended:
            self.release(key)
        return ended

    def save(self) -> None:
        """Write the claims."""
        # Not flushed to disk: claims need not survive a power failure.
        self._path.write_text(json.dumps(self._claims))
