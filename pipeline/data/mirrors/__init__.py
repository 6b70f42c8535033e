"""Where a data set comes from: mirrors in order, then the package index."""

from pipeline.data.mirrors.chain import Chain, Source, sources_of

__all__ = ["Chain", "Source", "sources_of"]
