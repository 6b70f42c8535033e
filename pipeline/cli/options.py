"""The options and arguments that several commands share."""

from typing import Annotated, Literal

import typer

# The names are written here once more, and held equal by a test, because the modules that define
# them import NumPy and more, which `digits --help` does not need.
PresetName = Literal["quick", "standard", "best", "record"]
NormalizeName = Literal["auto", "always", "never"]
PolarityName = Literal["auto", "dark", "light"]
LabelsName = Literal["auto", "folders"]

FORMAT_NAMES = ("parquet", "csv", "xlsx", "jsonl")

Preset = Annotated[
    PresetName,
    typer.Option(
        "--preset",
        "-p",
        metavar="NAME",
        help="Size and length of the training: quick, standard, best or record.",
    ),
]
MinAccuracy = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        metavar="FRACTION",
        help="The gate's minimum accuracy on the validation split; by default that of the "
        "settings, 0.97.",
    ),
]
LabelledImages = Annotated[
    str | None,
    typer.Option(
        metavar="INPUT",
        help="Your own labelled images, which join MNIST: directories 0 to 9, a directory with "
        "a labels.csv, or Parquet; also s3://bucket/prefix. `reviews`: what reviewers decided.",
    ),
]
LabelsFrom = Annotated[
    LabelsName,
    typer.Option(
        "--labels",
        help="`folders`: directories 0 to 9 are labels even if others are beside them.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal weights.")]
Direct = Annotated[bool, typer.Option("--direct", help="Run without Prefect; this starts faster.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print no progress and no report, only warnings.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that are there already.")]

ScoringModel = Annotated[
    str, typer.Option("--model", "-m", metavar="REF", help="The version that reads the images.")
]
Normalize = Annotated[
    NormalizeName,
    typer.Option(help="Which images to normalize: those unlike MNIST's, all, or none."),
]
Ink = Annotated[
    PolarityName,
    typer.Option(help="Whether ink is darker or lighter than the paper; auto finds out."),
]
Reject = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Predict nothing if the novelty, a p-value, is smaller."),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reference = Annotated[
    str, typer.Argument(metavar="REF", help="A version: mnist@champion, mnist/7, @champion or 7.")
]
Alias = Annotated[str, typer.Option(help="The alias to move.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="The registered model.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the history.")]
