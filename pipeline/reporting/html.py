"""The report of a retraining, as one HTML file without external resources."""

from pipeline.data.labelled import Collection
from pipeline.gate.judging import Verdict
from pipeline.reporting.pictures import retraining_pictures
from pipeline.reporting.rows import check_rows, flat_params, metric_rows
from pipeline.reporting.templating import environment
from pipeline.training.outcome import Registered, Trained

_Rows = list[tuple[str, object]]


def retraining_html(outcome: Trained) -> str:
    """Return a page with the outcome, the gate, metrics and pictures, parameters and inputs."""
    candidate, verdict = outcome.candidate, outcome.verdict
    version = outcome.version if isinstance(outcome, Registered) else None
    template = environment(autoescape=True).get_template("retraining.html.j2")
    return template.render(
        outcome=outcome.outcome,
        version=version,
        verdict=verdict,
        checks=check_rows(verdict),
        labelled=outcome.labelled,
        about=_about(outcome),
        user_images=_user_images(outcome.labelled, verdict) if outcome.labelled else [],
        pictures=retraining_pictures(candidate.history, verdict.validation.candidate),
        sections=[
            ("Metrics", metric_rows(outcome)),
            ("Parameters", list(flat_params(candidate.params))),
            ("Inputs, SHA-256", list(candidate.inputs.items())),
            ("Environment", list(version.environment.items()) if version else []),
        ],
    )


def _about(outcome: Trained) -> _Rows:
    rows: _Rows = [("run", outcome.run_id), ("weights, SHA-256", outcome.candidate.sha256)]
    if isinstance(outcome, Registered):
        rows += [
            ("aliases", ", ".join(outcome.version.aliases) or "none"),
            ("parent", outcome.version.parent or "none"),
        ]
    return rows


def _user_images(collection: Collection, verdict: Verdict) -> _Rows:
    rows: _Rows = [
        ("trained on", f"{collection.training:,}"),
        ("held out", f"{collection.held_out:,}"),
        ("duplicate files", f"{collection.duplicates:,}"),
        ("MNIST images, left out", f"{collection.of_mnist:,}"),
    ]
    if verdict.held_out:
        rows.append(("held-out accuracy", f"{verdict.held_out.candidate.accuracy:.4f}"))
        if verdict.held_out.champion:
            champion = f"held-out accuracy of {verdict.champion}"
            rows.append((champion, f"{verdict.held_out.champion.accuracy:.4f}"))
    rows += [(f"not used: {reason}", f"{count:,}") for reason, count in collection.errors.items()]
    return rows
