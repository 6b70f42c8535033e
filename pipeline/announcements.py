"""What became of a model, as events that Prefect's automations can wait for."""

from dataclasses import asdict
from typing import Any

from prefect.events import emit_event

from pipeline.references import MODEL
from pipeline.retraining import PROMOTED, REFUSED, Retraining


def announce(outcome: Retraining) -> None:
    """Tell who listens what became of a retraining, which the registry has recorded by now."""
    resource = {"prefect.resource.id": f"digits.model.{MODEL}", "prefect.resource.name": MODEL}
    payload: dict[str, Any]
    if outcome.outcome == PROMOTED and outcome.version is not None:
        payload = {
            "version": outcome.version.reference,
            "sha256": outcome.version.sha256,
            "metrics": dict(outcome.version.metrics),
            "from": outcome.version.parent,
        }
    elif outcome.outcome == REFUSED and outcome.verdict is not None:
        checks = [asdict(check) for check in outcome.verdict.checks]
        payload = {"reason": outcome.verdict.reason, "checks": checks}
    else:
        return
    emit_event(f"digits.model.{outcome.outcome}", resource, payload=payload)
