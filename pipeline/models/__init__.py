"""Versions as the jobs and commands name them, the registry they are in, and their formats."""

from pipeline.models.registries import (
    CHAMPION,
    MODEL,
    full_reference,
    open_other_registry,
    open_registry,
)

__all__ = ["CHAMPION", "MODEL", "full_reference", "open_other_registry", "open_registry"]
