"""The jobs as Prefect flows. Each calls the plain function, with its stages run as tasks.

Call `pipeline.flows.environment.set_defaults` before this module is imported: Prefect reads its
settings when it is imported.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypedDict

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.flows import FlowStateHook
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import AfterValidator, Field

from pipeline.data.preparation import DataReference
from pipeline.flows.environment import require_task_runner
from pipeline.flows.events import emit_outcome
from pipeline.flows.failures import tell_failure
from pipeline.flows.leases import survive_lost_leases
from pipeline.flows.names import rename_run
from pipeline.flows.outages import server_at_the_end
from pipeline.flows.progress_artifacts import ProgressArtifact
from pipeline.flows.recovery import start_again_after_crash
from pipeline.flows.retries import RETRIES, RETRY_DELAY, only_what_may_pass
from pipeline.flows.stage_runner import TaskStageRunner
from pipeline.flows.task_runners import configured_task_runner
from pipeline.inputs.selection import Labels
from pipeline.jobs import inbox as inbox_job
from pipeline.jobs import ingestion, retraining, scoring
from pipeline.monitoring.runs import running_as
from pipeline.progress import reporting_to
from pipeline.reporting import markdown
from pipeline.scoring.formats import Format
from pipeline.scoring.outcome import Options, Scoring
from pipeline.settings import load_settings
from pipeline.stages import run_stages_with
from pipeline.summaries import counted
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


class _Hooks(TypedDict):
    """Options of a flow."""

    on_failure: list[FlowStateHook[..., Any]]
    on_crashed: list[FlowStateHook[..., Any]]


class _Retries(TypedDict):
    """Options of a flow."""

    retries: int
    retry_delay_seconds: float


_HOUR = 3600

# A run that hangs would keep its slot, and so keep out all later ones. The preset `best` takes an
# hour on two cores.
_LONGEST = 12 * _HOUR

# A retry resumes the job: it keeps what the attempt before it finished.
_retried = _Retries(retries=RETRIES, retry_delay_seconds=RETRY_DELAY)

_told = _Hooks(on_failure=[tell_failure], on_crashed=[tell_failure, start_again_after_crash])


@flow(timeout_seconds=_HOUR, **_retried, **_told)
def ingest() -> State[DataReference]:
    """Download and verify MNIST, and convert it to Parquet."""
    with _stages_as_tasks():
        data = ingestion.ingest()
    create_markdown_artifact(markdown.ingestion_markdown(data), key="ingestion")
    return Completed(message="MNIST is verified", data=data)


@flow(flow_run_name="retrain {preset}", timeout_seconds=_LONGEST, **_retried, **_told)
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
        rename_run(f"retrain {preset}: {outcome.message}")
        return Completed(name=UNCHANGED, message=outcome.message, data=outcome)
    is_refused = isinstance(outcome, Refused)
    rename_run(f"retrain {preset}: {'refused' if is_refused else outcome.message}")
    emit_outcome(outcome)
    report = markdown.retraining_markdown(outcome)
    create_markdown_artifact(report, key="retraining", description=outcome.message)
    name = REJECTED if is_refused else None
    return Completed(name=name, message=outcome.message, data=outcome)


@flow(task_runner=configured_task_runner(), flow_run_name="score with {model}", **_retried, **_told)
def score(
    inputs: list[str],
    output: Path,
    model: str = "mnist@champion",
    options: Options | None = None,
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None,
    formats: Sequence[Format] = (),
    force: bool = False,  # noqa: FBT001, FBT002
    shadow: str | None = None,
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    labels: Labels = "auto",
) -> State[Scoring]:
    """Score images with one version, into a Parquet data set: see `pipeline.jobs.scoring`.

    If no image got a prediction, the state is ``NothingScored``.
    """
    with _stages_as_tasks(), reporting_to(ProgressArtifact("scoring-progress")):
        require_task_runner(load_settings())
        scored = scoring.score(
            inputs,
            output,
            model=model,
            min_confidence=min_confidence,
            formats=formats,
            force=force,
            shadow=shadow,
            **asdict(options or Options()),
            include=include,
            exclude=exclude,
            labels=labels,
        )
    create_markdown_artifact(markdown.scoring_markdown(scored), key="scoring")
    message = _message(scored)
    rename_run(f"score {output.name}: {message} with {scored.version.reference}")
    return Completed(name=_state_name(scored), message=message, data=scored)


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(
            f"expected an absolute path, because a run has its own working directory; got '{path}'"
        )
    return path


# No retries: it would keep out the next looks meanwhile, which find the same files.
@flow(
    task_runner=configured_task_runner(),
    timeout_seconds=_LONGEST,
    **_told,
)
def score_inbox(
    inbox: Annotated[Path, AfterValidator(_absolute)],
    outbox: Annotated[Path, AfterValidator(_absolute)],
    model: str = "mnist@champion",
    settle: Annotated[float, Field(ge=0)] = inbox_job.SETTLE,
    options: Options | None = None,
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None,
    shadow: str | None = None,
) -> State[list[Scoring]]:
    """Move the image files of an inbox into a batch, and score them."""
    with _stages_as_tasks():
        require_task_runner(load_settings())
        batches = inbox_job.score_inbox(
            inbox,
            outbox,
            model=model,
            settle=settle,
            min_confidence=min_confidence,
            shadow=shadow,
            **asdict(options or Options()),
        )
    for scored in batches:
        # An inbox that gets an image every minute would fill the database with pictures.
        has_changed = any(drift.is_far for drift in scored.drift)
        report = markdown.scoring_markdown(scored, pictures=has_changed)
        create_markdown_artifact(report, key="inbox")
    count = sum(scored.counts.files for scored in batches)
    without = [scored for scored in batches if not scored.counts.predicted]
    message = "; ".join([f"{counted(count, 'file')} scored", *map(_message, without)])
    if batches:
        last = batches[-1]
        batch = last.path.parent.name
        rename_run(f"score-inbox {batch}: {message} with {last.version.reference}")
    return Completed(name=NOTHING_SCORED if without else None, message=message, data=batches)


def _state_name(scored: Scoring) -> str | None:
    return None if scored.counts.predicted else NOTHING_SCORED


def _message(scored: Scoring) -> str:
    counts = scored.counts
    if counts.predicted:
        return f"{counted(counts.files, 'file')} scored"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.errors.items())
    return f"no image of {counted(counts.files, 'file')} got a prediction: {reasons}"


@contextlib.contextmanager
def _stages_as_tasks() -> Iterator[None]:
    # Prefect collects the records of this logger, at the logger's own level.
    logging.getLogger("pipeline").setLevel(logging.INFO)
    with (
        running_as(flow_run.get_id()),
        server_at_the_end(),
        only_what_may_pass(),
        run_stages_with(TaskStageRunner()),
    ):
        yield
