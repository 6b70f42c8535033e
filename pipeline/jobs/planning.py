"""What a scoring or a retraining would do, without doing it."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from pipeline.data import mnist
from pipeline.data.labelled import Collection, preview
from pipeline.data.labelled.listing import count_images as count_labelled
from pipeline.data.preparation import DataReference, SplitReference
from pipeline.inputs.selection import Labels, Selection
from pipeline.jobs import scoring
from pipeline.jobs.retraining import check_parameters, labelled_source, work_of
from pipeline.models import CHAMPION, MODEL, open_registry
from pipeline.reporting.rows import own_images_line
from pipeline.scoring.formats import tables_of
from pipeline.scoring.listing import count_images, scored_before
from pipeline.scoring.outcome import Options
from pipeline.scoring.review_files import REVIEW
from pipeline.settings import Settings, load_settings
from pipeline.summaries import Summarized, counted
from pipeline.training.champion import why_unchanged
from pipeline.training.lineage import lineage_of
from pipeline.training.presets import network_params
from pipeline.training.reasons import labelled_change
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
    tables: tuple[str, ...]
    """Names of the files for people that would be written beside the data set."""
    shadow: ModelVersion | None
    """The version whose predictions would be compared."""

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name."""
        earlier = f", {self.scored_before:,} of them scored before" if self.scored_before else ""
        if self.scored_before == self.images:
            earlier = ", all of them scored before"
        results = "; those of another run there are removed" if self.starts_over else ""
        values: dict[str, object] = {
            "would score": f"{counted(self.images, 'image')}{earlier}",
            "of": ", ".join(self.inputs),
            "with": self.version.reference,
            "into": f"{self.output}{results}",
        }
        if self.tables:
            values["and write"] = ", ".join(self.tables)
        if self.shadow is not None:
            values["and compare with"] = self.shadow.reference
        return values


