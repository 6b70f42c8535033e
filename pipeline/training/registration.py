"""Putting a judged candidate on record: as a version, or as a refusal."""

import logging

from pipeline.gate.judging import Verdict
from pipeline.metrics.drift import PROFILE, as_text
from pipeline.models import MODEL, open_registry
from pipeline.provenance import environment
from pipeline.settings import Settings
from pipeline.stages import stage
from pipeline.training.candidates import Candidate
from pipeline.training.lineage import Lineage
from registry import ModelVersion, RunRecord

_log = logging.getLogger(__name__)


@stage
def register(
    settings: Settings,
    lineage: Lineage,
    candidate: Candidate,
    verdict: Verdict,
    run_id: str,
) -> ModelVersion:
    """Register a candidate that passed the gate as a version whose parent is the champion."""
    with open_registry(settings) as registry:
        version = registry.register(
            MODEL,
            candidate.path.read_bytes(),
            _run_record(lineage, candidate, verdict, run_id),
            idempotency_key=run_id,
        )
    _log.info("Registered %s, SHA-256 %s.", version.reference, version.sha256)
    return version


@stage
def refuse(
    settings: Settings,
    lineage: Lineage,
    candidate: Candidate,
    verdict: Verdict,
    run_id: str,
) -> None:
    """Record that the gate refused a candidate."""
    with open_registry(settings) as registry:
        registry.refuse(MODEL, candidate.sha256, _run_record(lineage, candidate, verdict, run_id))
    _log.info("The gate refused the candidate: %s.", verdict.reason)


def _run_record(lineage: Lineage, candidate: Candidate, verdict: Verdict, run_id: str) -> RunRecord:
    """Return what the registry records about a candidate."""
    return RunRecord(
        metrics={**candidate.metrics, **verdict.metrics},
        params={**lineage.params, **candidate.params},
        tags={PROFILE: as_text(verdict.profile)},
        inputs=candidate.inputs,
        environment=environment(),
        gate=verdict.checks,
        parent=verdict.champion,
        code_version=lineage.code_version,
        run_id=run_id,
    )
