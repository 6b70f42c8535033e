"""The records that the registry takes and returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Param = str | int | float | bool | None | list[int]
"""A value of a parameter: anything that JSON can hold."""

READY = "ready"
ARCHIVED = "archived"
DAMAGED = "damaged"
CHAMPION = "champion"

MAX_APPROVALS = 100
"""The highest number of approvals that an alias can need."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a gate: a figure compared with its threshold."""

    name: str
    figure: float
    threshold: float
    passed: bool

    @property
    def texts(self) -> tuple[str, str]:
        """Figure and threshold with four decimals, or up to eight if these show which is larger."""
        figure, threshold = self.figure, self.threshold
        digits = next((n for n in range(4, 9) if f"{figure:.{n}f}" != f"{threshold:.{n}f}"), 4)
        return f"{figure:.{digits}f}", f"{threshold:.{digits}f}"

    def __str__(self) -> str:
        figure, threshold = self.texts
        relation = "≥" if self.figure >= self.threshold else "<"
        return f"{self.name} {figure} {relation} {threshold}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is recorded about a training run beside its weights.

    `Registry.register` stores it with a new version, `Registry.refuse` with a candidate that did
    not become one. Values are validated there.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    """Finite numbers by name; an accuracy is a fraction in [0, 1]."""
    params: Mapping[str, Param] = field(default_factory=dict)
    """Hyperparameters and settings of the training by name: values that JSON can hold."""
    tags: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 in hexadecimal of each data set, by its role (as ``train_images``)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Versions of libraries, the platform and the like, by name."""
    gate: Sequence[Check] = ()
    """The checks that the candidate was held against, with their results."""
    parent: str | None = None
    """Reference ``name/number`` of the version that this one follows."""
    code_version: str | None = None
    """Version of the training code."""
    run_id: str | None = None
    """Id of the training run."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version was first registered, if it is a copy."""

    registry: str
    """Address of its database, without passwords."""
    reference: str
    """Its reference there."""
    event: str
    """Hash of the event that registered it there, which identifies it."""
    created_at: datetime
    """When it was registered there, in UTC."""
    created_by: str | None
    parent: str | None
    """Reference of the version that it followed there."""


@dataclass(frozen=True, slots=True, repr=False)
class ModelVersion:
    """One version of a registered model.

    Weights and results never change; its state, aliases, tags and description may.
    """

    name: str
    """Name of the registered model."""
    number: int
    """Version number, counted from 1 and never reused."""
    state: str
    """``ready``; ``archived`` (kept, but no alias may point at it); or, in a list, ``damaged``: its
    record was edited or lost, and the fields of the record are empty."""
    sha256: str
    """SHA-256 of the weights."""
    size: int
    """Size of the weights in bytes."""
    metrics: Mapping[str, float]
    """Finite numbers by name; an accuracy is a fraction in [0, 1]."""
    params: Mapping[str, Param]
    """Hyperparameters and settings of the training."""
    tags: Mapping[str, str]
    inputs: Mapping[str, str]
    """SHA-256 of each data set it was trained and tested on, by role."""
    environment: Mapping[str, str]
    """Versions of libraries, the platform and the like, by name."""
    gate: tuple[Check, ...]
    """The checks it was held against before it was registered."""
    aliases: tuple[str, ...]
    """The aliases that pointed at it when this record was read, sorted."""
    parent: str | None
    """Reference of the version that this one follows."""
    code_version: str | None
    """Version of the training code."""
    run_id: str | None
    """Id of the training run."""
    created_at: datetime
    """In UTC."""
    created_by: str | None
    description: str | None = None
    origin: Origin | None = None
    """Where it was first registered; None if it is not a copy."""

    def __repr__(self) -> str:
        # Whole, it would fill a screen.
        aliases = ", ".join(self.aliases) or "no alias"
        return (
            f"ModelVersion({self.reference}, {self.state}, {aliases}, "
            f"{self.created_at:%Y-%m-%d %H:%M:%S} UTC, SHA-256 {self.sha256[:12]})"
        )

    @property
    def reference(self) -> str:
        """The reference ``name/number``, which always means this version."""
        return f"{self.name}/{self.number}"

    @property
    def gate_passed(self) -> bool | None:
        """Whether every check of its gate passed; None if no gate was recorded."""
        return all(check.passed for check in self.gate) if self.gate else None


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A metric of a version."""

    number: int
    """Number of the version."""
    created_at: datetime
    """When the version was registered, in UTC."""
    value: float


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered model."""

    name: str
    description: str | None
    versions: int
    """Number of its versions, without the deleted ones."""
    latest: int | None
    """Number of its newest version; None if it has none."""
    aliases: Mapping[str, int]
    """Number of the version that each alias points at."""
    created_at: datetime
    """In UTC."""


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias and the version it points at."""

    name: str
    """Name of the registered model."""
    alias: str
    number: int
    """Number of the version."""
    generation: int
    """Changes with every move; pass it to ``Registry.set_alias(expected=…)``."""
    moved_at: datetime
    """In UTC."""
    moved_by: str | None

    @property
    def reference(self) -> str:
        """The reference ``name/number`` of the version it points at."""
        return f"{self.name}/{self.number}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A version that is proposed for a protected alias."""

    version: str
    """Reference of the version."""
    alias: str
    proposed_by: str
    proposed_at: datetime
    """In UTC."""
    reason: str | None
    approved_by: tuple[str, ...]
    """Who has approved it."""
    approvals_needed: int
    """How many approvals the alias needs to move."""

    @property
    def is_approved(self) -> bool:
        """Whether there are enough approvals, so that the alias was moved."""
        return len(self.approved_by) >= self.approvals_needed


