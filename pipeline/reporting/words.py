"""The checks of the gate in words."""

import re
from collections.abc import Iterable

from registry import Check

# What each check measures; {digit} is in its name.
_WORDS = {
    "validation_accuracy": "validation accuracy",
    "recall_of": "recall of {digit}",
    "validation_calibration_error": "calibration error",
    "calibration_error_of": "calibration error of {digit}",
    "milliseconds_per_image": "milliseconds per image",
    "lost_digits": "share of digits taken for something else",
    "held_out_lost_digits": "share of your own digits taken for something else",
    "accuracy_above_champion": "accuracy compared with the champion's",
    "mcnemar_p": "probability that it is worse than the champion by chance only",
    "held_out_mcnemar_p": "probability that it is worse on your own images by chance only",
    "contradicted_labels_of": "share of your own labels of {digit} that are contradicted",
}
_OF_DIGIT = re.compile(r"(?P<name>\w+_of)_(?P<digit>\d)")


def check_in_words(check: Check) -> str:
    """Return what a check found: ``validation accuracy 0.9880, below 0.9915``.

    The name of a check of another release stands for itself.
    """
    match = _OF_DIGIT.fullmatch(check.name)
    name, digit = (match["name"], match["digit"]) if match else (check.name, "")
    words = _WORDS.get(name, check.name).format(digit=digit)
    side = "below" if check.figure < check.threshold else "above"
    figure, threshold = check.texts
    return f"{words} {figure}, {side} {threshold}"


def refusal_in_words(checks: Iterable[Check]) -> str:
    """Return why a candidate was refused: its checks that failed."""
    return "; ".join(check_in_words(check) for check in checks if not check.passed)
