"""The page Review: one image after another, one key for each decision."""

import getpass
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.errors import DamagedDataError, InputError, OutputError
from pipeline.images.encoding import png
from pipeline.review import kept_images
from pipeline.review.collection import ReviewQueues
from pipeline.review.decisions import is_digest
from pipeline.review.queue import Progress, ReviewItem, ReviewQueue
from pipeline.web.changes import Form, change
from pipeline.web.images import digit_uri, shrunk
from pipeline.web.rendering import render
from pipeline.web.site import site_of
from registry import Batch, NoRegistryError

# The newest scored batches, which are reviewed unless one is chosen.
_BATCHES = 50

# Maximum number of images that a window asks for at a time.
_MAX_AHEAD = 20

# Pixels along the longer edge of an image as it came.
_SIDE = 720

_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who reviews what."""

    name: str
    holder: str
    """The reviewer's window."""
    queue: ReviewQueue


def review_page(request: Request) -> Response:
    """Show the page, which asks for images by itself."""
    chosen = request.query_params.get("batch", "")
    batches = _batches(request)
    if chosen and _chosen(batches, chosen) is None:
        raise HTTPException(404, f"There is no batch {chosen[:100]}.")
    progress = _queue(request, chosen).progress() if batches else None
    return render(
        request,
        "review.html.j2",
        batches=batches,
        chosen=chosen,
        progress=progress,
        reviewer=_default_name(),
    )


def next_images(request: Request, form: Form) -> Response:
    """Give a reviewer the next images."""
    reviewer = _reviewer(request, form)
    shown = [sha256 for sha256 in form.get("shown", "").split(",") if is_digest(sha256)]
    count = form.get("count", "")
    if not count.isdecimal() or not 0 < int(count) <= _MAX_AHEAD:
        raise HTTPException(400, f"count: expected a number up to {_MAX_AHEAD}.")
    items = reviewer.queue.take(reviewer.holder, reviewer.name, int(count), shown[:_MAX_AHEAD])
    _record_labels(request, reviewer.queue)
    return _answer(reviewer.queue, items=[_item_json(item) for item in items])


def save_decision(request: Request, form: Form) -> Response:
    """Save a decision. The answer comes when it is on disk."""
    reviewer = _reviewer(request, form)
    row = form.get("row", "")
    try:
        decision = reviewer.queue.decision_on(
            form.get("key", ""),
            int(row) if row.isdecimal() else -1,
            form.get("sha256", ""),
            form.get("decision", ""),
            reviewer.name,
            form.get("id", ""),
        )
    except ValueError as error:
        raise HTTPException(400, f"The decision cannot be understood: {error}.") from None
    try:
        reviewer.queue.decide(decision)
    except InputError:
        return _problem("The image is not kept any more, so nothing was saved. Go on.", 410)
    except OutputError as error:
        return _problem(str(error), 507)
    return _answer(reviewer.queue)


def undo_decision(request: Request, form: Form) -> Response:
    """Take back the last decision of a reviewer, and show its image again."""
    reviewer = _reviewer(request, form)
    try:
        undone = reviewer.queue.undo(reviewer.name, reviewer.holder, form.get("id", ""))
    except ValueError as error:
        raise HTTPException(400, f"The undo cannot be understood: {error}.") from None
    except OutputError as error:
        return _problem(str(error), 507)
    if undone is None:
        return _answer(reviewer.queue, undone=None, item=None)
    item = None if undone.item is None else _item_json(undone.item)
    return _answer(reviewer.queue, undone=undone.decision.decision, item=item)


def image_as_it_came(request: Request) -> Response:
    """Return an image that was given to a reviewer, encoded anew."""
    sha256 = request.path_params["sha256"]
    if not is_digest(sha256):
        raise HTTPException(404)
    try:
        pixels = kept_images.load(site_of(request).settings.reviews, sha256)
    except DamagedDataError:
        raise HTTPException(404, "The image is not kept.") from None
    return Response(
        png(shrunk(pixels, _SIDE)),
        media_type="image/png",
        headers={"Cache-Control": "private, max-age=86400, immutable"},
    )


def _batches(request: Request) -> Sequence[Batch]:
    """Return the newest scored batches whose results are there, one for each output."""
    try:
        batches = site_of(request).registry.batches(limit=_BATCHES)
    except NoRegistryError:
        return []
    by_output = {batch.output: batch for batch in reversed(batches) if Path(batch.output).is_dir()}
    return list(by_output.values())[::-1]


def _chosen(batches: Sequence[Batch], batch_id: str) -> Batch | None:
    return next((batch for batch in batches if str(batch.id) == batch_id), None)


def _queue(request: Request, batch_id: str) -> ReviewQueue:
    queues: ReviewQueues = request.app.state.review_queues
    batches = _batches(request)
    chosen = _chosen(batches, batch_id)
    return queues.over(Path(batch.output) for batch in ([chosen] if chosen else batches))


def _record_labels(request: Request, queue: ReviewQueue) -> None:
    """Tell the registry what was decided about each batch, to correct its estimated accuracy."""
    agreed = queue.agreed_labels()
    for batch in _batches(request):
        labels = agreed.get(Path(batch.output))
        known = sum(batch.labels.labelled) if batch.labels else 0
        # A batch that came with labels may have more of them than were reviewed.
        if labels and labels != batch.labels and sum(labels.labelled) >= max(known, 1):
            site_of(request).registry.label_batch(batch.id, labels)


def _reviewer(request: Request, form: Form) -> Reviewer:
    name, holder = form.get("reviewer", "").strip(), form.get("holder", "")
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise HTTPException(400, f"reviewer: expected a name of up to {_MAX_NAME} characters.")
    if not 0 < len(holder) <= _MAX_NAME:
        raise HTTPException(400, "holder: expected the id of a window.")
    return Reviewer(name, f"{name}/{holder}", _queue(request, form.get("batch", "")))


def _answer(queue: ReviewQueue, **values: object) -> Response:
    progress = _progress_json(queue.progress())
    return JSONResponse({**values, "progress": progress, "problems": queue.problems})


def _problem(message: str, status: int) -> Response:
    return JSONResponse({"problem": message}, status)


def _item_json(item: ReviewItem) -> dict[str, Any]:
    return {**asdict(item), "seen": digit_uri(item.seen)}


def _progress_json(progress: Progress) -> dict[str, Any]:
    accuracy = progress.accuracy
    low, high = accuracy.interval
    return {
        **asdict(progress),
        "accuracy": {
            **asdict(accuracy),
            "estimate": accuracy.accuracy,
            "low": low,
            "high": high,
        },
    }


def _default_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user that has no name
        return "reviewer"


routes = [
    Route("/review", review_page),
    Route("/review/next", change(next_images), methods=["POST"]),
    Route("/review/decisions", change(save_decision), methods=["POST"]),
    Route("/review/undo", change(undo_decision), methods=["POST"]),
    Route("/review/images/{sha256}.png", image_as_it_came),
]
