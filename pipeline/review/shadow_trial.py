"""A challenger's trial in the shadow: who was right where it and the champion disagreed.

A person's decision is the truth about an image, and its label if nobody has decided. The choice of
the images that are decided on may depend on how sure the versions are, but not on which is right.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import ShadowTrialError
from pipeline.metrics.significance import mcnemar
from pipeline.review.decision_file import DecisionFile
from pipeline.review.decisions import NO_DIGIT
from pipeline.scoring.shadow import SHADOW
from pipeline.settings import Settings
from registry import Batch, ModelVersion, Registry

LEAST = 10
"""Disagreements on which exactly one of the two must be known to be right: fewer prove nothing."""


@dataclass(frozen=True, slots=True)
class ShadowTrial:
    """What is known of the images that a champion and a challenger predicted differently."""

    champion: str
    challenger: str
    disagreements: int
    only_champion_right: int
    only_challenger_right: int

    @property
    def decided(self) -> int:
        """Disagreements on which exactly one of the two is known to be right."""
        return self.only_champion_right + self.only_challenger_right

    @property
    def p_value(self) -> float:
        """McNemar's exact test, one-sided: small if the challenger is worse by more than chance."""
        return mcnemar(self.only_champion_right, self.only_challenger_right)

    def __str__(self) -> str:
        return (
            f"{self.challenger} disagreed with {self.champion} on {self.disagreements:,} images in "
            f"the shadow; it was right on {self.only_challenger_right:,} and wrong on "
            f"{self.only_champion_right:,} of those whose truth is known"
        )


def require_shadow_trial(
    settings: Settings, registry: Registry, champion: ModelVersion, challenger: ModelVersion
) -> ShadowTrial:
    """Return the trial of a challenger that was not worse than the champion.

    Raises
    ------
    ShadowTrialError
        If it was worse by more than chance, or if too little is known.
    """
    trial = shadow_trial(settings, registry, champion, challenger)
    limit = settings.gate.significance
    if trial.decided < LEAST:
        raise ShadowTrialError(
            f"{trial}: expected at least {LEAST} such images, got {trial.decided}. Score with "
            "`--shadow`, and review what the two disagree on."
        )
    if trial.p_value < limit:
        raise ShadowTrialError(f"{trial}: shadow_mcnemar_p {trial.p_value:.2g} < {limit:g}.")
    return trial


def shadow_trial(
    settings: Settings, registry: Registry, champion: ModelVersion, challenger: ModelVersion
) -> ShadowTrial:
    """Return the trial of a challenger: all batches that the champion scored with it as the shadow.

    An image that was decided on counts once, however often it was scored.
    """
    standing = DecisionFile(settings.reviews).refresh()
    image_of = {(each.batch, each.path): each.sha256 for each in standing.decisions if each.batch}
    pairs: dict[tuple[str, str], tuple[int, int, int | None]] = {}
    for batch in _batches(registry, champion, challenger):
        for row in _disagreements(Path(batch.output) / SHADOW):
            place = (batch.output, row["path"])
            key, truth = place, row["label"]
            if (image := image_of.get(place)) is not None:
                key = (image, "")
                if (verdict := standing.verdict(image)) is not None:
                    is_digit = verdict.decision != NO_DIGIT
                    truth = int(verdict.decision) if is_digit else None
            pairs[key] = (row["prediction"], row["shadow_prediction"], truth)
    return ShadowTrial(
        champion.reference,
        challenger.reference,
        len(pairs),
        sum(first == truth for first, _, truth in pairs.values()),
        sum(second == truth for _, second, truth in pairs.values()),
    )


def _batches(
    registry: Registry, champion: ModelVersion, challenger: ModelVersion
) -> Iterator[Batch]:
    """Yield the batches, each output once, as its last scoring left it."""
    outputs = set()
    for batch in registry.batches(champion.name):
        if batch.output in outputs:
            continue
        outputs.add(batch.output)
        shadow = batch.shadow.version if batch.shadow else None
        if batch.sha256 == champion.sha256 and shadow == challenger.reference:
            yield batch


def _disagreements(directory: Path) -> list[dict[str, Any]]:
    """Return the rows of a data set of disagreements; none if it was moved or is damaged."""
    try:
        rows: list[dict[str, Any]] = pq.read_table(directory).to_pylist()
    except (OSError, pa.ArrowException):
        return []
    return rows
