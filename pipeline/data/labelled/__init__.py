"""A user's own labelled images, which are trained on and judged together with MNIST.

They are normalized as in scoring, to 28×28 pixels. Two files with the same pixels then are the
same image, whatever their names. The SHA-256 of an image decides whether it is trained on or held
out, and that never changes.
"""

from pipeline.data.labelled.collecting import collect, preview
from pipeline.data.labelled.records import (
    MIN_USED,
    Collection,
    Conflict,
    LabelledImages,
    LabelledReference,
    LabelledSplit,
)
from pipeline.data.labelled.storage import path_of, read

__all__ = [
    "MIN_USED",
    "Collection",
    "Conflict",
    "LabelledImages",
    "LabelledReference",
    "LabelledSplit",
    "collect",
    "path_of",
    "preview",
    "read",
]
