"""What the gate asks of a candidate: all of it in one place."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Thresholds(BaseModel):
    """The thresholds of the gate; each is a variable, as ``DIGITS_GATE__MIN_RECALL``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_accuracy: _Fraction = 0.97
    """On the validation split."""
    min_recall: _Fraction = 0.9
    """Of every digit there: of its images, those that are seen as such."""
    max_calibration_error: _Fraction = 0.02
    """There: the expected calibration error."""
    max_calibration_error_of_digit: _Fraction = 0.02
    """There, of every digit: the recall less the mean probability given to it on its own images.
    Labels that contradict each other cost certainty long before they cost recall."""
    margin: _Fraction = 0.002
    """By how much the accuracy may be below the champion's, on the same images."""
    significance: _Fraction = 0.05
    """McNemar's exact test, one-sided: a candidate whose being worse than the champion is less
    likely by chance than this is refused."""
    max_contradicted_labels: _Fraction = 0.03
    """Of every digit, on the user's own held-out images: of those that the candidate and the
    champion are both sure are this digit, the share that is labelled otherwise, at the least."""
    max_milliseconds_per_image: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """To predict, in batches, on the machine that trained."""
