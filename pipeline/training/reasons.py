"""Why a version replaces another, in words: what it was made of, and how it compares."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.data.labelled import storage
from pipeline.errors import DamagedDataError
from pipeline.gate.judging import Verdict
from pipeline.gate.panels import PanelEvaluation
from pipeline.summaries import counted
from registry import ModelVersion

_LABELLED = "labelled"

# Parameters that are told apart by name; a change of any other is "other parameters".
_TOLD = ("preset", "seed")

# Parameters that say nothing about what a version was made of.
_UNTOLD = frozenset(("gate", "threads"))


def why_promoted(
    version: ModelVersion, champion: ModelVersion | None, verdict: Verdict, labelled: Path
) -> str:
    """Return why a version becomes the champion.

    Parameters
    ----------
    version : ModelVersion
    champion : ModelVersion or None
        The champion until now.
    verdict : Verdict
    labelled : Path
        Directory of the stored labelled images.
    """
    if champion is None:
        return f"the first champion; {_figures(verdict)}"
    return f"{what_changed(version, champion, labelled)}; {_figures(verdict)}"


def what_changed(version: ModelVersion, earlier: ModelVersion, labelled: Path | None = None) -> str:
    """Return what a version was made of that the earlier one was not.

    Parameters
    ----------
    version, earlier : ModelVersion
    labelled : Path, optional
        Directory of the stored labelled images. Without it they are not counted.
    """
    changes = list(_changes(version, earlier, () if labelled is None else (labelled,)))
    return ", ".join(changes) or "trained again on the same images, in the same way"


def _changes(
    version: ModelVersion, earlier: ModelVersion, directories: Sequence[Path]
) -> Iterator[str]:
    now, before = version.inputs.get(_LABELLED), earlier.inputs.get(_LABELLED)
    if now != before:
        yield labelled_change(now, before, directories)
    if _without(version.inputs) != _without(earlier.inputs):
        yield "other data than before"
    for name in _TOLD:
        value, other = version.params.get(name), earlier.params.get(name)
        if value != other:
            yield f"{name} {value} instead of {other}"
    if _others(version.params) != _others(earlier.params) and version.params.get(
        "preset"
    ) == earlier.params.get("preset"):
        yield "other parameters"
    if version.code_version != earlier.code_version:
        yield f"new code ({version.code_version or 'unknown'})"


def labelled_change(now: str | None, before: str | None, directories: Sequence[Path]) -> str:
    """Return how the labelled images of two versions differ.

    Parameters
    ----------
    now, before : str or None
        SHA-256 of the sets; None if there are no labelled images.
    directories : sequence of Path
        Where sets of labelled images are stored. Images that are in none of these are not counted.
    """
    if now == before:
        return "no labelled images" if now is None else "the same labelled images"
    if now is None:
        return "without your labelled images"
    labels = _labels(directories, now)
    earlier = {} if before is None else _labels(directories, before)
    if labels is None or earlier is None:
        return "labelled images of yours" if before is None else "other labelled images"
    new = len(labels.keys() - earlier.keys())
    gone = len(earlier.keys() - labels.keys())
    corrected = sum(labels[image] != earlier[image] for image in labels.keys() & earlier.keys())
    parts = [
        counted(count, f"{what} labelled image")
        for count, what in ((new, "new"), (corrected, "corrected"), (gone, "removed"))
        if count
    ]
    return ", ".join(parts)


def _labels(directories: Sequence[Path], sha256: str) -> Mapping[bytes, int] | None:
    """Return the label of each stored image, by its pixels; None if they are not stored here."""
    for directory in directories:
        with suppress(DamagedDataError):
            split = storage.read(storage.path_of(directory, sha256), sha256)
            return {
                image.tobytes(): label
                for part in (split.training, split.held_out)
                for image, label in zip(part.images, part.labels.tolist(), strict=True)
            }
    return None


def _without(inputs: Mapping[str, str]) -> dict[str, str]:
    return {role: sha256 for role, sha256 in inputs.items() if role != _LABELLED}


def _others(params: Mapping[str, object]) -> dict[str, object]:
    return {name: params[name] for name in params if name not in {*_TOLD, *_UNTOLD}}


def _figures(verdict: Verdict) -> str:
    figures = [f"validation accuracy {_compared(verdict.validation)}"]
    if verdict.held_out is not None:
        figures.append(f"own held-out images {_compared(verdict.held_out)}")
    return ", ".join(figures)


def _compared(panel: PanelEvaluation) -> str:
    """Return an accuracy, and that of the champion on the same images."""
    now = f"{panel.candidate.accuracy:.4f}"
    if panel.champion is None:
        return now
    before = f"{panel.champion.accuracy:.4f}"
    return f"{now}, the same as before" if now == before else f"{before} → {now}"
