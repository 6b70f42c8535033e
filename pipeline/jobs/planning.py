"""What a scoring or a retraining would do, without doing it."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from pipeline.data import mnist
from pipeline.data.labelled.listing import count_images as count_labelled
from pipeline.data.preparation import DataReference, SplitReference
from pipeline.inputs.selection import Labels, Selection
from pipeline.jobs import scoring
from pipeline.jobs.retraining import check_parameters
from pipeline.models import CHAMPION, MODEL, open_registry
from pipeline.scoring.listing import count_images, scored_before
from pipeline.scoring.outcome import Options
from pipeline.settings import Settings, load_settings
from pipeline.summaries import Summarized
from pipeline.training.champion import why_unchanged
from pipeline.training.lineage import lineage_of
from pipeline.training.presets import network_params
from registry import ModelVersion, NotFoundError


@dataclass(frozen=True, slots=True, repr=False)
class ScoringPlan(Summarized):
    """What a scoring would do."""

    version: ModelVersion
    """The version that would score."""
    inputs: tuple[str, ...]
    images: int
    """Images, as files or rows of Parquet."""
    scored_before: int
    """Images that an earlier run of the same has scored already."""
    starts_over: bool
    """Whether the predictions of another run in the output would be removed."""
    output: Path

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name."""
        earlier = f", {self.scored_before:,} of them scored before" if self.scored_before else ""
        results = "; those of another run there are removed" if self.starts_over else ""
        return {
            "would score": f"{self.images:,} images{earlier}",
            "of": ", ".join(self.inputs),
            "with": self.version.reference,
            "into": f"{self.output}{results}",
        }


@dataclass(frozen=True, slots=True, repr=False)
class RetrainingPlan(Summarized):
    """What a retraining would do."""

    preset: str
    sizes: tuple[int, ...]
    """Neurons in each layer."""
    epochs: int
    labelled: int | None
    """The user's own labelled images; None if none were given."""
    needs_download: bool
    """Whether MNIST is not on this machine yet."""
    champion: ModelVersion | None
    """The version that the candidate would be compared with."""
    unchanged: str | None
    """Why nothing would be trained; None if something would, or if that depends on the user's
    own images, which have to be read first."""

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name."""
        if self.unchanged:
            return {"would train": "nothing", "reason": self.unchanged}
        sizes = "–".join(map(str, self.sizes))
        values: dict[str, object] = {
            "would train": f"the preset {self.preset}: {sizes}, {self.epochs} epochs",
            "on": "MNIST" + (", which is downloaded first" if self.needs_download else ""),
        }
        if self.labelled is not None:
            values["and on"] = f"{self.labelled:,} labelled images of yours, if they have changed"
        against = "nothing: there is no champion yet"
        if self.champion is not None:
            accuracy = self.champion.metrics.get("validation_accuracy")
            known = "" if accuracy is None else f", validation accuracy {accuracy:.4f}"
            against = f"{self.champion.reference}{known}"
        return {**values, "and compare with": against}


def plan_scoring(
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    output: str | PathLike[str] = "scores",
    *,
    model: str | int | ModelVersion = f"{MODEL}@{CHAMPION}",
    options: Options | None = None,
    force: bool = False,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    labels: Labels = "auto",
    settings: Settings | None = None,
) -> ScoringPlan:
    """Return what `score` would do with the same arguments; nothing is written.

    Raises
    ------
    InputError, OutputError, registry.NotFoundError
        If the scoring would fail at once.
    """
    settings = settings or load_settings()
    output = Path(output)
    selection = Selection(tuple(include), tuple(exclude), labels)
    addresses, version = scoring.check(
        inputs,
        output,
        selection,
        model=model,
        min_confidence=None,
        formats=(),
        force=force,
        settings=settings,
    )
    with tempfile.TemporaryDirectory() as directory:
        listing = count_images(addresses, Path(directory), selection)
    done = scored_before(output, addresses, version, options or Options(), listing)
    return ScoringPlan(
        version=version,
        inputs=addresses,
        images=listing.files,
        scored_before=done or 0,
        starts_over=done is None,
        output=output,
    )


def plan_retraining(
    *,
    preset: str = "standard",
    min_accuracy: float | None = None,
    seed: int = 0,
    labelled: str | PathLike[str] | None = None,
    labels: Labels = "auto",
    force: bool = False,
    settings: Settings | None = None,
) -> RetrainingPlan:
    """Return what `retrain` would do with the same arguments; nothing is downloaded or written.

    Raises
    ------
    InvalidParameterError, InputError
        If the retraining would fail at once.
    """
    settings = settings or load_settings()
    thresholds = check_parameters(settings, preset, seed, min_accuracy)
    images = None if labelled is None else count_labelled(str(labelled), labels)
    splits = (
        SplitReference(settings.data / f"{split.name}.parquet", split)
        for split in mnist.MNIST.splits
    )
    data = DataReference(*splits)
    champion = _champion(settings)
    unchanged = None
    if champion is not None and not force and labelled is None:
        lineage = lineage_of(data, None, preset, seed, thresholds)
        unchanged = why_unchanged(settings, lineage, champion)
    params = network_params(preset, seed)
    return RetrainingPlan(
        preset=preset,
        sizes=tuple(params["sizes"]),
        epochs=params["epochs"],
        labelled=images,
        needs_download=not all(part.path.exists() for part in (data.train, data.test)),
        champion=champion,
        unchanged=unchanged,
    )


def _champion(settings: Settings) -> ModelVersion | None:
    try:
        with open_registry(settings, create=False) as registry:
            return registry.get(f"{MODEL}@{CHAMPION}")
    except NotFoundError:
        return None
