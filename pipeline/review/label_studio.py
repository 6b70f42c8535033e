"""Decisions as tasks of Label Studio, out and in, in its JSON format.

Each task carries its image as a ``data:`` URI, so Label Studio needs no access to any file.
"""

import base64
import binascii
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import InputError
from pipeline.images.decoding import UnreadableImageError, decode
from pipeline.review import kept_images
from pipeline.review.decision_file import DecisionFile
from pipeline.review.decisions import DIGITS, NO_DIGIT, SKIP, Decision, is_digest, now
from pipeline.review.queue import ReviewItem

_NO_DIGIT = "no digit"

_FROM, _TO = "digit", "image"

_CHOICES = "\n".join(
    f'    <Choice value="{value}" hotkey="{key}"/>'
    for value, key in [*((digit, digit) for digit in DIGITS), (_NO_DIGIT, "n")]
)

CONFIGURATION = f"""<View>
  <Image name="{_TO}" value="$image"/>
  <Choices name="{_FROM}" toName="{_TO}" choice="single" required="true" showInline="true">
{_CHOICES}
  </Choices>
</View>
"""
"""The labelling interface that the tasks need."""

_DATA_URI = "data:image/png;base64,"

UNCHANGED = "as decided already"
"""Reason why an annotation adds no decision."""

_NO_CHOICE = "no choice of a digit"
_NO_IMAGE = "no image that is kept, and none in the task"


def decided_tasks(directory: Path) -> Iterator[dict[str, Any]]:
    """Yield a task with an annotation for each image that is decided on.

    Parameters
    ----------
    directory : Path
        The directory of reviews.
    """
    for sha256, verdict in DecisionFile(directory).refresh().verdicts().items():
        task = _task(directory, sha256, verdict.batch, verdict.path)
        task["annotations"] = [
            {"result": [_choice(verdict.decision)], "created_at": verdict.time, "lead_time": None}
        ]
        yield _with_prediction(task, verdict.model, verdict.prediction, verdict.confidence)


def open_tasks(directory: Path, items: Iterable[ReviewItem]) -> Iterator[dict[str, Any]]:
    """Yield a task for each image that is to be reviewed, with its prediction."""
    for item in items:
        task = _task(directory, item.sha256, item.batch, item.path)
        yield _with_prediction(task, item.model, item.prediction, item.confidence)


def read_decisions(content: bytes, directory: Path, left_out: Counter[str]) -> list[Decision]:
    """Return the decisions that exported tasks add, and keep their images.

    Parameters
    ----------
    content : bytes
        What Label Studio exports as JSON.
    directory : Path
        The directory of reviews.
    left_out : Counter
        Counts the annotations that add nothing, by reason.

    Raises
    ------
    InputError
        If it is no such export.
    """
    try:
        tasks = json.loads(content)
        annotations = [
            (task["data"], annotation)
            for task in tasks
            for annotation in task.get("annotations", [])
        ]
        annotations.sort(key=lambda each: str(each[1].get("created_at", "")))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            "Expected tasks as Label Studio exports them in its JSON format, got "
            f"{type(error).__name__}: {error}."
        ) from None
    standing = DecisionFile(directory).refresh()
    in_force = {sha256: verdict.decision for sha256, verdict in standing.verdicts().items()}
    decisions = []
    for data, annotation in annotations:
        answer = _answer(annotation)
        sha256 = _kept(directory, data) if answer else None
        if answer is None or sha256 is None:
            left_out[_NO_CHOICE if answer is None else _NO_IMAGE] += 1
            continue
        decision = _decision(data, annotation, sha256, answer)
        if in_force.get(sha256) == answer or standing.get(decision.id):
            left_out[UNCHANGED] += 1
            continue
        in_force[sha256] = answer
        decisions.append(decision)
    return decisions


def add(directory: Path, decisions: list[Decision]) -> None:
    """Save decisions that were made elsewhere.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    with files.locked(directory):
        DecisionFile(directory).append(decisions)


def _task(directory: Path, sha256: str, batch: str, path: str) -> dict[str, Any]:
    image = (directory / kept_images.relative_path(sha256)).read_bytes()
    uri = _DATA_URI + base64.b64encode(image).decode()
    return {"data": {"image": uri, "sha256": sha256, "batch": batch, "path": path}}


def _with_prediction(
    task: dict[str, Any], model: str, prediction: int | None, confidence: float | None
) -> dict[str, Any]:
    if prediction is not None:
        result = [_choice(str(prediction))]
        task["predictions"] = [{"model_version": model, "score": confidence, "result": result}]
    return task


def _choice(decision: str) -> dict[str, Any]:
    value = _NO_DIGIT if decision == NO_DIGIT else decision
    return {
        "from_name": _FROM,
        "to_name": _TO,
        "type": "choices",
        "value": {"choices": [value]},
    }


def _answer(annotation: dict[str, Any]) -> str | None:
    """Return the decision of an annotation; None if it has none."""
    if annotation.get("was_cancelled"):
        return SKIP
    for result in annotation.get("result", []):
        choices = result.get("value", {}).get("choices", [])
        if choices == [_NO_DIGIT]:
            return NO_DIGIT
        if len(choices) == 1 and choices[0] in DIGITS:
            return str(choices[0])
    return None


def _kept(directory: Path, data: dict[str, Any]) -> str | None:
    """Return the SHA-256 of a task's image, which is kept from now on; None if there is none."""
    sha256 = data.get("sha256")
    if is_digest(sha256) and kept_images.is_kept(directory, str(sha256)):
        return str(sha256)
    image = data.get("image")
    if not isinstance(image, str) or not image.startswith("data:"):
        return None
    try:
        pixels = decode(base64.b64decode(image.partition(",")[2], validate=True))
    except (binascii.Error, UnreadableImageError):
        return None
    found = kept_images.digest(pixels)
    kept_images.keep(directory, found, pixels)
    return found


def _decision(
    data: dict[str, Any], annotation: dict[str, Any], sha256: str, answer: str
) -> Decision:
    made_at = str(annotation.get("updated_at") or annotation.get("created_at") or now())
    by = annotation.get("completed_by")
    name = by.get("email") if isinstance(by, dict) else by
    # The same annotation that is imported again is the same decision.
    text = json.dumps([sha256, answer, made_at, annotation.get("id"), name])
    return Decision(
        id=hashlib.sha256(text.encode()).hexdigest()[:16],
        sha256=sha256,
        decision=answer,
        reviewer=f"label-studio:{name}" if name else "label-studio",
        time=made_at,
        path=str(data.get("path", "")),
    )
