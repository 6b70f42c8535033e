"""Mirrors of a data set: those of the settings in order, then the package index."""

from pipeline.data.mirrors.chain import Chain, Mirror, mirrors_of

__all__ = ["Chain", "Mirror", "mirrors_of"]
