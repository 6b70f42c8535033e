"""Printing what a job would do."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.jobs.planning import RetrainingPlan, ScoringPlan


def show_plan(plan: "RetrainingPlan | ScoringPlan", *, json: bool) -> None:
    """Print a plan, as lines or as JSON."""
    from pipeline.reporting.job_json import plan_json
    from pipeline.reporting.text import Card, plain, show, show_json

    if json:
        show_json(plan_json(plan.summary()))
        return
    table = Card("Nothing is done (--dry-run)")
    for name, value in plan.summary().items():
        table.add_row(name, plain(value))
    show(table)
