"""Retraining, scoring and everything that they need: plain functions, flows, and a command line.

>>> from pipeline import Classifier, ingest, open_registry, retrain, score
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# OpenCV reads both once, when it is loaded. It compares the size in a file's header with the first
# before it decodes. An operation on an image is too small to be shared: the threads of OpenCV would
# only wait for each other, busily, while the other cores read other images.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")

__version__: str

if TYPE_CHECKING:
    from pipeline.errors import (
        BusyError,
        DamagedDataError,
        DeliveryError,
        DiskFullError,
        Failure,
        InputError,
        InvalidParameterError,
        LineageError,
        MirrorError,
        NoMirrorLeftError,
        OutputError,
        PipelineError,
        ServerError,
        SettingsError,
        ShadowTrialError,
        UnreachableError,
        WorkerError,
    )
    from pipeline.jobs.card import model_card
    from pipeline.jobs.inbox import score_inbox
    from pipeline.jobs.ingestion import ingest
    from pipeline.jobs.planning import (
        RetrainingPlan,
        ScoringPlan,
        plan_retraining,
        plan_scoring,
    )
    from pipeline.jobs.pruning import Pruned, prune
    from pipeline.jobs.reproduction import reproduce
    from pipeline.jobs.retraining import retrain
    from pipeline.jobs.sampling import sample
    from pipeline.jobs.scoring import score
    from pipeline.jobs.status import status
    from pipeline.models import open_registry
    from pipeline.scoring.classifier import Classifier, Prediction
    from pipeline.scoring.outcome import Options, Scoring
    from pipeline.settings import MaxHours, Settings, Thresholds, load_settings
    from pipeline.training.outcome import Refused, Registered, Reproduction, Unchanged

__all__ = [
    "BusyError",
    "Classifier",
    "DamagedDataError",
    "DeliveryError",
    "DiskFullError",
    "Failure",
    "InputError",
    "InvalidParameterError",
    "LineageError",
    "MaxHours",
    "MirrorError",
    "NoMirrorLeftError",
    "Options",
    "OutputError",
    "PipelineError",
    "Prediction",
    "Pruned",
    "Refused",
    "Registered",
    "Reproduction",
    "RetrainingPlan",
    "Scoring",
    "ScoringPlan",
    "ServerError",
    "Settings",
    "SettingsError",
    "ShadowTrialError",
    "Thresholds",
    "Unchanged",
    "UnreachableError",
    "WorkerError",
    "__version__",
    "ingest",
    "load_settings",
    "model_card",
    "open_registry",
    "plan_retraining",
    "plan_scoring",
    "prune",
    "reproduce",
    "retrain",
    "sample",
    "score",
    "score_inbox",
    "status",
]

# A name is imported when it is first used, because `digits --help` needs none of them.
_MODULES = {
    "BusyError": "pipeline.errors",
    "Classifier": "pipeline.scoring.classifier",
    "DamagedDataError": "pipeline.errors",
    "DiskFullError": "pipeline.errors",
    "DeliveryError": "pipeline.errors",
    "Failure": "pipeline.errors",
    "InputError": "pipeline.errors",
    "InvalidParameterError": "pipeline.errors",
    "LineageError": "pipeline.errors",
    "MaxHours": "pipeline.settings",
    "MirrorError": "pipeline.errors",
    "NoMirrorLeftError": "pipeline.errors",
    "Options": "pipeline.scoring.outcome",
    "OutputError": "pipeline.errors",
    "PipelineError": "pipeline.errors",
    "Prediction": "pipeline.scoring.classifier",
    "Pruned": "pipeline.jobs.pruning",
    "Refused": "pipeline.training.outcome",
    "Registered": "pipeline.training.outcome",
    "Reproduction": "pipeline.training.outcome",
    "RetrainingPlan": "pipeline.jobs.planning",
    "Scoring": "pipeline.scoring.outcome",
    "ScoringPlan": "pipeline.jobs.planning",
    "ServerError": "pipeline.errors",
    "Settings": "pipeline.settings",
    "SettingsError": "pipeline.errors",
    "ShadowTrialError": "pipeline.errors",
    "Thresholds": "pipeline.settings",
    "Unchanged": "pipeline.training.outcome",
    "UnreachableError": "pipeline.errors",
    "WorkerError": "pipeline.errors",
    "ingest": "pipeline.jobs.ingestion",
    "load_settings": "pipeline.settings",
    "model_card": "pipeline.jobs.card",
    "open_registry": "pipeline.models",
    "plan_retraining": "pipeline.jobs.planning",
    "plan_scoring": "pipeline.jobs.planning",
    "prune": "pipeline.jobs.pruning",
    "reproduce": "pipeline.jobs.reproduction",
    "retrain": "pipeline.jobs.retraining",
    "sample": "pipeline.jobs.sampling",
    "score": "pipeline.jobs.scoring",
    "score_inbox": "pipeline.jobs.inbox",
    "status": "pipeline.jobs.status",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("digits-pipeline")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
