"""Decisions from a list to review that somebody has filled in: ``review.csv`` with labels."""

import hashlib
from collections import Counter
from pathlib import Path

from pipeline.inputs.labels import path_key, read_label_table
from pipeline.review import kept_images
from pipeline.review.decision_file import DecisionFile
from pipeline.review.decisions import Decision, now
from pipeline.review.label_studio import UNCHANGED
from pipeline.review.networks import load_if_kept
from pipeline.review.scored_batch import ScoredBatch
from pipeline.settings import Settings

_NO_ROW = "no such path in the predictions"


def read_decisions(
    table: Path, settings: Settings, reviewer: str, left_out: Counter[str]
) -> list[Decision]:
    """Return the decisions that a table adds, and keep their images.

    Parameters
    ----------
    table : Path
        A CSV file in the output of a scoring, with the columns path and label.
    settings : Settings
    reviewer : str
    left_out : Counter
        Counts the rows that add nothing, by reason.

    Raises
    ------
    InputError
        If it is no such table, or is not in the output of a scoring.
    """
    content = table.read_bytes()
    labels = read_label_table(content, str(table)).labels
    batch = ScoredBatch.open(table.parent)
    rows = {path_key(batch.path_of(row)): row for row in range(len(batch))}
    network = load_if_kept(settings.blobs_url, batch.sha256)
    verdicts = DecisionFile(settings.reviews).refresh().verdicts()
    in_force = {sha256: verdict.decision for sha256, verdict in verdicts.items()}
    decisions = []
    for path, label in labels.items():
        sheet = batch.sheet(rows[path], network) if path in rows else _NO_ROW
        if isinstance(sheet, str):
            left_out[sheet] += 1
            continue
        sha256 = kept_images.digest(sheet)
        if in_force.get(sha256) == str(label):
            left_out[UNCHANGED] += 1
            continue
        kept_images.keep(settings.reviews, sha256, sheet)
        in_force[sha256] = str(label)
        text = f"{hashlib.sha256(content).hexdigest()} {path}"
        decisions.append(
            Decision(
                id=hashlib.sha256(text.encode()).hexdigest()[:16],
                sha256=sha256,
                decision=str(label),
                reviewer=reviewer,
                time=now(),
                batch=str(batch.directory),
                path=batch.path_of(rows[path]),
                model=batch.model,
            )
        )
    return decisions
