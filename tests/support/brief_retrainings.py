"""Retrainings that take a second, for tests that look at something else."""

import os

from pipeline.training.presets import PRESETS

VARIABLE = "BRIEF_RETRAININGS"
"""Environment variable of other processes: ``with pictures`` or ``without pictures``."""

QUICK = {**PRESETS["quick"], "epochs": 4}
"""The network of the preset quick, for four epochs."""


def apply_variable() -> None:
    """Train briefly in this process, and leave pictures out of reports, if the variable says so."""
    value = os.environ.get(VARIABLE)
    if value is None:
        return
    PRESETS["quick"] = QUICK
    if value == "without pictures":
        from pipeline.reporting import html, markdown

        # They take longer than these trainings.
        for module in (html, markdown):
            module.retraining_pictures = lambda history, evaluation: {}  # type: ignore[attr-defined]
