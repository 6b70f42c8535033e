"""Versions of weights, and questions about them. Weights are opaque bytes.

>>> from registry import Registry
>>> registry = Registry("sqlite:///registry.db", "blobs")
"""

from registry.blobs import open_blobs
from registry.errors import (
    AliasMovedError,
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
    MissingBlobError,
    NewerRegistryError,
    NotFoundError,
    RegistryError,
    UnavailableError,
    UnsupportedError,
)
from registry.records import (
    Alias,
    Check,
    Collected,
    Comparison,
    Difference,
    Event,
    Finding,
    Imported,
    ModelVersion,
)
from registry.registry import Registry

__all__ = [
    "Alias",
    "AliasMovedError",
    "ArchiveError",
    "ArchivedError",
    "BlobError",
    "Check",
    "Collected",
    "CollisionError",
    "Comparison",
    "ConflictError",
    "DamagedBlobError",
    "DamagedHistoryError",
    "Difference",
    "Event",
    "FilterError",
    "Finding",
    "GateError",
    "IdempotencyConflictError",
    "Imported",
    "InvalidArgumentError",
    "MissingBlobError",
    "ModelVersion",
    "NewerRegistryError",
    "NotFoundError",
    "Registry",
    "RegistryError",
    "UnavailableError",
    "UnsupportedError",
    "open_blobs",
]
