"""The row of a scored batch in the registry."""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from pipeline.inputs import finding
from pipeline.metrics.counts import PredictionCounts
from pipeline.metrics.estimation import estimate
from pipeline.models import open_registry
from pipeline.scoring.outcome import Options, Scoring
from pipeline.scoring.shadow import ShadowScoring
from pipeline.settings import Settings
from registry import AgreedLabels, BatchRecord, DriftFigure, Estimate, RegistryError, ShadowFigures

_log = logging.getLogger(__name__)

# Inputs that are kept; a shell may expand a pattern to thousands.
_MAX_INPUTS = 100


def record_batch(
    settings: Settings,
    scoring: Scoring,
    inputs: Sequence[str],
    output: Path,
    fingerprint: str,
    options: Options,
) -> None:
    """Record a scored batch in the registry.

    A registry that can only be read is no reason for a scoring to fail: a line of the log says so.
    """
    addresses = finding.absolute_addresses(inputs)
    record = _record_of(scoring, addresses, output)
    identity = [str(output.absolute()), scoring.version.sha256, fingerprint]
    text = json.dumps([*identity, dataclasses.asdict(options)])
    try:
        with open_registry(settings, create=False) as registry:
            registry.record_batch(record, key=hashlib.sha256(text.encode()).hexdigest())
    except RegistryError as error:
        _log.warning("The batch is not recorded in the registry: %s", error)


def _record_of(scoring: Scoring, addresses: Sequence[str], output: Path) -> BatchRecord:
    counts = scoring.counts
    estimated = estimate(counts)
    return BatchRecord(
        version=scoring.version.reference,
        sha256=scoring.version.sha256,
        inputs=tuple(addresses[:_MAX_INPUTS]),
        output=str(output.absolute()),
        files=counts.files,
        digits=tuple(counts.digits.tolist()),
        failures=dict(counts.errors),
        novel=counts.novel,
        confidence=None if estimated is None else estimated.accuracy,
        histogram=tuple(counts.histogram.tolist()),
        estimate=None if estimated is None else Estimate(*estimated),
        drift=tuple(DriftFigure(each.what, each.index, each.limit) for each in scoring.drift),
        labels=_labels_of(counts),
        shadow=None if scoring.shadow is None else _figures_of(scoring.shadow),
        seconds=scoring.seconds,
    )


def _figures_of(shadow: ShadowScoring) -> ShadowFigures:
    return ShadowFigures(
        version=shadow.version.reference,
        disagreements=shadow.comparison.disagreements,
        only_scorer_right=shadow.comparison.only_scorer_right,
        only_shadow_right=shadow.comparison.only_shadow_right,
    )


def _labels_of(counts: PredictionCounts) -> AgreedLabels | None:
    if not counts.labelled:
        return None
    return AgreedLabels(
        labelled=tuple(counts.labelled_histogram.tolist()),
        correct=tuple(counts.correct_histogram.tolist()),
        confidence=tuple(counts.labelled_confidence.tolist()),
    )
