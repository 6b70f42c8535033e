"""What a retraining came to, as one HTML file that asks nothing of any network."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from pipeline.evaluation import Mistake
from pipeline.pictures import of_retraining
from pipeline.terminal import moment

if TYPE_CHECKING:
    from pipeline.gate import Verdict
    from pipeline.labelled import Collection
    from pipeline.retraining import Retraining
    from pipeline.training import Candidate

# Nothing but what is in the page itself may be shown, whatever got into it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --line: #d8d8d8; --faint: #666; --good: #2e7d32; --bad: #c62828; }
@media (prefers-color-scheme: dark) {
  :root { --line: #444; --faint: #a0a0a0; --good: #81c784; --bad: #ff8a80; }
}
body { font: 15px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: 0; }
h2 { font-size: 1.15em; margin: 2em 0 0.5em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { border-bottom: 1px solid var(--line); padding: 0.25em 1.2em 0.25em 0; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--faint); font-weight: normal; }
code { font-size: 0.9em; overflow-wrap: anywhere; }
img { display: block; width: 600px; max-width: 100%; height: auto; background: #fff;
  border-radius: 6px; }
.faint { color: var(--faint); margin-top: 0.2em; }
.passed, .promoted, .registered { color: var(--good); }
.failed, .refused { color: var(--bad); font-weight: bold; }
"""


def retraining_html(retraining: "Retraining") -> str:
    """Return a page with the outcome, the gate, figures and pictures, and all it was made of."""
    candidate, verdict, version = retraining.candidate, retraining.verdict, retraining.version
    assert candidate is not None
    assert verdict is not None
    what = version.reference if version else "Candidate"
    evaluation = verdict.validation
    parts = [
        f'<h1>{escape(what)} <span class="{retraining.outcome}">{retraining.outcome}</span></h1>',
        *_about(retraining, candidate, verdict),
        "<h2>Gate</h2>",
        *_gate(verdict),
        f"<p>{evaluation.wrong:,} of {evaluation.images:,} validation images "
        "were taken for another digit.</p>",
    ]
    for title, uri in of_retraining(candidate.history, evaluation).items():
        parts += [f"<h2>{title}</h2>", f'<img alt="{title}" src="{uri}">']
    if evaluation.mistakes:
        parts += _where(evaluation.mistakes)
    if retraining.labelled:
        parts += ["<h2>Own labelled images</h2>", *_own(retraining.labelled, verdict)]
    figures = {**candidate.metrics, **verdict.metrics}
    for title, values in (
        ("Figures", {name: f"{value:.4f}" for name, value in figures.items()}),
        ("Parameters", dict(_flat(candidate.params))),
        ("Inputs, SHA-256", candidate.inputs),
        ("Environment", version.environment if version else {}),
    ):
        if values:
            parts += [f"<h2>{title}</h2>", *_table(values.items())]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(what)} {retraining.outcome}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            *parts,
            "</body>",
            "</html>",
            "",
        ]
    )


def _about(retraining: "Retraining", candidate: "Candidate", verdict: "Verdict") -> Iterator[str]:
    version = retraining.version
    facts = {"run": retraining.run_id, "weights, SHA-256": candidate.sha256}
    if version:
        command = f"digits show {version.reference}"
        yield f'<p class="faint">{moment(version.created_at)} UTC · <code>{command}</code></p>'
        facts["aliases"] = ", ".join(version.aliases) or "none"
        facts["parent"] = version.parent or "none"
    else:
        yield f'<p class="faint">{escape(verdict.reason)}. The champion stays.</p>'
    yield from _table(facts.items())


def _gate(verdict: "Verdict") -> Iterator[str]:
    if verdict.champion:
        yield f'<p class="faint">Held against {escape(verdict.champion)} on the same images.</p>'
    yield "<table>"
    yield _row("th", "check", "figure", "threshold", "verdict")
    for check in verdict.checks:
        word = "passed" if check.passed else "failed"
        figures = (f"{check.figure:.4f}", f"{check.threshold:.4f}")
        yield _row("td", check.name, *figures, word, kind=word)
    yield "</table>"


def _own(collection: "Collection", verdict: "Verdict") -> Iterator[str]:
    facts: dict[str, object] = {
        "trained on": f"{collection.training:,}",
        "held out": f"{collection.held_out:,}",
        "files with an image that another has": f"{collection.duplicates:,}",
        "MNIST's own, left out": f"{collection.of_mnist:,}",
    }
    if verdict.held_out:
        facts["accuracy on those held out"] = f"{verdict.held_out.accuracy:.4f}"
    if verdict.champion_held_out:
        facts[f"that of {verdict.champion}"] = f"{verdict.champion_held_out.accuracy:.4f}"
    for reason, count in collection.errors.items():
        facts[f"not used: {reason}"] = f"{count:,}"
    yield from _table(facts.items())
    if collection.conflicts:
        yield "<details><summary>Images with several labels, left out</summary><table>"
        yield _row("th", "labels", "files")
        for conflict in collection.conflicts:
            yield _row("td", ", ".join(map(str, conflict.labels)), ", ".join(conflict.paths))
        yield "</table></details>"


def _where(mistakes: Sequence[Mistake]) -> Iterator[str]:
    yield "<details><summary>Which images these are</summary><table>"
    yield _row("th", "label", "taken for", "confidence", "image")
    for mistake in mistakes:
        digits = (str(mistake.label), str(mistake.prediction))
        yield _row("td", *digits, f"{mistake.confidence:.4f}", mistake.place)
    yield "</table></details>"


def _row(tag: str, *cells: str, kind: str = "") -> str:
    inner = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
    return f'<tr class="{kind}">{inner}</tr>' if kind else f"<tr>{inner}</tr>"


def _table(rows: Iterable[tuple[str, object]]) -> Iterator[str]:
    yield "<table>"
    for name, value in rows:
        yield f"<tr><th>{escape(name)}</th><td><code>{escape(str(value))}</code></td></tr>"
    yield "</table>"


def _flat(params: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield parameters, those within a parameter under its name and theirs."""
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
