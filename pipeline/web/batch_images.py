"""The parts of a batch's page that read its images again: by digit, by confidence, and failures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nn import NetworkError, NeuralNetwork
from pipeline.errors import PipelineError
from pipeline.metrics.counts import DIGITS
from pipeline.review.scored_batch import NO_PREDICTION, ScoredBatch
from pipeline.scoring import predictions
from pipeline.scoring.outcome import DATA_SET
from pipeline.scoring.scorer import load_network
from pipeline.web.batches import batch_id
from pipeline.web.classifying import in_turn
from pipeline.web.images import thumbnail_uri
from pipeline.web.rendering import render
from pipeline.web.site import site_of
from registry import BlobError

# Images of a group, of a group that is shown alone, and rows without a prediction.
_IN_GROUP = 11
_ALONE = 55
_FAILED = 40

# Pixels along the longer edge of a picture.
_SIDE = 96

_BINS = ((0.0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 0.99), (0.99, 1.01))


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a batch."""

    path: str
    image: str | None
    """As a ``data:`` URI; None if it cannot be shown."""
    prediction: int | None
    confidence: float | None
    reason: str | None
    """Why it has no prediction, or cannot be shown."""


@dataclass(frozen=True, slots=True)
class PictureGroup:
    """Images of a batch that belong together."""

    key: str
    """Asks for more of the group."""
    title: str
    count: int
    pictures: Sequence[Picture]
    """The least certain ones."""


async def images_part(request: Request) -> Response:
    """Show images of a batch by digit or by confidence, the least certain first."""
    query = request.query_params
    by = "confidence" if query.get("by") == "confidence" else "digit"
    only = query.get("only")
    number = batch_id(request.path_params["id"])

    def read() -> Response:
        groups: Sequence[PictureGroup] = ()
        problem = None
        try:
            pictures = _Pictures(request, number)
            groups = list(_groups(pictures, by, only))
        except PipelineError as error:
            problem = str(error)
        return render(
            request,
            "batch_images.html.j2",
            id=number,
            by=by,
            only=only,
            groups=groups,
            problem=problem,
        )

    return await in_turn(request, read)


async def failures_part(request: Request) -> Response:
    """Show the images of a batch without a prediction, with the reason of each."""
    number = batch_id(request.path_params["id"])

    def read() -> Response:
        failed: Sequence[Picture] = ()
        problem = None
        try:
            failed = _Pictures(request, number).failed()
        except PipelineError as error:
            problem = str(error)
        return render(request, "batch_failures.html.j2", failed=failed, problem=problem)

    return await in_turn(request, read)


class _Pictures:
    """Reads the images of a batch again, as they came.

    Raises
    ------
    InputError
        If the results of the batch are no longer there.
    """

    def __init__(self, request: Request, number: int) -> None:
        site = site_of(request)
        batch = site.registry.batch(number)
        self._directory = Path(batch.output)
        self.scored = ScoredBatch.open(self._directory)
        self._network: NeuralNetwork | None = None
        # Only for an image that was cut into digits is the version asked how.
        if self.scored.options.split is not None:
            try:
                self._network = load_network(site.settings.blobs_url, batch.sha256)
            except (BlobError, NetworkError):
                self._network = None

    def picture(self, row: int, reason: str | None = None) -> Picture:
        """Return the image of a row."""
        predicted = int(self.scored.prediction[row])
        confidence = float(self.scored.confidence[row])
        try:
            sheet = self.scored.sheet(row, self._network)
        except PipelineError as error:
            sheet = str(error)
        is_read = not isinstance(sheet, str)
        return Picture(
            path=self.scored.path_of(row),
            image=thumbnail_uri(sheet, _SIDE) if not isinstance(sheet, str) else None,
            prediction=None if predicted == NO_PREDICTION else predicted,
            confidence=None if np.isnan(confidence) else confidence,
            reason=reason or (None if is_read else str(sheet)),
        )

    def failed(self) -> list[Picture]:
        """Return the first images without a prediction."""
        parts = sorted((self._directory / DATA_SET).glob("part-*.parquet"))
        reasons = (reason for _, reason in chain.from_iterable(map(predictions.read_failed, parts)))
        rows = np.flatnonzero(self.scored.prediction == NO_PREDICTION).tolist()
        return [
            self.picture(row, reason)
            for row, reason in islice(zip(rows, reasons, strict=False), _FAILED)
        ]


def _groups(pictures: _Pictures, by: str, only: str | None) -> Iterator[PictureGroup]:
    """Yield the groups of a batch's images; if one is asked for, only that, with more images."""
    kinds = dict(_kinds(pictures.scored, by))
    if only is not None and only not in kinds:
        raise HTTPException(404, "There is no such group.")
    for key, (title, is_member) in kinds.items():
        if only not in {None, key}:
            continue
        rows = np.flatnonzero(is_member)
        order = np.argsort(pictures.scored.confidence[rows], kind="stable")
        shown = rows[order][: _IN_GROUP if only is None else _ALONE]
        members = [pictures.picture(row) for row in shown.tolist()]
        yield PictureGroup(key, title, len(rows), members)


def _kinds(batch: ScoredBatch, by: str) -> Iterator[tuple[str, tuple[str, NDArray[np.bool_]]]]:
    if by == "digit":
        for digit in range(DIGITS):
            yield str(digit), (str(digit), batch.prediction == digit)
        return
    for index, (low, high) in enumerate(_BINS):
        title = f"{low:.0%} to {min(high, 1):.0%}"
        is_member = (batch.confidence >= low) & (batch.confidence < high)
        yield str(index), (title, is_member)


routes = [
    Route("/batches/{id}/images", images_part),
    Route("/batches/{id}/failures", failures_part),
]
