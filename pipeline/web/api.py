"""The HTTP API: what `--json` prints on the command line, and the digit of an image."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nn import WeightsError
from pipeline.jobs.status import status
from pipeline.models import CHAMPION, MODEL, full_reference
from pipeline.reporting.monitoring_json import batch_json, status_json
from pipeline.reporting.registry_json import (
    comparison_json,
    event_json,
    model_json,
    proposal_json,
    version_json,
)
from pipeline.scoring.classifier import Prediction
from pipeline.training.weight_diff import differing_layers
from pipeline.web import openapi
from pipeline.web.classifying import classify, in_turn, read_image
from pipeline.web.openapi import Operation
from pipeline.web.rendering import render
from pipeline.web.site import Site, site_of
from registry import ModelVersion, NotFoundError

_PAGE = 100
_CHAMPION = f"{MODEL}@{CHAMPION}"


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(_PAGE))
    if not text.isdecimal() or len(text) > 4 or not 1 <= int(text) <= openapi.MAX_LIMIT:
        raise HTTPException(400, f"limit: expected a number from 1 to {openapi.MAX_LIMIT:,}.")
    return int(text)


def _before(request: Request) -> int | None:
    text = request.query_params.get("before")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise HTTPException(400, "before: expected a whole number from 1.")
    return int(text)


def _reference(request: Request) -> str:
    model, version = request.path_params["model"], request.path_params["version"]
    return f"{model}{'/' if version.isdecimal() else '@'}{version}"


def _models(request: Request) -> Response:
    return JSONResponse([model_json(model) for model in site_of(request).registry.models()])


def _versions(request: Request) -> Response:
    query, limit = request.query_params, _limit(request)
    name = query.get("model")
    versions = site_of(request).registry.versions(
        name,
        where=query.get("where"),
        order_by=query.get("sort"),
        limit=limit + 1,
        after=query.get("after"),
    )
    headers = {}
    if len(versions) > limit:
        following = {**query, "after": versions[limit - 1].reference}
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return JSONResponse([version_json(version) for version in versions[:limit]], headers=headers)


def _version(request: Request) -> Response:
    return JSONResponse(version_json(site_of(request).registry.get(_reference(request))))


def _weights(request: Request) -> Response:
    sha256 = request.path_params["sha256"]
    if not _is_digest(sha256):
        raise HTTPException(400, "sha256: expected 64 hexadecimal digits.")
    registry = site_of(request).registry
    versions = registry.versions(where=f"sha256 = '{sha256}'", limit=1)
    if not versions:
        raise NotFoundError(sha256, f"No version has the weights {sha256}.")
    return _file(registry.load(versions[0].reference), versions[0])


def _file(weights: bytes, version: ModelVersion) -> Response:
    name = f"{version.name}-{version.number}.safetensors"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "ETag": f'"{version.sha256}"',
    }
    return Response(weights, media_type="application/octet-stream", headers=headers)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _comparison(request: Request) -> Response:
    query = request.query_params
    for name in ("first", "second"):
        if name not in query:
            raise HTTPException(400, f"{name}: expected a version, such as mnist/7.")
    registry = site_of(request).registry
    comparison = registry.compare(full_reference(query["first"]), full_reference(query["second"]))
    layers = []
    if not comparison.same_weights:
        first, second = (registry.load(v.reference) for v in (comparison.first, comparison.second))
        try:
            layers = differing_layers(first, second)
        except WeightsError:
            layers = []
    return JSONResponse(comparison_json(comparison, layers))


def _history(request: Request) -> Response:
    events = site_of(request).registry.history(
        request.path_params["model"],
        alias=request.query_params.get("alias"),
        limit=_limit(request),
        before=_before(request),
    )
    return JSONResponse([event_json(event) for event in events])


def _proposals(request: Request) -> Response:
    proposals = site_of(request).registry.proposals(request.path_params["model"])
    return JSONResponse([proposal_json(proposal) for proposal in proposals])


def _batches(request: Request) -> Response:
    drifted = request.query_params.get("drifted", "false")
    if drifted not in {"true", "false"}:
        raise HTTPException(400, "drifted: expected true or false.")
    batches = site_of(request).registry.batches(
        drifted=drifted == "true", limit=_limit(request), before=_before(request)
    )
    return JSONResponse([batch_json(batch) for batch in batches])


def _status(request: Request) -> Response:
    return JSONResponse(status_json(status(settings=site_of(request).settings)))


async def _predict(request: Request) -> Response:
    image = await read_image(request)
    site = site_of(request)
    reference = request.query_params.get("version", _CHAMPION)

    def read() -> Response:
        return JSONResponse(_prediction_json(*_read(site, reference, image)))

    return await in_turn(request, read)


def _read(site: Site, reference: str, image: bytes) -> tuple[ModelVersion, Prediction]:
    try:
        return classify(site, reference, image)
    except WeightsError as error:
        raise HTTPException(409, f"{reference} cannot read images. {error}") from None


def _prediction_json(version: ModelVersion, prediction: Prediction) -> Mapping[str, Any]:
    probabilities = prediction.probabilities
    return {
        "version": version.reference,
        "sha256": version.sha256,
        "digit": prediction.digit,
        "confidence": prediction.confidence,
        "probabilities": None if probabilities is None else probabilities.tolist(),
        "novelty": prediction.novelty,
        "notes": prediction.notes,
        "reason": prediction.reason,
    }


def _description(_request: Request) -> Response:
    return JSONResponse(openapi.description())


def _page(request: Request) -> Response:
    return render(request, "api.html.j2", operations=openapi.OPERATIONS)


_HANDLERS: Mapping[Operation, Callable[[Request], Response | Awaitable[Response]]] = {
    openapi.MODELS: _models,
    openapi.VERSIONS: _versions,
    openapi.VERSION: _version,
    openapi.WEIGHTS: _weights,
    openapi.COMPARISON: _comparison,
    openapi.HISTORY: _history,
    openapi.PROPOSALS: _proposals,
    openapi.BATCHES: _batches,
    openapi.STATUS: _status,
    openapi.PREDICTION: _predict,
}

routes = [
    Route("/api", _page),
    Route(openapi.PATH, _description),
    *(
        Route(operation.path, handler, methods=[operation.method])
        for operation, handler in _HANDLERS.items()
    ),
]
