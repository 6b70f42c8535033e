"""A model registry: versions of weights with their metrics, aliases and history.

Weights are opaque bytes to it.

>>> from registry import Registry, RunRecord
>>> registry = Registry("sqlite:///registry.db", "blobs")
>>> registry.register("mnist", b"weights", RunRecord(metrics={"accuracy": 0.98}))
"""

from registry.archives import verify_export
from registry.blobs import open_blobs
from registry.errors import (
    AliasMovedError,
    ApprovalError,
    ArchivedError,
    ArchiveError,
    BlobError,
    CollisionError,
    ConflictError,
    DamagedBlobError,
    DamagedHistoryError,
    FilterError,
    GateError,
    IdempotencyConflictError,
    InvalidArgumentError,
    KeyFileError,
    MissingBlobError,
    NewerRegistryError,
    NoRegistryError,
    NotFoundError,
    ProtectedAliasError,
    RegistryError,
    SharedStoreError,
    UnavailableError,
    UnsupportedError,
    VersionInUseError,
)
from registry.frames import versions_frame
from registry.openssf import sign_file
from registry.records import (
    Alias,
    Check,
    Comparison,
    DeletionResult,
    Difference,
    Event,
    Finding,
    GCResult,
    ImportResult,
    MetricValue,
    ModelVersion,
    Origin,
    Proposal,
    RegisteredModel,
    RunRecord,
)
from registry.registry import Registry

__all__ = [
    "Alias",
    "AliasMovedError",
    "ApprovalError",
    "ArchiveError",
    "ArchivedError",
    "BlobError",
    "Check",
    "CollisionError",
    "Comparison",
    "ConflictError",
    "DamagedBlobError",
    "DamagedHistoryError",
    "DeletionResult",
    "Difference",
    "Event",
    "FilterError",
    "Finding",
    "GCResult",
    "GateError",
    "IdempotencyConflictError",
    "ImportResult",
    "InvalidArgumentError",
    "KeyFileError",
    "MetricValue",
    "MissingBlobError",
    "ModelVersion",
    "NewerRegistryError",
    "NoRegistryError",
    "NotFoundError",
    "Origin",
    "Proposal",
    "ProtectedAliasError",
    "RegisteredModel",
    "Registry",
    "RegistryError",
    "RunRecord",
    "SharedStoreError",
    "UnavailableError",
    "UnsupportedError",
    "VersionInUseError",
    "open_blobs",
    "sign_file",
    "verify_export",
    "versions_frame",
]
