"""The jobs as Prefect flows. Each is the plain function, with its stages run as tasks.

Nothing is cached by Prefect: a cached path is returned even when its file is gone. What is
cached is cached by digest, in the stages themselves: a file that is verified to be right is
neither downloaded nor converted again.

Import `pipeline.prefect_settings` and call `prepare` before this module: Prefect reads its
settings when it is imported.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, cast

from prefect import Task, flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.tasks import exponential_backoff
from pydantic import AfterValidator, Field

from pipeline import inbox as inboxes
from pipeline import ingestion, reports, retraining, scoring, training
from pipeline import labelled as labelled_images
from pipeline.announcements import announce
from pipeline.errors import NoSourceLeftError
from pipeline.gate import judge
from pipeline.ingestion import DataReference
from pipeline.progress import reporting_to
from pipeline.progress_artifacts import ProgressArtifact
from pipeline.retraining import REFUSED, UNCHANGED, Retraining
from pipeline.scoring import Scoring
from pipeline.settings import load_settings
from pipeline.stages import side_by_side
from pipeline.task_runners import task_runner

REJECTED = "Rejected"
"""The state of a retraining whose candidate the gate refused."""

STAYED = "Unchanged"
"""The state of a retraining that had nothing to do."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a download that failed may succeed a little later."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, NoSourceLeftError) and error.transient


# Shards submitted before the first of them is waited for: enough for a small cluster, and few
# enough for ten million files.
_UNDER_WAY = 64

_STAGES: tuple[Callable[..., Any], ...] = (
    ingestion.convert,
    labelled_images.collect,
    retraining.find_champion,
    retraining.why_unchanged,
    training.train,
    judge,
    retraining.register,
    retraining.refuse,
    retraining.promote_version,
    retraining.conclude,
    scoring.resolve,
    scoring.plan,
    scoring.score_shard,
    scoring.summarise,
)

_TASKS: dict[Callable[..., Any], Task[..., Any]] = {
    stage: task(cache_policy=NO_CACHE, persist_result=False)(stage) for stage in _STAGES
}
_TASKS[ingestion.download] = task(
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=3,
    retry_delay_seconds=exponential_backoff(2),
    retry_jitter_factor=0.5,
    retry_condition_fn=_is_transient,
)(ingestion.download)


def _as_task(stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    return cast(_T, _TASKS[stage](*args, **kwargs))


def _as_tasks(stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
    return side_by_side(_TASKS[stage].submit, calls, _UNDER_WAY)


@flow
def ingest() -> DataReference:
    """Download and verify MNIST, and convert it to Parquet."""
    _pass_on_logs()
    data = ingestion.ingest(run=_as_task)
    create_markdown_artifact(reports.ingestion_markdown(data), key="ingestion")
    return data


@flow
def retrain(
    preset: Literal["quick", "standard", "best"] = "standard",
    min_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None,
    seed: Annotated[int, Field(ge=0)] = 0,
    labelled: str | None = None,
    promote: bool = True,  # noqa: FBT001, FBT002 - Prefect passes parameters by name
    force: bool = False,  # noqa: FBT001, FBT002
) -> State[Retraining]:
    """Train a candidate and, if the gate lets it pass, register and promote it.

    A refusal is the completed state ``Rejected``: an expected outcome, which is not retried.
    Where nothing has changed the state is ``Unchanged``.
    """
    _pass_on_logs()
    with reporting_to(ProgressArtifact("retraining-progress")):
        done = retraining.retrain(
            preset=preset,
            min_accuracy=min_accuracy,
            seed=seed,
            labelled=labelled,
            promote=promote,
            force=force,
            run_id=flow_run.get_id(),
            run=_as_task,
        )
    if done.outcome == UNCHANGED:
        return Completed(name=STAYED, message=done.message, data=done)
    announce(done)
    report = reports.retraining_markdown(done)
    create_markdown_artifact(report, key="retraining", description=done.message)
    name = REJECTED if done.outcome == REFUSED else None
    return Completed(name=name, message=done.message, data=done)


@flow(task_runner=task_runner(load_settings()))
def score(
    inputs: list[str],
    output: Path,
    model: str = "mnist@champion",
    options: scoring.Options | None = None,
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None,
) -> Scoring:
    """Score images with one version, into a Parquet data set: see `pipeline.scoring.score`."""
    _pass_on_logs()
    with reporting_to(ProgressArtifact("scoring-progress")):
        scored = scoring.score(
            inputs,
            output,
            model=model,
            options=options,
            min_confidence=min_confidence,
            run=_as_task,
            spread=_as_tasks,
        )
    create_markdown_artifact(reports.scoring_markdown(scored), key="scoring")
    return scored


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(
            f"expected an absolute path, for a run has its own directory; got '{path}'"
        )
    return path


@flow(task_runner=task_runner(load_settings()))
def score_inbox(
    inbox: Annotated[Path, AfterValidator(_absolute)],
    outbox: Annotated[Path, AfterValidator(_absolute)],
    model: str = "mnist@champion",
    settle: Annotated[float, Field(ge=0)] = inboxes.SETTLE,
    options: scoring.Options | None = None,
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None,
) -> State[list[Scoring]]:
    """Score the image files that are in an inbox, and move them out of it."""
    _pass_on_logs()
    batches = inboxes.score_inbox(
        inbox,
        outbox,
        model=model,
        settle=settle,
        options=options,
        min_confidence=min_confidence,
        run=_as_task,
        spread=_as_tasks,
    )
    for scored in batches:
        create_markdown_artifact(reports.scoring_markdown(scored), key="inbox")
    count = sum(scored.tally.files for scored in batches)
    return Completed(message=f"{count:,} files scored", data=batches)


def _pass_on_logs() -> None:
    # Prefect takes in the loggers that `prepare` names, at the level that they have.
    logging.getLogger("pipeline").setLevel(logging.INFO)
