"""The champion: which version it is, whether training would replace it, and promotion."""

import logging
from dataclasses import dataclass

from pipeline.gate.judging import Verdict
from pipeline.models import CHAMPION, MODEL, open_registry
from pipeline.settings import Settings
from pipeline.stages import stage
from pipeline.training.lineage import Lineage
from pipeline.training.reasons import why_promoted
from registry import Alias, AliasMovedError, ModelVersion, NotFoundError, ProtectedAliasError

_log = logging.getLogger(__name__)

# How many of the last events are searched for an earlier attempt.
_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Champion:
    """The version in production when a retraining began, and its alias as it was then."""

    alias: Alias
    version: ModelVersion


@stage
def find_champion(settings: Settings) -> Champion | None:
    """Return the version in production; None if there is none.

    Raises
    ------
    registry.MissingBlobError, registry.DamagedBlobError
        If its weights cannot be trusted: the gate could not compare a candidate with them.
    """
    with open_registry(settings) as registry:
        try:
            alias = registry.alias(MODEL, CHAMPION)
        except NotFoundError:
            return None
        registry.load(alias.reference)
        return Champion(alias, registry.get(alias.reference))


@stage
def why_unchanged(settings: Settings, lineage: Lineage, champion: ModelVersion) -> str | None:
    """Return why training would bring nothing new; None if it may.

    It would not if the champion has the same lineage, if a later version with this lineage was
    champion and was taken back, or if a candidate with it was refused against this champion.
    """
    if lineage.made(champion):
        return f"{champion.reference} was made of the same inputs, configuration and code"
    with open_registry(settings) as registry:
        for event in registry.history(MODEL, limit=_EVENTS):
            if event.alias == CHAMPION and (event.number or 0) > champion.number:
                version = registry.get(f"{MODEL}/{event.number}")
                if lineage.made(version):
                    return (
                        f"{version.reference}, made of the same inputs, configuration and code, "
                        "was champion and was taken back"
                    )
            if event.kind == "refused":
                candidate = event.details["candidate"]
                recorded = (candidate[name] for name in ("inputs", "params", "code_version"))
                if candidate["parent"] == champion.reference and lineage.matches(*recorded):
                    return (
                        "a candidate of the same inputs, configuration and code was refused on "
                        f"{event.at:%Y-%m-%d}"
                    )
    return None


@stage
def promote_version(
    settings: Settings, version: ModelVersion, champion: Champion | None, verdict: Verdict
) -> ModelVersion:
    """Point the champion alias at a version, unless it has moved since the gate looked."""
    reason = why_promoted(
        version, champion.version if champion else None, verdict, settings.labelled
    )
    with open_registry(settings) as registry:
        if champion and champion.version.number == version.number:
            # An earlier run of this retraining was killed after its promotion.
            return champion.version
        try:
            promoted = registry.set_alias(
                version.name,
                CHAMPION,
                version.number,
                expected=champion.alias if champion else 0,
                reason=reason,
            )
        except ProtectedAliasError:
            proposal = registry.propose(version.reference, CHAMPION, reason=reason)
            _log.warning(
                "%s is proposed: %s@%s is protected and needs %d approvals by others.",
                version.reference,
                version.name,
                CHAMPION,
                proposal.approvals_needed,
            )
            return version
        except AliasMovedError as error:
            _log.warning("%s was not promoted: %s", version.reference, error)
            return version
    _log.info("%s@%s is now %s.", version.name, CHAMPION, version.reference)
    return promoted
