"""The record and the report of a retraining, in the directory of its run."""

import json
from dataclasses import asdict
from typing import Any

from pipeline import files
from pipeline.reporting.html import retraining_html
from pipeline.training.outcome import Registered, Trained

RECORD = "record.json"
"""File of a run with its whole record, as JSON."""

REPORT = "report.html"
"""File of a run with its report for people, with pictures."""


def write_run_files(outcome: Trained) -> None:
    """Write ``record.json`` and ``report.html`` to the directory of a run."""
    # An earlier run may have been killed while it wrote, and left temporary files.
    files.remove_leftovers(outcome.directory)
    with files.atomic_write(outcome.directory / RECORD) as temporary:
        temporary.write_text(json.dumps(_record(outcome), indent=2, default=str) + "\n")
    with files.atomic_write(outcome.directory / REPORT) as temporary:
        temporary.write_text(retraining_html(outcome), encoding="utf-8")


def _record(outcome: Trained) -> dict[str, Any]:
    candidate, verdict = outcome.candidate, outcome.verdict
    return {
        "outcome": outcome.outcome,
        "run_id": outcome.run_id,
        "version": outcome.version.reference if isinstance(outcome, Registered) else None,
        "champion": verdict.champion,
        "gate": [asdict(check) for check in verdict.checks],
        "sha256": candidate.sha256,
        "metrics": dict(candidate.metrics),
        "params": dict(candidate.params),
        "inputs": dict(candidate.inputs),
        "labelled": None if outcome.labelled is None else asdict(outcome.labelled),
        "history": [asdict(epoch) for epoch in candidate.history],
    }
