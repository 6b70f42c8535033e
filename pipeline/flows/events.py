"""The outcomes of a retraining as events, which Prefect's automations can wait for."""

from dataclasses import asdict
from typing import Any

from prefect.events import emit_event

from pipeline.models import MODEL
from pipeline.training.outcome import Refused, Trained


def announce(outcome: Trained) -> None:
    """Emit an event for a promotion or a refusal, which the registry has recorded by now."""
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
