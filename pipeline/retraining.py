"""Retraining: ingest → train → gate → register → promote.

A candidate that the gate refuses does not become a version. That is an outcome, not an error:
the champion stays, and the history of the model says why, with figures. Killed at any moment, a
run leaves what was there before or a complete version; the next one goes on from the last stage
that was finished, to the same bytes.
"""

import contextlib
import hashlib
import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.drift import PROFILE, as_text
from pipeline.errors import BusyError, SettingsError
from pipeline.gate import Verdict, judge
from pipeline.ingestion import ingest
from pipeline.labelled import Collection, collect
from pipeline.provenance import code_version, environment
from pipeline.references import CHAMPION, MODEL, open_registry
from pipeline.report_page import retraining_html
from pipeline.settings import Settings, load_settings
from pipeline.stages import Runner, directly
from pipeline.thresholds import Thresholds
from pipeline.training import (
    PRESETS,
    Candidate,
    inputs_of,
    network_params,
    network_params_of,
    train,
)
from registry import Alias, AliasMovedError, ModelVersion, NotFoundError, RunRecord

_log = logging.getLogger(__name__)

PROMOTED = "promoted"
REGISTERED = "registered"
REFUSED = "refused"
UNCHANGED = "unchanged"

RECORD = "record.json"
"""Of a run: all that is known of it, as JSON."""

REPORT = "report.html"
"""Of a run: the same for people, with pictures, in one file."""

# Events, of the last of which it is asked whether the same was tried before.
_LOOKED_BACK = 100

# Seconds after which what a killed run left is not gone on with, unless it is asked for again.
_KEPT = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Lineage:
    """What decides on a version: the same again would give the same."""

    inputs: Mapping[str, str]
    """SHA-256 of all that is trained and tested on, by role."""
    params: Mapping[str, Any]
    """The preset, the network's parameters, and the gate's thresholds."""
    code_version: str

    @property
    def training_digest(self) -> str:
        """Stands for all that decides on the weights."""
        contents = [dict(self.inputs), network_params_of(self.params), self.code_version]
        return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()

    def made(self, version: ModelVersion) -> bool:
        """Whether a version is what would come of this."""
        return self.matches(version.inputs, version.params, version.code_version)

    def matches(
        self, inputs: Mapping[str, str], params: Mapping[str, Any], code_version: str | None
    ) -> bool:
        """Whether what is on record of a version or candidate is what would come of this."""
        params = dict(params)
        if self.params["threads"] is None:
            # As many as there were cores, then and now.
            params["threads"] = None
        return (dict(inputs), params, code_version) == (
            self.inputs,
            self.params,
            self.code_version,
        )


@dataclass(frozen=True, slots=True)
class Champion:
    """The version in production when a retraining began."""

    alias: Alias
    version: ModelVersion


@dataclass(frozen=True, slots=True)
class Retraining:
    """What a retraining came to."""

    outcome: str
    """``promoted``, ``registered`` (but not promoted), ``refused`` by the gate, or
    ``unchanged``: nothing was trained, since the champion is what would come of it."""
    run_id: str
    version: ModelVersion | None
    """The new one; the champion where nothing has changed; None where the candidate was
    refused."""
    why: str | None
    """Why nothing was trained; None where something was."""
    verdict: Verdict | None
    """None where nothing was trained; so are the next two."""
    candidate: Candidate | None
    directory: Path | None
    """It has the run's ``record.json`` and ``report.html``."""
    labelled: Collection | None
    """The user's own images, if any were given."""

    @property
    def message(self) -> str:
        """What it came to, in a line."""
        if self.version is not None:
            return f"{self.version.reference} {self.outcome}"
        return self.verdict.reason if self.verdict else self.outcome


