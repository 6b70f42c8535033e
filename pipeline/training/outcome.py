"""How a retraining or a reproduction ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.labelled import Collection
from pipeline.gate.judging import Verdict
from pipeline.models import CHAMPION
from pipeline.summaries import Summarized
from pipeline.training.candidates import Candidate
from pipeline.training.weight_diff import LayerDifference
from registry import ModelVersion


@dataclass(frozen=True, slots=True, repr=False)
class Unchanged(Summarized):
    """Nothing was trained, since it would have brought nothing new."""

    version: ModelVersion
    """The champion, which stays."""
    reason: str
    labelled: Collection | None
    """The user's own images, if any were given."""

    @property
    def outcome(self) -> str:
        """``unchanged``."""
        return "unchanged"

    @property
    def message(self) -> str:
        """The outcome in a line."""
        return f"{self.version.reference} unchanged"

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name."""
        return {"version": self.message, "reason": self.reason}


@dataclass(frozen=True, slots=True, repr=False)
class Refused(Summarized):
    """The gate refused the candidate; the champion stays."""

    run_id: str
    candidate: Candidate
    verdict: Verdict
    directory: Path
    """Directory of the run, with its ``record.json`` and ``report.html``."""
    labelled: Collection | None
    """The user's own images, if any were given."""

    @property
    def outcome(self) -> str:
        """``refused``."""
        return "refused"

    @property
    def message(self) -> str:
        """The outcome in a line."""
        return self.verdict.reason

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name."""
        return {"reason": self.message, "report": self.directory, "run": self.run_id}


@dataclass(frozen=True, slots=True, repr=False)
class Registered(Summarized):
    """The gate let the candidate pass; it is a version now."""

    run_id: str
    candidate: Candidate
    verdict: Verdict
    directory: Path
    """Directory of the run, with its ``record.json`` and ``report.html``."""
    labelled: Collection | None
    """The user's own images, if any were given."""
    version: ModelVersion

    @property
    def is_promoted(self) -> bool:
        """Whether the version is the champion."""
        return CHAMPION in self.version.aliases

    @property
    def outcome(self) -> str:
        """``promoted``, or ``registered`` if the version is not the champion."""
        return "promoted" if self.is_promoted else "registered"

    @property
    def message(self) -> str:
        """The outcome in a line."""
        return f"{self.version.reference} {self.outcome}"

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name."""
        return {
            "version": self.message,
            "gate": self.verdict.summary,
            "report": self.directory,
            "run": self.run_id,
        }


Trained = Refused | Registered
"""A retraining in which a candidate was trained and judged."""

Retraining = Unchanged | Trained
"""How a retraining ended."""


@dataclass(frozen=True, slots=True, repr=False)
class Reproduction(Summarized):
    """How a version and its reproduction compare."""

    version: ModelVersion
    candidate: Candidate
    layers: tuple[LayerDifference, ...]
    """The layers whose weights differ; also empty if the version's own weights are lost."""
    environment: Mapping[str, tuple[str | None, str | None]]
    """What differs in code, libraries and machine: as recorded, and as it is now."""

    @property
    def is_identical(self) -> bool:
        """Whether the weights are the same, bit by bit."""
        return self.candidate.sha256 == self.version.sha256

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name."""
        weights = "bit-identical" if self.is_identical else "different weights"
        return {
            "version": f"{self.version.reference}, {weights}",
            "differing layers": ", ".join(layer.layer for layer in self.layers) or "none",
            "changed environment": ", ".join(self.environment) or "none",
        }
