"""The page Compare: two versions side by side, and the images that they disagree on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nn import WeightsError
from pipeline.errors import PipelineError
from pipeline.gate.panels import Panel
from pipeline.metrics.significance import mcnemar
from pipeline.models import CHAMPION, MODEL, full_reference
from pipeline.settings import Settings
from pipeline.training.weight_diff import LayerDifference, differing_layers
from pipeline.web.failures import status_of
from pipeline.web.images import digit_uri
from pipeline.web.known_images import TEST, known_images, own_images, probabilities_on
from pipeline.web.rendering import render
from pipeline.web.site import site_of
from registry import (
    Comparison,
    ModelVersion,
    NoRegistryError,
    NotFoundError,
    Registry,
    RegistryError,
)

# Images of a group that are drawn.
_DRAWN = 40

# Versions that the form offers.
_OFFERED = 50


class Answer(NamedTuple):
    """What a version says of an image."""

    digit: int
    confidence: float


class Disagreement(NamedTuple):
    """An image that two versions read differently."""

    image: str
    """As a ``data:`` URI."""
    label: int
    location: str
    first: Answer
    second: Answer


@dataclass(frozen=True, slots=True)
class Group:
    """Images that two versions disagree on in the same way."""

    title: str
    count: int
    members: Sequence[Disagreement]
    """The most confident of them."""


@dataclass(frozen=True, slots=True)
class Disagreements:
    """How two versions differ on labelled images."""

    images: int
    accuracies: tuple[float, float]
    groups: Sequence[Group]
    p_value: float
    """Of McNemar's exact test that the second is no worse."""


def compare_page(request: Request) -> Response:
    """Show how two versions differ."""
    site = site_of(request)
    try:
        registry = site.registry
        offered = [version.reference for version in registry.versions(limit=_OFFERED)]
    except NoRegistryError:
        return render(request, "no_registry.html.j2", title="Compare")
    query = request.query_params
    first, second = _chosen(registry, query.get("first", ""), query.get("second", ""))
    comparison, problem, status = None, None, 200
    if first and second:
        try:
            comparison = registry.compare(full_reference(first), full_reference(second))
        except RegistryError as error:
            problem, status = str(error), status_of(error)
    return render(
        request,
        "compare.html.j2",
        status=status,
        first=first,
        second=second,
        offered=offered,
        problem=problem,
        comparison=comparison,
        has_own=comparison is not None
        and own_images(comparison.first, comparison.second) is not None,
    )


def _chosen(registry: Registry, first: str, second: str) -> tuple[str, str]:
    """Return the two references: the champion and its parent unless others are asked for."""
    first, second = first.strip(), second.strip()
    if not first and not second:
        try:
            champion = registry.get(f"{MODEL}@{CHAMPION}")
        except NotFoundError:
            return "", ""
        return champion.parent or "", champion.reference
    return first, second


def layers_part(request: Request) -> Response:
    """Show how far the weights of two versions are apart, layer by layer."""
    comparison = _comparison(request)
    layers: Sequence[LayerDifference] | str
    try:
        layers = read_layers(site_of(request).registry, comparison)
    except WeightsError as error:
        layers = str(error)
    return render(request, "layers.html.j2", comparison=comparison, layers=layers)


def read_layers(registry: Registry, comparison: Comparison) -> list[LayerDifference]:
    """Return the layers in which two versions differ.

    Raises
    ------
    nn.WeightsError
        If they are not networks.
    """
    if comparison.same_weights:
        return []
    first, second = (registry.load(v.reference) for v in (comparison.first, comparison.second))
    return differing_layers(first, second)


def images_part(request: Request) -> Response:
    """Show the images that two versions disagree on."""
    comparison = _comparison(request)
    versions = comparison.first, comparison.second
    which = own_images(*versions) if request.query_params.get("images") == "own" else TEST
    disagreements: Disagreements | str
    try:
        if which is None:
            disagreements = "The newer version was trained without images of your own."
        else:
            disagreements = read_disagreements(site_of(request).settings, *versions, which)
    except (PipelineError, WeightsError) as error:
        disagreements = str(error)
    return render(
        request, "disagreements.html.j2", comparison=comparison, disagreements=disagreements
    )


def read_disagreements(
    settings: Settings, first: ModelVersion, second: ModelVersion, which: str
) -> Disagreements:
    """Return how two versions differ on known images.

    Parameters
    ----------
    settings : Settings
    first, second : ModelVersion
    which : str
        See `known_images`.

    Raises
    ------
    InputError, DamagedDataError
        See `known_images`.
    """
    panel = known_images(settings, which)
    answers = [probabilities_on(settings, version.sha256, which) for version in (first, second)]
    predictions = [each.argmax(axis=1) for each in answers]
    right = [each == panel.labels for each in predictions]
    differs = predictions[0] != predictions[1]
    worse, better = (int(np.count_nonzero(a & ~b)) for a, b in (right, right[::-1]))
    kinds = (
        (f"Only {second.reference} is right", right[1]),
        (f"Only {first.reference} is right", right[0]),
        ("Both are wrong", ~right[0] & ~right[1]),
    )
    return Disagreements(
        images=len(panel.labels),
        accuracies=(float(right[0].mean()), float(right[1].mean())),
        groups=[
            _group(title, np.flatnonzero(differs & kind), panel, answers) for title, kind in kinds
        ],
        p_value=mcnemar(worse, better),
    )


def _group(
    title: str, indices: NDArray[np.intp], panel: Panel, answers: Sequence[NDArray[np.float32]]
) -> Group:
    confidence = sum(each[indices].max(axis=1) for each in answers)
    drawn = indices[np.argsort(-np.asarray(confidence), kind="stable")][:_DRAWN]
    return Group(
        title,
        len(indices),
        [
            Disagreement(
                digit_uri(panel.images[index]),
                int(panel.labels[index]),
                panel.location(index),
                *(Answer(int(each[index].argmax()), float(each[index].max())) for each in answers),
            )
            for index in drawn.tolist()
        ],
    )


def _comparison(request: Request) -> Comparison:
    query = request.query_params
    first, second = (full_reference(query.get(name, "")) for name in ("first", "second"))
    return site_of(request).registry.compare(first, second)


routes = [
    Route("/compare", compare_page),
    Route("/compare/layers", layers_part),
    Route("/compare/images", images_part),
]