def retrain(
    *,
    preset: str = "standard",
    min_accuracy: float | None = None,
    seed: int = 0,
    labelled: str | Path | None = None,
    promote: bool = True,
    force: bool = False,
    run_id: str | None = None,
    settings: Settings | None = None,
    run: Runner = directly,
) -> Retraining:
    """Train a candidate and, if the gate lets it pass, register and promote it.

    Where the champion was made of the same inputs, configuration and code, nothing is done; nor
    where the same was tried before: refused against this champion, or champion and taken back.

    Parameters
    ----------
    preset : {"quick", "standard", "best"}
    min_accuracy : float, optional
        The gate's, on the validation split, a fraction in [0, 1]; that of the settings where it
        is left out.
    seed : int
        Of the training. Equal seeds give equal weights.
    labelled : str or Path, optional
        Where labelled images are that join MNIST: see `pipeline.labelled.collect`.
    promote : bool
        Whether ``mnist@champion`` moves to the new version.
    force : bool
        Train even if nothing has changed.
    run_id : str, optional
        Names the run, unless it goes on with one that was killed.
    settings : Settings, optional
        Of the environment where not given.
    run : Runner
        Calls the stages.

    Raises
    ------
    SettingsError
        Where a parameter is outside its domain.
    BusyError
        Where another retraining is at work, and the settings say to leave then.
    InputError
        Where there are no labelled images where they were said to be.
    NoSourceLeftError
        Where MNIST is neither there nor to be had.
    registry.BlobError
        Where the champion's weights are not the ones registered.
    """
    settings = settings or load_settings()
    if min_accuracy is None:
        min_accuracy = settings.gate.min_accuracy
    _require(preset in PRESETS, "preset", "one of " + ", ".join(PRESETS), preset)
    _require(0 <= min_accuracy <= 1, "min_accuracy", "a fraction in [0, 1]", min_accuracy)
    _require(seed >= 0, "seed", "a whole number from 0", seed)
    thresholds = settings.gate.model_copy(update={"min_accuracy": min_accuracy})

    with _alone(settings):
        data = ingest(settings=settings, run=run)
        collection = run(collect, labelled, data, settings.labelled) if labelled else None
        own = collection.reference if collection else None
        lineage = Lineage(
            inputs_of(data, own),
            {
                "preset": preset,
                "gate": thresholds.model_dump(),
                **network_params(preset, seed),
            },
            code_version(),
        )
        champion = run(find_champion, settings)
        work = settings.unfinished / lineage.training_digest
        _sweep(settings.unfinished)
        if champion and not force and not work.exists():
            why = run(why_unchanged, settings, lineage, champion.version)
            if why:
                _log.info("Nothing is trained: %s.", why)
                return Retraining(
                    UNCHANGED, run_id or "", champion.version, why, None, None, None, collection
                )
        run_id = _run_id(work, thresholds, run_id)
        candidate = run(train, data, own, network_params_of(lineage.params), work)
        verdict = run(
            judge,
            data,
            own,
            candidate.path,
            champion.version if champion else None,
            settings.blobs_url,
            thresholds,
        )
        version = None
        outcome = REFUSED
        if verdict.passed:
            version = run(register, settings, lineage, candidate, verdict, run_id)
            outcome = REGISTERED
            if promote:
                version = run(promote_version, settings, version, champion, verdict)
                if CHAMPION in version.aliases:
                    outcome = PROMOTED
        else:
            run(refuse, settings, lineage, candidate, verdict, run_id)
        directory = settings.runs / run_id
        retraining = Retraining(
            outcome, run_id, version, None, verdict, candidate, directory, collection
        )
        run(conclude, retraining, work)
    return retraining


def find_champion(settings: Settings) -> Champion | None:
    """Return the version in production, and the place of its alias."""
    with open_registry(settings) as registry:
        try:
            alias = registry.alias(MODEL, CHAMPION)
        except NotFoundError:
            return None
        return Champion(alias, registry.get(alias.reference))


def why_unchanged(settings: Settings, lineage: Lineage, champion: ModelVersion) -> str | None:
    """Say why training would bring nothing new, if that is known.

    The champion was made of the same; or a later version was, which has been champion and which
    somebody has taken back; or a candidate that was refused against this champion.
    """
    if lineage.made(champion):
        return f"{champion.reference} was made of the same inputs, configuration and code"
    with open_registry(settings) as registry:
        for event in registry.history(MODEL, limit=_LOOKED_BACK):
            if event.alias == CHAMPION and (event.number or 0) > champion.number:
                version = registry.get(f"{MODEL}/{event.number}")
                if lineage.made(version):
                    return (
                        f"{version.reference}, made of the same inputs, configuration and code, "
                        "was champion and was taken back"
                    )
            if event.kind == "refused":
                candidate = event.details["candidate"]
                told = (candidate[name] for name in ("inputs", "params", "code_version"))
                if candidate["parent"] == champion.reference and lineage.matches(*told):
                    return (
                        "a candidate of the same inputs, configuration and code was refused on "
                        f"{event.at:%Y-%m-%d}"
                    )
    return None


