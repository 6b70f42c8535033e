"""Retraining: ingest → train → gate → register → promote.

A candidate that the gate refuses does not become a version. That is an outcome, not an error:
the champion stays, and the record of the run says why, with figures. Killed at any moment, a
run leaves what was there before or a complete version, and can be run again.
"""

import json
import logging
import platform
import uuid
from dataclasses import asdict, dataclass
from importlib.metadata import version as release_of
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import files
from pipeline.errors import SettingsError
from pipeline.gate import Verdict, judge
from pipeline.ingestion import ingest
from pipeline.references import CHAMPION, MODEL, open_registry
from pipeline.settings import Settings, load_settings
from pipeline.stages import Runner, directly
from pipeline.training import PRESETS, Candidate, train
from registry import ModelVersion, NotFoundError

_log = logging.getLogger(__name__)

PROMOTED = "promoted"
REGISTERED = "registered"
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Retraining:
    """What a retraining came to."""

    outcome: str
    """``promoted``, ``registered`` (but not promoted, as asked) or ``refused`` by the gate."""
    run_id: str
    verdict: Verdict
    candidate: Candidate
    version: ModelVersion | None
    """None where the candidate was refused."""
    record: Path
    """The run's record, as JSON."""


def retrain(
    *,
    preset: str = "standard",
    min_accuracy: float = 0.97,
    seed: int = 0,
    promote: bool = True,
    run_id: str | None = None,
    settings: Settings | None = None,
    run: Runner = directly,
) -> Retraining:
    """Train a candidate and, if the gate lets it pass, register and promote it.

    Parameters
    ----------
    preset : {"quick", "standard", "best"}
    min_accuracy : float
        The gate's, on the validation split; a fraction in [0, 1].
    seed : int
        Of the training. Equal seeds give equal weights.
    promote : bool
        Whether ``mnist@champion`` moves to the new version.
    run_id : str, optional
        Names the run; a run repeated under the same name registers nothing twice.
    settings : Settings, optional
        Of the environment where not given.
    run : Runner
        Calls the stages.

    Raises
    ------
    SettingsError
        Where a parameter is outside its domain.
    NoSourceLeftError
        Where MNIST is neither there nor to be had.
    """
    _require(preset in PRESETS, "preset", "one of " + ", ".join(PRESETS), preset)
    _require(0 <= min_accuracy <= 1, "min_accuracy", "a fraction in [0, 1]", min_accuracy)
    _require(seed >= 0, "seed", "a whole number from 0", seed)
    settings = settings or load_settings()
    run_id = run_id or str(uuid.uuid4())
    directory = settings.runs / run_id
    checkpoint = settings.checkpoints / f"{preset}-{seed}.safetensors"

    data = ingest(settings=settings, run=run)
    candidate = run(train, data, preset, seed, directory / "candidate.safetensors", checkpoint)
    verdict = run(judge, candidate.metrics, min_accuracy)
    version = None
    outcome = REFUSED
    if verdict.passed:
        version = run(register, settings, candidate, verdict, run_id)
        outcome = REGISTERED
        if promote:
            version = run(promote_version, settings, version)
            outcome = PROMOTED
    retraining = Retraining(outcome, run_id, verdict, candidate, version, directory / "record.json")
    run(conclude, retraining, checkpoint)
    return retraining


def register(
    settings: Settings, candidate: Candidate, verdict: Verdict, run_id: str
) -> ModelVersion:
    """Make a candidate that passed the gate a version, which follows the champion."""
    with open_registry(settings) as registry:
        try:
            parent = registry.get(f"{MODEL}@{CHAMPION}").reference
        except NotFoundError:
            parent = None
        version = registry.register(
            MODEL,
            candidate.path.read_bytes(),
            metrics=candidate.metrics,
            params=candidate.params,
            inputs=candidate.inputs,
            environment={
                "machine": platform.machine(),
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            gate=verdict.checks,
            parent=parent,
            code_version=release_of("digits-pipeline"),
            run_id=run_id,
            idempotency_key=run_id,
        )
    _log.info("Registered %s, SHA-256 %s.", version.reference, version.sha256)
    return version


def promote_version(settings: Settings, version: ModelVersion) -> ModelVersion:
    """Point ``champion`` at a version."""
    with open_registry(settings) as registry:
        promoted = registry.set_alias(version.name, CHAMPION, version.number)
    _log.info("%s@%s is %s now.", version.name, CHAMPION, version.reference)
    return promoted


def conclude(retraining: Retraining, checkpoint: Path) -> None:
    """Keep the run's record; candidate's and training's own files are of no further use."""
    with files.replacing(retraining.record) as temporary:
        temporary.write_text(json.dumps(_record(retraining), indent=2) + "\n")
    retraining.candidate.path.unlink(missing_ok=True)
    checkpoint.unlink(missing_ok=True)
    if retraining.outcome == REFUSED:
        _log.info("The gate refused the candidate: %s.", retraining.verdict.reason)


def _record(retraining: Retraining) -> dict[str, Any]:
    candidate = retraining.candidate
    return {
        "outcome": retraining.outcome,
        "run_id": retraining.run_id,
        "version": retraining.version.reference if retraining.version else None,
        "gate": [asdict(check) for check in retraining.verdict.checks],
        "sha256": candidate.sha256,
        "metrics": dict(candidate.metrics),
        "params": dict(candidate.params),
        "inputs": dict(candidate.inputs),
    }


def _require(holds: bool, name: str, expected: str, got: object) -> None:  # noqa: FBT001
    if not holds:
        raise SettingsError(f"{name}: expected {expected}, got {got!r}.")
