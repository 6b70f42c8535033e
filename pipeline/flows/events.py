"""The outcome of a retraining as an event, which can trigger Prefect automations."""

from dataclasses import asdict
from typing import Any

from prefect.events import emit_event

from pipeline.models import MODEL
from pipeline.training.outcome import Refused, Trained


def emit_outcome(outcome: Trained) -> None:
    """Emit the event of a promotion or a refusal that is in the registry already."""
    payload: dict[str, Any]
    if isinstance(outcome, Refused):
        checks = [asdict(check) for check in outcome.verdict.checks]
        payload = {"reason": outcome.verdict.reason, "checks": checks}
    elif outcome.is_promoted:
        payload = {
            "version": outcome.version.reference,
            "sha256": outcome.version.sha256,
            "metrics": dict(outcome.version.metrics),
            "from": outcome.version.parent,
        }
    else:
        return
    resource = {"prefect.resource.id": f"digits.model.{MODEL}", "prefect.resource.name": MODEL}
    emit_event(f"digits.model.{outcome.outcome}", resource, payload=payload)
