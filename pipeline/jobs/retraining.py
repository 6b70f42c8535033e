"""Retraining: ingest → collect → train → judge → register or refuse → promote → conclude.

A candidate that the gate refuses does not become a version. That is an outcome, not an error:
the champion stays, and the model's history records the refusal with its figures. A run that is
killed leaves either the previous state or a complete version. The next run resumes after the last
finished stage, and produces the same bytes.
"""

import logging
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.data.labelled import MIN_USED, Collection, collect
from pipeline.data.labelled.listing import count_images
from pipeline.data.preparation import DataReference
from pipeline.errors import InvalidParameterError
from pipeline.gate.judging import judge
from pipeline.inputs.selection import Labels
from pipeline.jobs.ingestion import ingest
from pipeline.monitoring.runs import recorded
from pipeline.reporting.run_files import write_run_files
from pipeline.review import REVIEWS
from pipeline.review.labels import write_labels
from pipeline.settings import Settings, Thresholds, load_settings
from pipeline.stages import stage
from pipeline.training.champion import find_champion, promote_version, why_unchanged
from pipeline.training.lineage import Lineage, lineage_of
from pipeline.training.outcome import Refused, Registered, Retraining, Trained, Unchanged
from pipeline.training.presets import PRESETS
from pipeline.training.registration import refuse, register
from pipeline.training.training import train
from pipeline.training.unfinished import begin_run, only_retraining, remove_abandoned

_log = logging.getLogger(__name__)

_PRESET = "standard"


def _recorded_outcome(outcome: Retraining) -> tuple[str, str]:
    name = "completed" if isinstance(outcome, Registered) else outcome.outcome
    return name, outcome.message


def _check(settings: Settings, given: Mapping[str, Any]) -> None:
    check_parameters(
        settings, given.get("preset", _PRESET), given.get("seed", 0), given.get("min_accuracy")
    )


@recorded("retrain", _recorded_outcome, create=True, check=_check)
def retrain(
    *,
    preset: str = _PRESET,
    min_accuracy: float | None = None,
    seed: int = 0,
    labelled: str | PathLike[str] | None = None,
    labels: Labels = "auto",
    promote: bool = True,
    force: bool = False,
    run_id: str | None = None,
    settings: Settings | None = None,
) -> Retraining:
    """Train a candidate; if it passes the gate, register and promote it.

    Nothing is trained if the champion was made of the same inputs, configuration and code, or if
    such a candidate was refused against this champion, or was rolled back.

    Parameters
    ----------
    preset : {"quick", "standard", "best", "record"}
    min_accuracy : float, optional
        The gate's minimum accuracy on the validation split, a fraction in [0, 1]; that of the
        settings by default.
    seed : int
        Seed of the training. Equal seeds give equal weights.
    labelled : str or PathLike, optional
        Labelled images that join MNIST: see `pipeline.data.labelled.collect`. ``"reviews"`` means
        the images that reviewers have decided on; a directory of that name is ``"./reviews"``.
    labels : {"auto", "folders"}
        ``folders``: directories ``0`` to ``9`` are labels even if others are beside them.
    promote : bool
        Whether ``mnist@champion`` moves to the new version.
    force : bool
        Train even if nothing has changed.
    run_id : str, optional
        Id of the run, unless a killed run is resumed.
    settings : Settings, optional
        Those of the environment by default.

    Raises
    ------
    InvalidParameterError
        If a parameter is outside its domain.
    BusyError
        If another retraining runs, and the settings say not to wait for it.
    InputError
        If few or none of the labelled images can be used.
    NoMirrorLeftError
        If MNIST is not in the data directory and no source delivers it.
    registry.BlobError
        If the champion's weights do not match their digest.
    """
    settings = settings or load_settings()
    thresholds = check_parameters(settings, preset, seed, min_accuracy)
    with only_retraining(settings):
        remove_abandoned(settings.unfinished)
        data = ingest(settings=settings)
        collection = _collect(labelled, labels, data, settings)
        user_images = collection.reference if collection else None
        lineage = lineage_of(data, user_images, preset, seed, thresholds)
        champion = find_champion(settings)
        work = work_of(settings, lineage)
        if champion and not force and not work.exists():
            reason = why_unchanged(settings, lineage, champion.version)
            if reason:
                _log.info("Nothing is trained: %s.", reason)
                return Unchanged(champion.version, reason, collection)
        run_id = begin_run(work, thresholds, run_id)
        candidate = train(data, user_images, lineage.network_params, work)
        incumbent = champion.version if champion else None
        verdict = judge(
            data, user_images, candidate.path, incumbent, settings.blobs_url, thresholds
        )
        directory = settings.runs / run_id
        outcome: Trained
        if verdict.passed:
            version = register(settings, lineage, candidate, verdict, run_id)
            if promote:
                version = promote_version(settings, version, champion, verdict)
            outcome = Registered(run_id, candidate, verdict, directory, collection, version)
        else:
            refuse(settings, lineage, candidate, verdict, run_id)
            outcome = Refused(run_id, candidate, verdict, directory, collection)
        conclude(outcome, work)
    return outcome


def _collect(
    labelled: str | PathLike[str] | None,
    labels: Labels,
    data: DataReference,
    settings: Settings,
) -> Collection | None:
    """Collect the user's own images, if any were given, and require that most can be used."""
    source = labelled_source(labelled, settings)
    if source is None:
        return None
    collection = collect(source, data, settings.labelled, labels)
    collection.require_use(source)
    return collection


def check_labelled(labelled: str | PathLike[str] | None, labels: Labels) -> None:
    """Find what is wrong with labelled images before anything is started for them.

    That includes a password in an address, which Prefect would record.

    Raises
    ------
    InputError
        If there are no images, or their label table is invalid.
    """
    if labelled and labelled != REVIEWS:
        count_images(str(labelled), labels)


def work_of(settings: Settings, lineage: Lineage) -> Path:
    """Return the directory of a training that was killed, or goes on."""
    return settings.unfinished / lineage.training_digest


def labelled_source(labelled: str | PathLike[str] | None, settings: Settings) -> str | None:
    """Return where labelled images are; None if there are none.

    The label table of the reviews is written anew, if these are wanted. Too few reviews count as
    none, with a warning.
    """
    if not labelled:
        return None
    if labelled == REVIEWS:
        labelled, count = write_labels(settings.reviews)
        if count < MIN_USED:
            _log.warning(
                "Trained without reviews: expected at least %d images that were decided to be a "
                "digit, got %d.",
                MIN_USED,
                count,
            )
            return None
    return str(labelled)


@stage
def conclude(outcome: Trained, work: Path) -> None:
    """Write the record and the report of a run, and remove its checkpoint."""
    write_run_files(outcome)
    files.remove_directory(work)


def check_parameters(
    settings: Settings, preset: str, seed: int, min_accuracy: float | None
) -> Thresholds:
    """Return the thresholds of the gate.

    Raises
    ------
    InvalidParameterError
        If a parameter is outside its domain.
    """
    if preset not in PRESETS:
        raise InvalidParameterError("preset", f"one of {', '.join(PRESETS)}", preset)
    if seed < 0:
        raise InvalidParameterError("seed", "an integer of at least 0", seed)
    if min_accuracy is None:
        return settings.gate
    if not 0 <= min_accuracy <= 1:
        raise InvalidParameterError("min_accuracy", "a fraction in [0, 1]", min_accuracy)
    return settings.gate.model_copy(update={"min_accuracy": min_accuracy})
