"""The commands that work on images: score and sample."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import running
from pipeline.cli.combinations import all_but, refuse_without_effect
from pipeline.cli.failures import FAILED
from pipeline.cli.messages import say
from pipeline.cli.options import (
    FORMAT_NAMES,
    Direct,
    DryRun,
    Force,
    Ink,
    Json,
    LabelsFrom,
    Normalize,
    PolarityName,
    Quiet,
    Reject,
    ScoringModel,
)

if TYPE_CHECKING:
    from pipeline.scoring.outcome import Options, Scoring

app = typer.Typer()


def _known_formats(values: list[str] | None) -> list[str]:
    """Return the names in options such as ``csv,xlsx``."""
    names = [name.strip() for value in values or [] for name in value.split(",")]
    for name in names:
        if name not in FORMAT_NAMES:
            raise typer.BadParameter(f"expected {', '.join(FORMAT_NAMES)}, got {name!r}.")
    return names


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Directories, files or patterns (`'scans/2026-*/*.png'`) of images or Parquet, also "
        "s3://bucket/prefix; with --explain, one image file.",
    ),
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", help="Directory for predictions/, summary.json, review.csv."),
]
Split = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="N", help="Cut each image into its N digits; 0: as many as it has."
    ),
]
Probabilities = Annotated[
    bool, typer.Option("--probabilities", "-p", help="Write the probability of each digit.")
]
MinConfidence = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="List predictions with less confidence in review.csv."),
]
Shadow = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Compare with the predictions of another version, such as challenger, in shadow/.",
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        callback=_known_formats,
        help="Also write predictions.csv, .xlsx or .jsonl: csv, xlsx, jsonl or several with "
        "commas. The Parquet data set is always written.",
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Score only files that match; may be given again."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Leave out files and directories that match."),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Draw how one image file is normalized, step by step.")
]


@app.command(epilog="Example: digits score scans/ --output scores/ --format xlsx")
def score(
    context: typer.Context,
    *,
    inputs: Inputs,
    output: Output = Path("scores"),
    model: ScoringModel = "mnist@champion",
    normalize: Normalize = "auto",
    ink: Ink = "auto",
    split: Split = None,
    reject: Reject = None,
    probabilities: Probabilities = False,
    min_confidence: MinConfidence = None,
    formats: Formats = None,
    shadow: Shadow = None,
    include: Include = None,
    exclude: Exclude = None,
    labels: LabelsFrom = "auto",
    explain: Explain = False,
    force: Force = False,
    dry_run: DryRun = False,
    direct: Direct = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score images, as files or as rows of Parquet, into a Parquet data set.

    A run that was killed resumes where it was when it is run again. The exit status is 1 if no
    image got a prediction.
    """
    if explain:
        useful = {"inputs", "output", "ink", "explain"}
        refuse_without_effect(context, "with --explain", all_but(context, useful))
        _explain(inputs, output, ink)
        return
    if normalize == "never" and split is None:
        refuse_without_effect(context, "with --normalize never", {"ink"})

    from pipeline.scoring.outcome import Options

    options = Options(normalize, ink, split, reject, probabilities)
    parameters: dict[str, Any] = {
        "model": model,
        "min_confidence": min_confidence,
        "formats": formats or [],
        "force": force,
        "shadow": shadow,
        "include": tuple(include or ()),
        "exclude": tuple(exclude or ()),
        "labels": labels,
    }
    if dry_run:
        _show_plan(inputs, output, options, parameters, json=json)
        return
    run = _score_directly if direct else _score_as_flow
    scoring = run(inputs, output, options, parameters, quiet=quiet or json)
    _conclude(scoring, json=json, quiet=quiet)


def _show_plan(
    inputs: list[str], output: Path, options: "Options", parameters: dict[str, Any], *, json: bool
) -> None:
    """Print what would be scored."""
    from pipeline.cli.plans import show_plan
    from pipeline.jobs.planning import plan_scoring

    show_plan(plan_scoring(inputs, output, options=options, **parameters), json=json)


def _conclude(scoring: "Scoring", *, json: bool, quiet: bool) -> None:
    """Print the outcome, and end with status 1 if no image got a prediction."""
    if json:
        from pipeline.reporting.job_json import scoring_json
        from pipeline.reporting.text import show_json

        show_json(scoring_json(scoring))
    elif not quiet:
        from pipeline.reporting.tables import scoring_table
        from pipeline.reporting.text import show

        show(scoring_table(scoring))
    if not scoring.counts.predicted:
        say("Error: no image got a prediction; the reasons are above.", err=True)
        raise typer.Exit(FAILED)


@app.command(epilog="Example: digits sample --count 1000 --output sample/")
def sample(
    *,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Number of images.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory for the images and labels.csv.")
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Draw training images as people send them: mixed, boxed, thin, photograph, … "
            "Without it, test images as they are.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds draw equal images.")] = 0,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write MNIST test images as PNG files with their labels, to try scoring on.

    With --kind, they can be tried as labelled images for `digits retrain --labelled`.
    """
    from pipeline.jobs.sampling import sample as job

    written = running.call(
        job, count, output, kind=kind, seed=seed, force=force, quiet=quiet or json
    )
    if json:
        from pipeline.reporting.job_json import sample_json
        from pipeline.reporting.text import show_json

        show_json(sample_json(written, output))
    elif not quiet:
        from pipeline.summaries import counted

        say(f"{counted(written, 'image')} and labels.csv are in {output}.")


def _check(inputs: list[str], output: Path, parameters: dict[str, Any]) -> None:
    """Find what is wrong before a server is started.

    That includes a password in an address, which Prefect would record.
    """
    from pipeline.inputs.selection import Selection
    from pipeline.jobs.scoring import check
    from pipeline.settings import load_settings

    checked = dict(parameters)
    selection = Selection(*(checked.pop(name) for name in ("include", "exclude", "labels")))
    check(inputs, output, selection, settings=load_settings(), **checked)


def _score_directly(
    inputs: list[str],
    output: Path,
    options: "Options",
    parameters: dict[str, Any],
    *,
    quiet: bool,
) -> "Scoring":
    from dataclasses import asdict

    from pipeline.jobs.scoring import score as job
    from pipeline.stages import run_stages_with
    from pipeline.stages.processes import worker_processes

    with worker_processes() as runner, run_stages_with(runner):
        return running.call(job, inputs, output, quiet=quiet, **asdict(options), **parameters)


def _score_as_flow(
    inputs: list[str],
    output: Path,
    options: "Options",
    parameters: dict[str, Any],
    *,
    quiet: bool,
) -> "Scoring":
    from pipeline.flows.environment import require_task_runner
    from pipeline.settings import load_settings

    require_task_runner(load_settings())
    _check(inputs, output, parameters)
    scoring: Scoring = running.run_flow(
        "score", inputs, output.absolute(), options=options, quiet=quiet, **parameters
    )
    return scoring


def _explain(inputs: list[str], output: Path, ink: PolarityName) -> None:
    if len(inputs) > 1:
        raise typer.BadParameter(f"--explain: expected one file, got {len(inputs)}.")
    file = Path(inputs[0])
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
    say(f"The steps are drawn in {target}.")