@dataclass(frozen=True, slots=True)
class Event:
    """One entry in the append-only history of a model."""

    name: str
    """Name of the registered model."""
    seq: int
    """Position in the history of the model, counted from 1."""
    at: datetime
    """In UTC; never before the time of the previous event."""
    actor: str | None
    """Who did it."""
    kind: str
    """Of a version: ``registered``, ``imported``, ``migrated``, ``archived``, ``restored``,
    ``tagged``, ``described``, or ``deleted``. Of an alias: ``alias_moved``,
    ``alias_rolled_back``, ``alias_removed``, ``protected``, ``unprotected``, ``proposed``, or
    ``approved``. Of the model: ``model_described``, or ``refused`` (a candidate that failed its
    gate and did not become a version)."""
    alias: str | None
    number: int | None
    """Number of the version."""
    details: Mapping[str, Any]
    """``version`` of a registration and ``candidate`` of a refusal hold all that was recorded. An
    alias has ``from``, its previous version, and ``reason`` if one was given. ``clock`` is the
    reading of a clock that was far behind the previous event, in microseconds since 1970."""
    hash: str
    """SHA-256 of this event and of the previous event's hash."""
    signature: str | None = None
    """Ed25519 signature of the hash, in hexadecimal; None if it is not signed."""
    key_id: str | None = None
    """SHA-256 fingerprint of the key that signed it, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A named value that differs between two versions; None if one of them has no such value."""

    name: str
    first: Any
    second: Any

    @property
    def change(self) -> float | None:
        """The second minus the first, if both are numbers."""
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values):
            return float(self.second - self.first)
        return None

    @property
    def values(self) -> tuple[Any, Any]:
        """Both values."""
        return self.first, self.second


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two versions. Equal values are left out."""

    first: ModelVersion
    second: ModelVersion
    same_weights: bool
    metrics: tuple[Difference, ...]
    params: tuple[Difference, ...]
    tags: tuple[Difference, ...]
    inputs: tuple[Difference, ...]
    environment: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that `Registry.verify` found."""

    severity: str
    """``error`` if registered data is wrong or lost, otherwise ``warning``."""
    subject: str
    """A reference, a model, a digest, or ``database``."""
    text: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.subject}: {self.text}"


@dataclass(frozen=True, slots=True)
class GCResult:
    """What `Registry.gc` removed, or would remove."""

    blobs: int
    """Number of blobs without a version."""
    temporary_files: int
    """Number of files that killed writers left."""
    size: int
    """Total size in bytes."""
    unknown: int
    """Number of blobs without a version that stay, because the registry never had a version with
    them. ``gc(unknown=True)`` removes them."""


@dataclass(frozen=True, slots=True)
class DeletionResult:
    """What `Registry.delete` or `Registry.prune` deleted, or would delete."""

    versions: tuple[str, ...]
    """References of the versions."""
    blobs: int
    """Number of files of weights that were removed: those that no other version has. In a blob
    store that other registries use, no file is removed."""
    size: int
    """Total size of these files in bytes."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What `Registry.import_` did."""

    added: tuple[str, ...]
    """References of the versions that were added."""
    present: tuple[str, ...]
    """References of the versions that the registry already had, unchanged."""
    deleted: tuple[str, ...]
    """References of the versions that were deleted here, and stay so."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated accuracy and its interval, each a fraction in [0, 1]."""

    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DriftFigure:
    """How far one distribution of a batch is from that of the images a version was measured on."""

    what: str
    """Name of the distribution, such as ``confidence``."""
    index: float
    """The population stability index."""
    limit: float
    """The largest index that may be chance, or is small."""

    @property
    def is_far(self) -> bool:
        """Whether the index is beyond its limit."""
        return self.index > self.limit


