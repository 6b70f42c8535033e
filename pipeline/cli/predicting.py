"""The command that reads single images: predict."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.combinations import refuse_without_effect
from pipeline.cli.failures import FAILED
from pipeline.cli.options import Ink, Json, Normalize, Reject, ScoringModel

if TYPE_CHECKING:
    from pipeline.scoring.classifier import Classifier, Prediction

app = typer.Typer()

_STANDARD_INPUT = "-"

# Files that are read together: they are printed before the next ones are read.
_BATCH = 256


@app.command(epilog="Example: digits predict five.png")
def predict(
    context: typer.Context,
    *,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Image files; - for standard input.")
    ],
    model: ScoringModel = "mnist@champion",
    normalize: Normalize = "auto",
    ink: Ink = "auto",
    reject: Reject = None,
    json: Json = False,
) -> None:
    """Read the digit in each of some image files, and print it with its confidence.

    Each is read for itself, as `digits score` reads it. The exit status is 1 if one of them cannot
    be read; the reason stands in its line.
    """
    from pipeline.reporting.predictions import prediction_lines, predictions_json
    from pipeline.scoring.classifier import Classifier

    if normalize == "never":
        refuse_without_effect(context, "with --normalize never", {"ink"})
    classifier = Classifier.load(model, normalize=normalize, ink=ink, reject=reject)
    read: list[Prediction] = []
    for start in range(0, len(files), _BATCH):
        batch = files[start : start + _BATCH]
        predictions = [_read(classifier, file) for file in batch]
        read += predictions
        if not json:
            typer.echo("\n".join(prediction_lines(batch, predictions)))
    if json:
        from pipeline.reporting.text import show_json

        show_json(predictions_json(files, read))
    if any(prediction.digit is None for prediction in read):
        raise typer.Exit(FAILED)


def _read(classifier: "Classifier", file: str) -> "Prediction":
    return classifier.read(sys.stdin.buffer.read() if file == _STANDARD_INPUT else file)
