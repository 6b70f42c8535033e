"""Versions of weights, and questions about them. Weights are opaque bytes.

>>> from registry import Registry
>>> registry = Registry("sqlite:///registry.db", "blobs")
"""

from registry.errors import (
    BlobError,
    DamagedBlobError,
    IdempotencyConflictError,
    InvalidArgumentError,
    MissingBlobError,
    NewerRegistryError,
    NotFoundError,
    RegistryError,
    UnavailableError,
    UnsupportedError,
)
from registry.records import ModelVersion
from registry.registry import Registry

__all__ = [
    "BlobError",
    "DamagedBlobError",
    "IdempotencyConflictError",
    "InvalidArgumentError",
    "MissingBlobError",
    "ModelVersion",
    "NewerRegistryError",
    "NotFoundError",
    "Registry",
    "RegistryError",
    "UnavailableError",
    "UnsupportedError",
]
