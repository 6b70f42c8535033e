"""Messages as people read them, and as webhooks carry them."""

from typing import Any

from pipeline.summaries import counted
from registry import Message

_TITLES = {
    "model.promoted": "{version} is the champion",
    "model.rolled_back": "Rolled back: {version} is the champion again",
    "model.refused": "The gate refused a candidate for {model}",
    "model.proposed": "{version} waits for approval as {alias}",
    "job.failed": "{job} failed",
    "job.crashed": "{job} crashed",
    "job.overdue": "{job} has not succeeded for {hours:g} hours",
    "batch.drifted": "Batch {batch} drifted",
    "registry.damaged": "verify found errors in the registry: {errors}",
    "test": "A test message of digits",
}


def title_of(message: Message) -> str:
    """Return a message in one line."""
    # A later release may have written another kind.
    return _TITLES.get(message.kind, message.kind).format_map(message.body)


def text_of(message: Message) -> str:
    """Return the details of a message, with its id, in lines."""
    lines = [line for line in _details(message) if line]
    lines.append(f"{message.at:%Y-%m-%d %H:%M:%S} UTC, message {message.id}")
    return "\n".join(lines)


def webhook_content(message: Message) -> dict[str, Any]:
    """Return the content of a webhook, the same whenever the message is sent."""
    return {
        "type": f"digits.{message.kind}",
        "timestamp": message.at.isoformat(),
        "data": {**message.body, "title": title_of(message), "text": text_of(message)},
    }


def _details(message: Message) -> list[str | None]:
    body = message.body
    match message.kind:
        case "model.promoted" | "model.rolled_back" | "model.proposed":
            return [
                body["from"] and f"Before: {body['from']}.",
                body["actor"] and f"By {body['actor']}.",
                body["reason"] and f"Reason: {body['reason']}",
            ]
        case "model.refused":
            return [
                *map(_check, body["failed_checks"]),
                f"The champion stays{', ' + body['from'] if body['from'] else ''}.",
                body["run_id"] and f"Run {body['run_id']}.",
            ]
        case "job.failed" | "job.crashed":
            return [
                body["error"],
                f"On {body['host']}, started at {body['started_at']}.",
                body["run_id"] and f"Run {body['run_id']}.",
            ]
        case "job.overdue":
            return [f"Its last success: {body['last_success'] or 'none'}."]
        case "batch.drifted":
            return [
                *map(_drift, body["drift"]),
                f"{counted(body['files'], 'image')}, {body['output']}.",
            ]
        case "registry.damaged":
            return list(body["findings"])
    return []


def _check(check: dict[str, Any]) -> str:
    return f"{check['name']}: {check['figure']:.4f}, threshold {check['threshold']:.4f}."


def _drift(figure: dict[str, Any]) -> str:
    return (
        f"Population stability index of {figure['what']}: {figure['index']:.2f}, limit "
        f"{figure['limit']:.2f}."
    )
