"""Decisions: what reviewers say of images, and what it all comes to.

A decision is never changed. A later one about the same image replaces it, and an undo takes one
back.
"""

import json
import secrets
from collections import Counter
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Self

NO_DIGIT = "n"
"""The decision that an image is not one digit."""

SKIP = "skip"
"""The decision to leave an image to others."""

UNDO = "undo"
"""The decision to take an earlier one back."""

DIGITS = tuple("0123456789")

DECISIONS = (*DIGITS, NO_DIGIT, SKIP, UNDO)
"""All decisions."""

_MAX_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Decision:
    """A line of the file of decisions."""

    id: str
    """Whoever sends a decision twice, because no answer came, gives it the same id."""
    sha256: str
    """SHA-256 of the image: see `pipeline.review.kept_images.digest`."""
    decision: str
    """One of `DECISIONS`."""
    reviewer: str
    time: str
    """In ISO 8601, UTC."""
    batch: str = ""
    """The output directory of the scoring; empty if the image came from elsewhere."""
    path: str = ""
    """The image in that batch, as its row of predictions calls it."""
    model: str = ""
    """The version that scored it, such as ``mnist/3``."""
    prediction: int | None = None
    """What that version predicted."""
    confidence: float | None = None
    undoes: str | None = None
    """For an undo, the id of the decision that is taken back."""

    def as_line(self) -> bytes:
        """Return the decision as a line of JSON."""
        values = {name: value for name, value in asdict(self).items() if value not in {"", None}}
        return json.dumps(values).encode() + b"\n"

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Return the decision of a line.

        Raises
        ------
        ValueError, TypeError
            If it is not one.
        """
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        decision = cls(**known)
        decision.check()
        return decision

    def check(self) -> None:
        """Check that every field is in its domain.

        Raises
        ------
        ValueError
            If one is not.
        """
        texts = (self.id, self.sha256, self.reviewer, self.time, self.batch, self.path, self.model)
        if not all(isinstance(text, str) and len(text) <= _MAX_TEXT for text in texts):
            raise ValueError("a text is too long, or not a text")
        if not self.id or not self.reviewer:
            raise ValueError("without id or reviewer")
        if not is_digest(self.sha256):
            raise ValueError("sha256 is not one")
        if self.decision not in DECISIONS:
            raise ValueError(f"decision is {self.decision!r}")
        if (self.decision == UNDO) != isinstance(self.undoes, str):
            raise ValueError("an undo names what it takes back, and nothing else does")


def is_digest(text: object) -> bool:
    """Return whether a text is a SHA-256 in lower-case hexadecimal."""
    return isinstance(text, str) and len(text) == 64 and not set(text) - set("0123456789abcdef")


def new_id() -> str:
    """Return a new id for a decision."""
    return secrets.token_hex(8)


def now() -> str:
    """Return the time as decisions have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Standing:
    """What a sequence of decisions comes to.

    Attributes
    ----------
    decisions : list of Decision
        All of them, in order.
    """

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self._by_id: dict[str, Decision] = {}
        # Those in force, in order, by image.
        self._of_image: dict[str, dict[str, Decision]] = {}

    def add(self, decision: Decision) -> None:
        """Take the next decision into account; one with a known id changes nothing."""
        if decision.id in self._by_id:
            return
        self._by_id[decision.id] = decision
        self.decisions.append(decision)
        if decision.decision != UNDO:
            self._of_image.setdefault(decision.sha256, {})[decision.id] = decision
            return
        undone = self._by_id.get(decision.undoes or "")
        if undone is not None:
            self._of_image.get(undone.sha256, {}).pop(undone.id, None)

    def get(self, decision_id: str) -> Decision | None:
        """Return the decision with an id, also if it was taken back; None if there is none."""
        return self._by_id.get(decision_id)

    def has_image(self, sha256: str) -> bool:
        """Return whether there is a decision about an image, also if it was taken back."""
        return sha256 in self._of_image

    def verdict(self, sha256: str) -> Decision | None:
        """Return the decision in force about an image; None if there is none but skips."""
        for decision in reversed(self._of_image.get(sha256, {}).values()):
            if decision.decision != SKIP:
                return decision
        return None

    def is_skipped(self, sha256: str, reviewer: str | None = None) -> bool:
        """Return whether an image was left to others: by this reviewer, or by anybody."""
        return any(
            each.decision == SKIP and reviewer in {None, each.reviewer}
            for each in self._of_image.get(sha256, {}).values()
        )

    def last_of(self, reviewer: str) -> Decision | None:
        """Return the last decision of a reviewer that is in force."""
        for decision in reversed(self.decisions):
            in_force = self._of_image.get(decision.sha256, {})
            if decision.reviewer == reviewer and decision.id in in_force:
                return decision
        return None

    def verdicts(self) -> dict[str, Decision]:
        """Return the decision in force about each image that has one."""
        found = ((sha256, self.verdict(sha256)) for sha256 in self._of_image)
        return {sha256: verdict for sha256, verdict in found if verdict is not None}

    def by_reviewer(self) -> Counter[str]:
        """Return the number of images whose decision in force is each reviewer's."""
        return Counter(verdict.reviewer for verdict in self.verdicts().values())