def register(
    settings: Settings,
    lineage: Lineage,
    candidate: Candidate,
    verdict: Verdict,
    run_id: str,
) -> ModelVersion:
    """Make a candidate that passed the gate a version, which follows the champion."""
    with open_registry(settings) as registry:
        version = registry.register(
            MODEL,
            candidate.path.read_bytes(),
            _run_record(lineage, candidate, verdict, run_id),
            idempotency_key=run_id,
        )
    _log.info("Registered %s, SHA-256 %s.", version.reference, version.sha256)
    return version


def refuse(
    settings: Settings,
    lineage: Lineage,
    candidate: Candidate,
    verdict: Verdict,
    run_id: str,
) -> None:
    """Put a candidate that did not pass on record."""
    with open_registry(settings) as registry:
        registry.refuse(MODEL, candidate.sha256, _run_record(lineage, candidate, verdict, run_id))
    _log.info("The gate refused the candidate: %s.", verdict.reason)


def promote_version(
    settings: Settings, version: ModelVersion, champion: Champion | None, verdict: Verdict
) -> ModelVersion:
    """Point ``champion`` at a version, if it is where it was when the gate looked."""
    with open_registry(settings) as registry:
        if champion and champion.version.number == version.number:
            # A run that was killed had come as far as this.
            return champion.version
        try:
            promoted = registry.set_alias(
                version.name,
                CHAMPION,
                version.number,
                expected=champion.alias if champion else 0,
                reason=verdict.summary,
            )
        except AliasMovedError as error:
            _log.warning("%s was not promoted: %s", version.reference, error)
            return version
    _log.info("%s@%s is %s now.", version.name, CHAMPION, version.reference)
    return promoted


def conclude(retraining: Retraining, work: Path) -> None:
    """Keep the run's record and report; the training's own files are of no further use."""
    assert retraining.directory is not None
    # A run that was killed may have come as far as this.
    files.sweep(retraining.directory)
    with files.replacing(retraining.directory / RECORD) as temporary:
        temporary.write_text(json.dumps(_record(retraining), indent=2, default=str) + "\n")
    with files.replacing(retraining.directory / REPORT) as temporary:
        temporary.write_text(retraining_html(retraining), encoding="utf-8")
    files.remove(work)


def _record(retraining: Retraining) -> dict[str, Any]:
    candidate, verdict = retraining.candidate, retraining.verdict
    assert candidate is not None
    assert verdict is not None
    return {
        "outcome": retraining.outcome,
        "run_id": retraining.run_id,
        "version": retraining.version.reference if retraining.version else None,
        "champion": verdict.champion,
        "gate": [asdict(check) for check in verdict.checks],
        "sha256": candidate.sha256,
        "metrics": dict(candidate.metrics),
        "params": dict(candidate.params),
        "inputs": dict(candidate.inputs),
        "labelled": None if retraining.labelled is None else asdict(retraining.labelled),
        "history": [asdict(epoch) for epoch in candidate.history],
    }


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


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Keep other retrainings under the same home out."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(settings.unfinished, wait=False))
        except BlockingIOError:
            if settings.when_busy == "leave":
                raise BusyError(
                    f"Another retraining is at work under {settings.home}. Run this one again "
                    "when it has ended, or set DIGITS_WHEN_BUSY=wait."
                ) from None
            _log.warning("Another retraining is at work under %s: waiting.", settings.home)
            stack.enter_context(files.locked(settings.unfinished))
        yield


def _run_id(work: Path, thresholds: Thresholds, proposed: str | None) -> str:
    """Return the run that a killed one of the same began, or begin one."""
    path = work / "run.json"
    gate = thresholds.model_dump()
    with contextlib.suppress(FileNotFoundError):
        earlier = json.loads(path.read_text())
        if earlier["gate"] == gate:
            _log.info("Going on with run %s.", earlier["run_id"])
            return str(earlier["run_id"])
    run_id = proposed or str(uuid.uuid4())
    with files.replacing(path) as temporary:
        temporary.write_text(json.dumps({"run_id": run_id, "gate": gate}))
    return run_id


def _sweep(unfinished: Path) -> None:
    """Remove what runs have left that nobody has asked for again."""
    files.sweep(unfinished)
    for work in unfinished.iterdir():
        if work.is_dir() and time.time() - work.stat().st_mtime > _KEPT:
            files.remove(work)


def _require(holds: bool, name: str, expected: str, got: object) -> None:  # noqa: FBT001
    if not holds:
        raise SettingsError(f"{name}: expected {expected}, got {got!r}.")
