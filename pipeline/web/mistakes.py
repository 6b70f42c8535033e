"""The part of a version's page that takes longer: its confusion matrix and its worst mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.errors import PipelineError
from pipeline.metrics.evaluation import Evaluation, Mistake, evaluate
from pipeline.settings import Settings
from pipeline.web.images import digit_uri
from pipeline.web.known_images import TEST, known_images, probabilities_on
from pipeline.web.rendering import render
from pipeline.web.site import site_of
from registry import ModelVersion

# Shades of a cell of the matrix.
_SHADES = 5


@dataclass(frozen=True, slots=True)
class Mistakes:
    """What a version gets wrong on MNIST's test images."""

    evaluation: Evaluation
    shades: list[list[int]]
    """How dark each cell of the confusion matrix is, from 0 to 5."""
    worst: list[tuple[Mistake, str]]
    """The most confident mistakes, each with its image as a ``data:`` URI."""


def mistakes_part(request: Request) -> Response:
    """Show what a version gets wrong on MNIST's test images."""
    site = site_of(request)
    reference = f"{request.path_params['name']}/{request.path_params['number']}"
    mistakes = read_mistakes(site.settings, site.registry.get(reference))
    return render(request, "mistakes.html.j2", mistakes=mistakes)


def read_mistakes(settings: Settings, version: ModelVersion) -> Mistakes | str:
    """Return what a version gets wrong; why that is unknown if the images are not here."""
    try:
        panel = known_images(settings, TEST)
    except PipelineError as error:
        return str(error)
    probabilities = probabilities_on(settings, version.sha256, TEST)
    evaluation = evaluate(probabilities, panel.images, panel.labels, panel.location)
    return Mistakes(
        evaluation,
        _shades(evaluation.confusion),
        [(each, digit_uri(each.image)) for each in evaluation.mistakes],
    )


def _shades(confusion: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return how dark each cell is: 0 for right predictions and where there is no image."""
    wrong = np.array(confusion)
    np.fill_diagonal(wrong, 0)
    shades: list[list[int]] = (-(-_SHADES * wrong // max(1, wrong.max()))).tolist()
    return shades


routes = [Route("/versions/{name}/{number}/mistakes", mistakes_part)]
