"""The commands about what reviewers have decided."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.combinations import refuse_without_effect
from pipeline.cli.messages import say
from pipeline.cli.options import Json

if TYPE_CHECKING:
    from pipeline.review.queue import ReviewItem
    from pipeline.settings import Settings

app = typer.Typer()

reviews = typer.Typer(
    name="reviews",
    invoke_without_command=True,
    epilog="Example: digits reviews",
)
app.add_typer(reviews)

_DEFAULT_COUNT = 200


@reviews.callback()
def decisions(context: typer.Context, *, as_json: Json = False) -> None:
    """Show what reviewers have decided; take it to Label Studio and back.

    The page Review of `digits ui` adds decisions, `retrain --labelled reviews` trains on them.
    """
    if context.invoked_subcommand:
        command = context.invoked_subcommand
        refuse_without_effect(context, f"before {command}", {"as_json"})
        return
    from collections import Counter

    from pipeline.review.decision_file import DecisionFile
    from pipeline.review.decisions import NO_DIGIT
    from pipeline.settings import load_settings
    from pipeline.summaries import counted

    standing = DecisionFile(load_settings().reviews).refresh()
    verdicts = standing.verdicts().values()
    by_decision = Counter(verdict.decision for verdict in verdicts)
    digits = {digit: count for digit, count in sorted(by_decision.items()) if digit != NO_DIGIT}
    if as_json:
        values = {
            "images": len(verdicts),
            "digits": digits,
            "no_digit": by_decision[NO_DIGIT],
            "reviewers": dict(standing.by_reviewer().most_common()),
        }
        typer.echo(json.dumps(values, indent=2))
        return
    say(f"{counted(len(verdicts), 'decided image')}, {by_decision[NO_DIGIT]:,} of them no digit.")
    for name, count in standing.by_reviewer().most_common():
        say(f"{count:>8,}  {name}")


@reviews.command("export", epilog="Example: digits reviews export tasks.json --scores scores/")
def export_tasks(
    context: typer.Context,
    *,
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="File for the tasks; FILE.xml is beside it.")
    ],
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            help="Output of a scoring, to review what comes first there. Without it, what was "
            "decided is exported."
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, help="Maximum number of images to review.")
    ] = _DEFAULT_COUNT,
) -> None:
    """Write tasks for Label Studio: images to review, or those that are decided on."""
    from pipeline.files import atomic_write
    from pipeline.review.label_studio import CONFIGURATION, decided_tasks, open_tasks
    from pipeline.settings import load_settings
    from pipeline.summaries import counted

    if not scores:
        refuse_without_effect(context, "without --scores", {"count"})
    settings = load_settings()
    if scores:
        items = _first_of_queue(settings, scores, count)
        tasks = list(open_tasks(settings.reviews, items))
    else:
        tasks = list(decided_tasks(settings.reviews))
    configuration = target.with_suffix(".xml")
    for path, text in ((target, json.dumps(tasks)), (configuration, CONFIGURATION)):
        with atomic_write(path) as temporary:
            temporary.write_text(text)
    say(f"{counted(len(tasks), 'task')} in {target}, their labelling interface in {configuration}.")


@reviews.command("import", epilog="Example: digits reviews import export.json")
def import_tasks(
    context: typer.Context,
    *,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="JSON that Label Studio exported, or review.csv with a column label.",
            exists=True,
            dir_okay=False,
        ),
    ],
    reviewer: Annotated[
        str, typer.Option(help="Who filled in the labels of a review.csv.")
    ] = "review.csv",
) -> None:
    """Add decisions that were made in Label Studio, or in review.csv.

    What was decided likewise already adds nothing, so a file may be imported again.
    """
    from collections import Counter

    from pipeline.review import edited_tables, label_studio
    from pipeline.settings import load_settings
    from pipeline.summaries import counted

    settings = load_settings()
    left_out: Counter[str] = Counter()
    if source.suffix.lower() == ".csv":
        found = edited_tables.read_decisions(source, settings, reviewer, left_out)
    else:
        refuse_without_effect(context, "with what Label Studio exported", {"reviewer"})
        found = label_studio.read_decisions(source.read_bytes(), settings.reviews, left_out)
    label_studio.add(settings.reviews, found)
    say(f"{counted(len(found), 'decision')} added.")
    for reason, number in left_out.most_common():
        say(f"{number:>8,}  left out: {reason}")


def _first_of_queue(settings: "Settings", scores: list[Path], count: int) -> "list[ReviewItem]":
    from functools import partial

    from pipeline.review.networks import load_if_kept
    from pipeline.review.queue import ReviewQueue
    from pipeline.review.scored_batch import ScoredBatch

    batches = [ScoredBatch.open(directory) for directory in scores]
    load = partial(load_if_kept, settings.blobs_url)
    queue = ReviewQueue(settings.reviews, batches, load)
    return queue.take("label-studio", "label-studio", count)
