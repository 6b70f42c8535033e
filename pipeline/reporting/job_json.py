"""The outcomes of the jobs as values that JSON can hold."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.data.labelled import Collection
from pipeline.data.preparation import DataReference
from pipeline.scoring.outcome import SUMMARY, Scoring
from pipeline.training.outcome import Registered, Reproduction, Retraining, Unchanged


def ingestion_json(data: DataReference) -> dict[str, Any]:
    """Return the files of MNIST, and the digests that they were verified against."""
    return {
        "files": [str(reference.path) for reference in (data.train, data.test)],
        "inputs": data.inputs,
    }


def retraining_json(outcome: Retraining) -> dict[str, Any]:
    """Return the outcome of a retraining."""
    common = {
        "outcome": outcome.outcome,
        "message": outcome.message,
        "labelled": _labelled_json(outcome.labelled),
    }
    if isinstance(outcome, Unchanged):
        return {**common, "version": outcome.version.reference, "reason": outcome.reason}
    verdict = outcome.verdict
    return {
        **common,
        "version": outcome.version.reference if isinstance(outcome, Registered) else None,
        "reason": verdict.summary if isinstance(outcome, Registered) else verdict.reason,
        "champion": verdict.champion,
        "gate": [asdict(check) for check in verdict.checks],
        "metrics": {**outcome.candidate.metrics, **verdict.metrics},
        "sha256": outcome.candidate.sha256,
        "run_id": outcome.run_id,
        "directory": str(outcome.directory),
    }


def _labelled_json(collection: Collection | None) -> dict[str, Any] | None:
    if collection is None:
        return None
    return {
        "training": collection.training,
        "held_out": collection.held_out,
        "duplicates": collection.duplicates,
        "left_out": dict(collection.left_out),
    }


def reproduction_json(reproduction: Reproduction) -> dict[str, Any]:
    """Return whether a reproduction has the same weights; if not, what differs."""
    return {
        "version": reproduction.version.reference,
        "is_identical": reproduction.is_identical,
        "registered_sha256": reproduction.version.sha256,
        "sha256": reproduction.candidate.sha256,
        "layers": [asdict(layer) for layer in reproduction.layers],
        "environment": {
            name: {"registered": then, "now": now}
            for name, (then, now) in reproduction.environment.items()
        },
        "metrics": dict(reproduction.candidate.metrics),
    }


def scoring_json(scoring: Scoring) -> dict[str, Any]:
    """Return the outcome of a scoring."""
    counts = scoring.counts
    output = scoring.path.parent
    return {
        "model": scoring.version.reference,
        "sha256": scoring.version.sha256,
        "images": counts.files,
        "predicted": counts.predicted,
        "digits": counts.digits.tolist(),
        "not_scored": dict(sorted(counts.errors.items())),
        "novel": counts.novel,
        "labelled": counts.labelled,
        "accuracy": counts.accuracy,
        "drift": {drift.what: drift.index for drift in scoring.drift},
        "review": scoring.review,
        "review_path": _text(scoring.review_path),
        "predictions": str(scoring.path),
        "tables": [str(table) for table in scoring.tables],
        "summary": str(output / SUMMARY),
        "scored_before": scoring.resumed,
        "seconds": scoring.seconds,
    }


def sample_json(count: int, output: Path) -> dict[str, Any]:
    """Return where a sample was written."""
    return {"images": count, "output": str(output), "labels": str(output / "labels.csv")}


def plan_json(plan: dict[str, object]) -> dict[str, str]:
    """Return what a job would do: the lines of its plan, by name."""
    return {name: str(value) for name, value in plan.items()}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