@dataclass(frozen=True, slots=True)
class AgreedLabels:
    """Labels that people agreed on for images of a batch, counted by bin of confidence."""

    labelled: tuple[int, ...]
    """Labelled images in each bin."""
    correct: tuple[int, ...]
    """Those of them whose prediction is right."""
    confidence: tuple[float, ...]
    """Sum of the confidence of these predictions, right or wrong."""


@dataclass(frozen=True, slots=True)
class ShadowFigures:
    """What another version said about the images of a batch."""

    version: str
    """Its reference ``name/number``."""
    disagreements: int
    """Number of images that the two versions predicted differently."""
    only_scorer_right: int
    """Labelled images that only the version that scored the batch predicted right."""
    only_shadow_right: int
    """Labelled images that only the other version predicted right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """What is recorded about a scored batch. Values are validated by `Registry.record_batch`."""

    version: str
    """Reference ``name/number`` of the version that scored it, which may be deleted since."""
    sha256: str
    """SHA-256 of the version's weights."""
    inputs: tuple[str, ...]
    """Addresses of the inputs, without passwords."""
    output: str
    """Directory of the results."""
    files: int
    """Number of images, including those without a prediction."""
    digits: tuple[int, ...]
    """Number of images predicted as each class, 0 to 9 for digits."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Number of images without a prediction, by reason."""
    novel: int = 0
    """Number of images that do not look like one digit."""
    confidence: float | None = None
    """Mean confidence, a fraction in [0, 1]; None if there is no prediction."""
    histogram: tuple[int, ...] = ()
    """Number of predictions in each bin of confidence; the bins have equal widths."""
    estimate: Estimate | None = None
    """The accuracy that the confidence promises; None if there is no prediction."""
    drift: tuple[DriftFigure, ...] = ()
    """Empty if the version has no profile to compare with."""
    labels: AgreedLabels | None = None
    """None if no image has an agreed label."""
    shadow: ShadowFigures | None = None
    """None if no other version looked at the batch."""
    seconds: float = 0.0
    """Wall time of the scoring run that ended it."""

    @property
    def predicted(self) -> int:
        """Number of images with a prediction."""
        return sum(self.digits)

    @property
    def has_drifted(self) -> bool:
        """Whether a distribution is beyond its limit, so that a person should look into it."""
        return any(figure.is_far for figure in self.drift)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(BatchRecord):
    """A scored batch in the registry."""

    id: int
    """Counted from 1 in the order of recording."""
    at: datetime
    """When its scoring ended, in UTC."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that happened and that somebody should know."""

    id: str
    """The same whenever it is sent."""
    at: datetime
    """When it happened, in UTC."""
    kind: str
    """``model.promoted``, ``model.rolled_back``, ``model.refused``, ``model.proposed``,
    ``job.failed``, ``job.crashed``, ``job.overdue``, ``batch.drifted`` or ``registry.damaged``."""
    body: Mapping[str, Any]
    """The facts, as values that JSON can hold."""
    done_at: datetime | None
    """When every endpoint had it, or it was given up; None before."""
    errors: tuple[str, ...] = ()
    """Why the last attempts failed, of the endpoints that do not have it."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """A run of a job."""

    id: int
    job: str
    """Name of the job, such as ``retrain``."""
    host: str
    """Host that it runs or ran on."""
    process: str
    """Its process on that host: number and start."""
    run_id: str | None
    """Id of the run elsewhere, such as in Prefect."""
    started_at: datetime
    """In UTC."""
    ended_at: datetime | None
    """In UTC; None if it runs, or was killed and nobody has noticed yet."""
    outcome: str | None
    """``completed``, ``refused``, ``unchanged``, ``stopped``, ``failed`` or ``crashed``; None
    before its end."""
    message: str | None
    """What became of it, in one line."""

    @property
    def has_succeeded(self) -> bool:
        """Whether it did what it had to do. A refusal is a result, not a failure."""
        return self.outcome in {"completed", "refused", "unchanged"}

    @property
    def has_failed(self) -> bool:
        """Whether it failed or crashed."""
        return self.outcome in {"failed", "crashed"}