@dataclass(frozen=True, slots=True, repr=False)
class RetrainingPlan(Summarized):
    """What a retraining would do."""

    preset: str
    sizes: tuple[int, ...]
    """Neurons in each layer."""
    members: int
    """Networks of these sizes that are trained together."""
    epochs: int
    labelled: Collection | int | None
    """How the user's own labelled images would be used; None if none were given. Only their number
    if MNIST, whose images are left out, is not on this machine yet."""
    labelled_change: str | None
    """How these images differ from those of the champion; None if that is not known."""
    needs_download: bool
    """Whether MNIST is not on this machine yet."""
    champion: ModelVersion | None
    """The version that the candidate would be compared with."""
    promote: bool
    """Whether the candidate would become the champion if it passes the gate."""
    unchanged: str | None
    """Why nothing would be trained; None if something would."""

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name."""
        if self.unchanged:
            return {
                "would train": "nothing",
                "reason": self.unchanged,
                **self._own_images(),
            }
        sizes = "–".join(map(str, self.sizes))
        if self.members > 1:
            sizes = f"{self.members} × {sizes}"
        return {
            "would train": f"the preset {self.preset}: {sizes}, {counted(self.epochs, 'epoch')}",
            "on": "MNIST" + (", which is downloaded first" if self.needs_download else ""),
            **self._own_images(),
            "and compare with": self._opponent(),
            **({} if self.promote else {"and then": "register it; the champion stays"}),
        }

    def _own_images(self) -> dict[str, object]:
        if self.labelled is None:
            return {}
        if isinstance(self.labelled, int):
            given = counted(self.labelled, "image")
            return {"own images": f"{given}, without those that are in MNIST or cannot be read"}
        values: dict[str, object] = {"own images": own_images_line(self.labelled)}
        if self.champion is not None and self.labelled_change is not None:
            values[f"since {self.champion.reference}"] = self.labelled_change
        return values

    def _opponent(self) -> str:
        if self.champion is None:
            return "nothing: there is no champion yet"
        accuracy = self.champion.metrics.get("validation_accuracy")
        known = "" if accuracy is None else f", validation accuracy {accuracy:.4f}"
        return f"{self.champion.reference}{known}"


def plan_scoring(
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    output: str | PathLike[str] = "scores",
    *,
    model: str | int | ModelVersion = f"{MODEL}@{CHAMPION}",
    options: Options | None = None,
    min_confidence: float | None = None,
    formats: str | Sequence[str] = (),
    force: bool = False,
    shadow: str | int | ModelVersion | None = None,
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
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    addresses, version = scoring.check(
        inputs,
        output,
        selection,
        model=model,
        min_confidence=min_confidence,
        formats=formats,
        force=force,
        settings=settings,
    )
    with tempfile.TemporaryDirectory() as directory:
        shards = Path(directory)
        listing = count_images(addresses, shards, selection)
        done = scored_before(output, addresses, version, options or Options(), listing, shards)
    return ScoringPlan(
        version=version,
        inputs=addresses,
        images=listing.files,
        scored_before=done or 0,
        starts_over=done is None,
        output=output,
        tables=tuple(
            [REVIEW] * (min_confidence is not None)
            + [table.name for table in tables_of(output) if table.suffix[1:] in formats]
        ),
        shadow=None if shadow is None else scoring.resolve_shadow(settings, shadow),
    )


def plan_retraining(
    *,
    preset: str = "standard",
    min_accuracy: float | None = None,
    seed: int = 0,
    labelled: str | PathLike[str] | None = None,
    labels: Labels = "auto",
    promote: bool = True,
    force: bool = False,
    settings: Settings | None = None,
) -> RetrainingPlan:
    """Return what `retrain` would do with the same arguments; nothing is downloaded or trained.

    Labelled images are read, unless they are the same as in an earlier retraining. Nothing is
    written but the label table of the reviews, if these are wanted.

    Raises
    ------
    InvalidParameterError, InputError
        If the retraining would fail at once.
    """
    settings = settings or load_settings()
    thresholds = check_parameters(settings, preset, seed, min_accuracy)
    splits = (
        SplitReference(settings.data / f"{split.name}.parquet", split)
        for split in mnist.MNIST.splits
    )
    data = DataReference(*splits)
    needs_download = not all(part.path.exists() for part in (data.train, data.test))
    champion = _champion(settings)
    unchanged = None
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        images = _own_images(labelled, labels, None if needs_download else data, settings, scratch)
        own = None if images is None or isinstance(images, int) else images.reference
        if champion is not None and not force and not isinstance(images, int):
            lineage = lineage_of(data, own, preset, seed, thresholds)
            if not work_of(settings, lineage).exists():
                unchanged = why_unchanged(settings, lineage, champion)
        change = None
        if champion is not None and own is not None:
            directories = (settings.labelled, scratch)
            change = labelled_change(own.sha256, champion.inputs.get("labelled"), directories)
    params = network_params(preset, seed)
    return RetrainingPlan(
        preset=preset,
        sizes=tuple(params["sizes"]),
        members=len(params["views"]),
        epochs=params["epochs"],
        labelled=images,
        labelled_change=change,
        needs_download=needs_download,
        champion=champion,
        promote=promote,
        unchanged=unchanged,
    )


def _own_images(
    labelled: str | PathLike[str] | None,
    labels: Labels,
    data: DataReference | None,
    settings: Settings,
    scratch: Path,
) -> Collection | int | None:
    """Return how labelled images would be used, or only their number if MNIST is not here yet."""
    source = labelled_source(labelled, settings)
    if source is None:
        return None
    if data is None:
        return count_labelled(source, labels)
    collection = preview(source, data, settings.labelled, scratch, labels)
    collection.require_use(source)
    return collection


def _champion(settings: Settings) -> ModelVersion | None:
    try:
        with open_registry(settings, create=False) as registry:
            return registry.get(f"{MODEL}@{CHAMPION}")
    except NotFoundError:
        return None
