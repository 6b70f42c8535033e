"""What was read in single images: lines for people, and values that JSON can hold."""

from collections.abc import Sequence
from typing import Any

from pipeline.scoring.classifier import Prediction


def prediction_lines(files: Sequence[str], predictions: Sequence[Prediction]) -> list[str]:
    """Return a line for each file: its name, the digit, the confidence, and the reason or notes."""
    width = max((len(file) for file in files), default=0)
    lines = []
    for file, each in zip(files, predictions, strict=True):
        digit = "-" if each.digit is None else str(each.digit)
        confidence = "" if each.confidence is None else f"{each.confidence:.4f}"
        remark = each.reason or each.notes or ""
        lines.append(f"{file:<{width}}  {digit}  {confidence:<6}  {remark}".rstrip())
    return lines


def predictions_json(
    files: Sequence[str], predictions: Sequence[Prediction]
) -> list[dict[str, Any]]:
    """Return what was read in each file as values that JSON can hold."""
    return [
        {
            "file": file,
            "digit": each.digit,
            "confidence": each.confidence,
            "reason": each.reason,
            "novelty": each.novelty,
            "notes": each.notes,
            "probabilities": None if each.probabilities is None else each.probabilities.tolist(),
        }
        for file, each in zip(files, predictions, strict=True)
    ]
