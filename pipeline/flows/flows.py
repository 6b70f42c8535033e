"""The jobs as Prefect flows. Each calls the plain function, with its stages run as tasks.

Call `pipeline.flows.environment.set_defaults` before this module is imported: Prefect reads its
settings when it is imported.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import AfterValidator, Field

from pipeline.data.preparation import DataReference
from pipeline.flows.environment import require_task_runner
from pipeline.flows.events import emit_outcome
from pipeline.flows.leases import survive_lost_leases
from pipeline.flows.progress_artifacts import ProgressArtifact
from pipeline.flows.stage_runner import TaskStageRunner
from pipeline.flows.task_runners import configured_task_runner
from pipeline.inputs.selection import Labels
from pipeline.jobs import inbox as inbox_job
from pipeline.jobs import ingestion, retraining, scoring
from pipeline.progress import reporting_to
from pipeline.reporting import markdown
from pipeline.scoring.formats import Format
from pipeline.scoring.outcome import Options, Scoring
from pipeline.settings import load_settings
from pipeline.stages import run_stages_with
from pipeline.training.outcome import Refused, Retraining, Unchanged
from pipeline.training.presets import Preset

# When a flow starts, Prefect has taken its function for the lease already.
survive_lost_leases()

REJECTED = "Rejected"
"""The state of a retraining whose candidate the gate refused."""

UNCHANGED = "Unchanged"
"""The state of a retraining that had nothing to do."""

NOTHING_SCORED = "NothingScored"
"""The state of a scoring in which no image got a prediction."""


@flow
def ingest() -> DataReference:
    """Download and verify MNIST, and convert it to Parquet."""
    with _stages_as_tasks():
        data = ingestion.ingest()
    create_markdown_artifact(markdown.ingestion_markdown(data), key="ingestion")
    return data


@flow
def retrain(
    preset: Preset = "standard",
    min_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None,
    seed: Annotated[int, Field(ge=0)] = 0,
    labelled: str | None = None,
    labels: Labels = "auto",
    promote: bool = True,  # noqa: FBT001, FBT002 - Prefect passes parameters by name
    force: bool = False,  # noqa: FBT001, FBT002
) -> State[Retraining]:
    """Train a candidate; if it passes the gate, register and promote it.

    A refusal is the completed state ``Rejected``: an expected outcome, which is not retried.
    If nothing has changed, the state is ``Unchanged``.
    """
    with _stages_as_tasks(), reporting_to(ProgressArtifact("retraining-progress")):
        outcome = retraining.retrain(
            preset=preset,
            min_accuracy=min_accuracy,
            seed=seed,
            labelled=labelled,
            labels=labels,
            promote=promote,
            force=force,
            run_id=flow_run.get_id(),
        )
    if isinstance(outcome, Unchanged):
        return Completed(name=UNCHANGED, message=outcome.message, data=outcome)
    emit_outcome(outcome)
    report = markdown.retraining_markdown(outcome)
    create_markdown_artifact(report, key="retraining", description=outcome.message)
    name = REJECTED if isinstance(outcome, Refused) else None
    return Completed(name=name, message=outcome.message, data=outcome)


@flow(task_runner=configured_task_runner())
def score(
    inputs: list[str],
    output: Path,
    model: str = "mnist@champion",
    options: Options | None = None,
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None,
    formats: Sequence[Format] = (),
    force: bool = False,  # noqa: FBT001, FBT002
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    labels: Labels = "auto",
) -> State[Scoring]:
    """Score images with one version, into a Parquet data set: see `pipeline.jobs.scoring`.

    If no image got a prediction, the state is ``NothingScored``.
    """
    require_task_runner(load_settings())
    with _stages_as_tasks(), reporting_to(ProgressArtifact("scoring-progress")):
        scored = scoring.score(
            inputs,
            output,
            model=model,
            min_confidence=min_confidence,
            formats=formats,
            force=force,
            **asdict(options or Options()),
            include=include,
            exclude=exclude,
            labels=labels,
        )
    create_markdown_artifact(markdown.scoring_markdown(scored), key="scoring")
    return Completed(name=_state_name(scored), message=_message(scored), data=scored)


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(
            f"expected an absolute path, because a run has its own working directory; got '{path}'"
        )
    return path


@flow(task_runner=configured_task_runner())
def score_inbox(
    inbox: Annotated[Path, AfterValidator(_absolute)],
    outbox: Annotated[Path, AfterValidator(_absolute)],
    model: str = "mnist@champion",
    settle: Annotated[float, Field(ge=0)] = inbox_job.SETTLE,
    options: Options | None = None,
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None,
) -> State[list[Scoring]]:
    """Move the image files of an inbox into a batch, and score them."""
    require_task_runner(load_settings())
    with _stages_as_tasks():
        batches = inbox_job.score_inbox(
            inbox,
            outbox,
            model=model,
            settle=settle,
            min_confidence=min_confidence,
            **asdict(options or Options()),
        )
    for scored in batches:
        create_markdown_artifact(markdown.scoring_markdown(scored), key="inbox")
    count = sum(scored.counts.files for scored in batches)
    without = [scored for scored in batches if not scored.counts.predicted]
    message = "; ".join([f"{count:,} files scored", *map(_message, without)])
    return Completed(name=NOTHING_SCORED if without else None, message=message, data=batches)


def _state_name(scored: Scoring) -> str | None:
    return None if scored.counts.predicted else NOTHING_SCORED


def _message(scored: Scoring) -> str:
    counts = scored.counts
    if counts.predicted:
        return f"{counts.files:,} files scored"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.errors.items())
    return f"no image of {counts.files:,} files got a prediction: {reasons}"


@contextlib.contextmanager
def _stages_as_tasks() -> Iterator[None]:
    # Prefect collects the records of this logger, at the logger's own level.
    logging.getLogger("pipeline").setLevel(logging.INFO)
    with run_stages_with(TaskStageRunner()):
        yield
