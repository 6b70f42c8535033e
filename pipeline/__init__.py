"""Data, training runs, the gate, scoring, flows and the command line.

>>> from pipeline import open_registry, ingest, retrain, score
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.errors import PipelineError
    from pipeline.jobs.inbox import score_inbox
    from pipeline.jobs.ingestion import ingest
    from pipeline.jobs.retraining import retrain
    from pipeline.jobs.sampling import sample
    from pipeline.jobs.scoring import score
    from pipeline.models import open_registry
    from pipeline.settings import Settings, load_settings

__all__ = [
    "PipelineError",
    "Settings",
    "ingest",
    "load_settings",
    "open_registry",
    "retrain",
    "sample",
    "score",
    "score_inbox",
]

# Imported when first asked for: `digits --help` needs none of what these need.
_MODULES = {
    "PipelineError": "pipeline.errors",
    "Settings": "pipeline.settings",
    "ingest": "pipeline.jobs.ingestion",
    "load_settings": "pipeline.settings",
    "open_registry": "pipeline.models",
    "retrain": "pipeline.jobs.retraining",
    "sample": "pipeline.jobs.sampling",
    "score": "pipeline.jobs.scoring",
    "score_inbox": "pipeline.jobs.inbox",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
