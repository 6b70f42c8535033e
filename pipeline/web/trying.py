"""The page Try it: draw a digit or drop a file, and see how it is read, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nn import WeightsError
from pipeline.images.decoding import UnreadableImageError, decode
from pipeline.images.explaining import explained_steps
from pipeline.models import CHAMPION, MODEL
from pipeline.scoring.classifier import Prediction
from pipeline.web.classifying import classify, in_turn, read_image
from pipeline.web.images import digit_uri, thumbnail_uri
from pipeline.web.rendering import render
from pipeline.web.safety import TRY
from pipeline.web.site import Site, site_of
from registry import ModelVersion, NoRegistryError, RegistryError

# Versions that the page offers.
_OFFERED = 50

# Pixels along the longer edge of a step.
_STEP = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a version says of an image."""

    reference: str
    prediction: Prediction | None
    problem: str | None
    """Why the version was not asked."""

    @property
    def seen(self) -> str | None:
        """The image as the network saw it."""
        image = self.prediction.image if self.prediction else None
        return None if image is None else digit_uri(image)


def try_page(request: Request) -> Response:
    """Offer a place to draw on."""
    try:
        versions = site_of(request).registry.versions(limit=_OFFERED)
    except NoRegistryError:
        versions = []
    if not versions:
        return render(request, "no_registry.html.j2", title="Try it")
    first, second = _offered(versions)
    return render(request, "try.html.j2", versions=versions, first=first, second=second)


def _offered(versions: Sequence[ModelVersion]) -> tuple[str, str]:
    """Return the champion, and the version that is most worth comparing with it."""
    by_alias = {alias: v.reference for v in versions if v.name == MODEL for alias in v.aliases}
    first = f"{MODEL}@{CHAMPION}" if CHAMPION in by_alias else versions[0].reference
    champion = by_alias.get(CHAMPION, first)
    others = [v.reference for v in versions if v.reference not in {champion, first}]
    second = by_alias.get("challenger") or (others[0] if others else "")
    return first, second if second != champion else ""


async def try_image(request: Request) -> Response:
    """Show how an image is read."""
    image = await read_image(request)
    query = request.query_params
    references = [query[name] for name in ("first", "second") if query.get(name)]
    site = site_of(request)

    def read() -> Response:
        try:
            steps = [
                (step.title, thumbnail_uri(step.image, _STEP))
                for step in explained_steps(decode(image))
            ]
            problem = None
        except UnreadableImageError as error:
            steps, problem = [], str(error)
        answers = [_answer(site, reference, image) for reference in references]
        return render(request, "answers.html.j2", steps=steps, problem=problem, answers=answers)

    return await in_turn(request, read)


def _answer(site: Site, reference: str, image: bytes) -> Answer:
    try:
        version, prediction = classify(site, reference, image)
    except (RegistryError, WeightsError) as error:
        return Answer(reference, None, str(error))
    return Answer(version.reference, prediction, None)


routes = [Route(TRY, try_page), Route(TRY, try_image, methods=["POST"])]
