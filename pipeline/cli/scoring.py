"""The commands that work on images: score and sample."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import running
from pipeline.cli.failures import FAILED
from pipeline.cli.options import Direct, NormalizeName, PolarityName

if TYPE_CHECKING:
    from pipeline.scoring.outcome import Scoring

app = typer.Typer()

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Directories, files or patterns ('scans/2026-*/*.png') of images or Parquet, also "
        "s3://bucket/prefix; with --explain, one image file.",
    ),
]
Output = Annotated[Path, typer.Option(help="Directory for predictions/, summary.json, review.csv.")]
ScoringModel = Annotated[str, typer.Option(metavar="REF", help="The version that scores.")]
Normalize = Annotated[
    NormalizeName,
    typer.Option(help="Which images to normalize: those unlike MNIST's, all, or none."),
]
Ink = Annotated[
    PolarityName,
    typer.Option(help="Whether ink is darker or lighter than the paper; auto finds out."),
]
Split = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="N", help="Cut each image into its N digits; 0: as many as it has."
    ),
]
Reject = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Predict nothing if the novelty, a p-value, is smaller."),
]
Probabilities = Annotated[
    bool, typer.Option("--probabilities", help="Write the probability of each digit.")
]
MinConfidence = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="List predictions with less confidence in review.csv."),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Draw how one image file is normalized, step by step.")
]


@app.command(epilog="Example: digits score scans/ --output scores/")
def score(
    *,
    inputs: Inputs,
    output: Output,
    model: ScoringModel = "mnist@champion",
    normalize: Normalize = "auto",
    ink: Ink = "auto",
    split: Split = None,
    reject: Reject = None,
    probabilities: Probabilities = False,
    min_confidence: MinConfidence = None,
    explain: Explain = False,
    direct: Direct = False,
) -> None:
    """Score images, as files or as rows of Parquet, into a Parquet data set.

    A run that was killed resumes where it was when it is run again. The exit status is 1 if no
    image got a prediction.
    """
    if explain:
        if len(inputs) > 1:
            raise typer.BadParameter(f"--explain: expected one file, got {len(inputs)}.")
        _explain(Path(inputs[0]), output, ink)
        return

    from pipeline.scoring.outcome import Options

    parameters = {
        "model": model,
        "options": Options(normalize, ink, split, reject, probabilities),
        "min_confidence": min_confidence,
    }
    run = _score_directly if direct else _score_as_flow
    scoring = run(inputs, output, parameters)

    from pipeline.reporting.tables import scoring_table
    from pipeline.reporting.text import show

    show(scoring_table(scoring))
    if not scoring.counts.predicted:
        typer.echo("Error: no image got a prediction; the reasons are above.", err=True)
        raise typer.Exit(FAILED)


@app.command(epilog="Example: digits sample --count 1000 --output sample/")
def sample(
    *,
    count: Annotated[int, typer.Option(min=1, help="Number of images.")],
    output: Annotated[Path, typer.Option(help="Directory for the images and labels.csv.")],
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds draw equal images.")] = 0,
) -> None:
    """Write MNIST test images as PNG files with their labels, to try scoring on."""
    from pipeline.jobs.sampling import sample as job

    written = running.call(job, count, output, seed=seed)
    typer.echo(f"{written} images and labels.csv are in {output}.")


def _score_directly(inputs: list[str], output: Path, parameters: dict[str, Any]) -> "Scoring":
    from dataclasses import asdict

    from pipeline.jobs.scoring import score as job
    from pipeline.processes import worker_processes
    from pipeline.stages import run_stages_with

    with worker_processes() as runner, run_stages_with(runner):
        options = asdict(parameters.pop("options"))
        return running.call(job, inputs, output, **parameters, **options)


def _score_as_flow(inputs: list[str], output: Path, parameters: dict[str, Any]) -> "Scoring":
    from pipeline.inputs.stores import locate

    # A password in an address is refused here, before Prefect would record it.
    for address in inputs:
        locate(address)
    scoring: Scoring = running.run_flow("score", inputs, output.absolute(), **parameters)
    return scoring


def _explain(file: Path, output: Path, ink: PolarityName) -> None:
    from pipeline.errors import InputError
    from pipeline.files import atomic_write
    from pipeline.images.decoding import UnreadableImageError
    from pipeline.images.encoding import png
    from pipeline.images.explaining import explanation

    try:
        picture = explanation(file, ink)
    except UnreadableImageError as error:
        raise InputError(f"{file}: expected an image to explain, got: {error.reason}.") from None
    target = output / f"{file.name}.explained.png"
    with atomic_write(target) as temporary:
        temporary.write_bytes(png(picture))
    typer.echo(f"The steps are drawn in {target}.")
