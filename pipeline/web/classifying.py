"""Reading an image that was sent along with a request."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from anyio import to_thread
from starlette.requests import Request

from nn import NeuralNetwork
from pipeline.models import full_reference
from pipeline.scoring.classifier import Classifier, Prediction
from pipeline.settings import Settings
from pipeline.web.changes import read_body
from pipeline.web.site import Site, site_of
from registry import ModelVersion, open_blobs

# Bytes of an image.
_MAX_IMAGE = 10_000_000

# Networks that are kept: the largest take some 15 MB each.
_KEPT = 4

T = TypeVar("T")


def classify(site: Site, reference: str, image: bytes) -> tuple[ModelVersion, Prediction]:
    """Return what a version reads in an image, and the version.

    Raises
    ------
    registry.RegistryError
        If there is no such version, or its weights cannot be trusted.
    nn.WeightsError
        If they are not those of a network.
    """
    version = site.registry.get(full_reference(reference))
    return version, _classifier(site.settings, version.sha256).read(image)


async def read_image(request: Request) -> bytes:
    """Return the image in the body of a request."""
    return await read_body(request, _MAX_IMAGE)


async def in_turn(request: Request, read: Callable[[], T]) -> T:
    """Call a function that reads an image, in a thread, when few others do."""
    return await to_thread.run_sync(read, limiter=site_of(request).image_limiter)


@lru_cache(maxsize=_KEPT)
def _classifier(settings: Settings, sha256: str) -> Classifier:
    return Classifier(NeuralNetwork.from_bytes(open_blobs(settings.blobs_url).get(sha256)))
