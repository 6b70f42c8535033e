"""Pictures of the outcome of a run: SVG, or PNG if they show images. Equal data, equal bytes."""

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import Epoch
from pipeline.metrics.evaluation import Evaluation, Mistake
from pipeline.reporting.picture_style import (
    INK,
    TRAINING,
    VALIDATION,
    WIDTH,
    WRONG,
    new_figure,
    png,
    set_logarithmic,
    square,
    svg,
)
from pipeline.scoring.review import LowConfidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHEET_COLUMNS = 6

# Height of the caption above an image, in pixels of the image.
_CAPTION = 10

# Maximum number of epochs that are drawn as points.
_MAX_POINTS = 30


@lru_cache(maxsize=1)
def retraining_pictures(
    history: tuple[Epoch, ...], evaluation: Evaluation | None
) -> dict[str, str]:
    """Return the pictures of a retraining by title, as ``data:`` URIs.

    The last result is cached, because the report and the artifact of a run show the same pictures.
    """
    pictures = {}
    if history:
        pictures["Learning curves"] = data_uri(learning_curves(history))
    if evaluation:
        pictures["Confusion matrix"] = data_uri(confusion_picture(evaluation.confusion))
    if evaluation and evaluation.mistakes:
        pictures["Worst mistakes"] = data_uri(mistakes_picture(evaluation.mistakes))
    return pictures


def data_uri(picture: bytes) -> str:
    """Return a picture as a ``data:`` URI."""
    kind = "png" if picture.startswith(b"\x89PNG") else "svg+xml"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def learning_curves(history: Sequence[Epoch]) -> bytes:
    """Return loss and share of wrong predictions by epoch, as SVG.

    Both y axes are logarithmic, so the gains of the last epochs are visible too.

    Parameters
    ----------
    history : sequence of Epoch
        At least one.
    """
    losses = [(epoch.loss, epoch.validation_loss) for epoch in history]
    wrong = [(_wrong(epoch.accuracy), _wrong(epoch.validation_accuracy)) for epoch in history]
    panels = ((0.09, "Loss, cross-entropy", losses), (0.59, "Wrong predictions, %", wrong))
    with new_figure(2.6) as figure:
        for left, title, pairs in panels:
            axes = figure.add_axes((left, 0.19, 0.4, 0.7))
            axes.set(xlabel="epoch", title=title)
            _curves(axes, [epoch.number for epoch in history], pairs)
        return svg(figure)


def confusion_picture(confusion: Sequence[Sequence[int]]) -> bytes:
    """Return the confusion matrix as SVG; the more frequent an error, the redder its cell.

    Parameters
    ----------
    confusion : sequence of sequence of int
        Rows by label, columns by prediction.
    """
    counts = np.array(confusion)
    wrong = counts - np.diag(np.diag(counts))
    most = max(1, int(wrong.max()))
    digits = np.arange(len(counts))
    with new_figure(4.6) as figure:
        axes = figure.add_axes((0.15, 0.1, 0.7, 0.84), aspect="equal")
        reds = _reds()
        for (label, prediction), count in np.ndenumerate(counts):
            right = label == prediction
            if not count and not right:
                continue
            share = wrong[label, prediction] / most
            axes.add_patch(square(prediction, label, 1, color="#e8efe4" if right else reds(share)))
            axes.text(
                prediction,
                label,
                _brief(int(count)),
                ha="center",
                va="center",
                color="white" if share > 0.6 else INK,
                size=8,
            )
        axes.set(xlim=(-0.5, len(counts) - 0.5), ylim=(len(counts) - 0.5, -0.5))
        axes.set(xticks=digits, yticks=digits)
        axes.set_xticks(digits + 0.5, minor=True)
        axes.set_yticks(digits + 0.5, minor=True)
        axes.grid(which="minor")
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel="prediction", ylabel="label")
        axes.set_title("Images by label and prediction")
        return svg(figure)


def mistakes_picture(mistakes: Sequence[Mistake]) -> bytes:
    """Return a sheet of misclassified images, as PNG.

    Above each image are its label, the prediction and the confidence.

    Parameters
    ----------
    mistakes : sequence of Mistake
        At least one.
    """
    return _sheet(
        [(one.image, f"{one.label} → {one.prediction}, {one.confidence:.2f}") for one in mistakes]
    )


def low_confidence_picture(images: Sequence[LowConfidence]) -> bytes:
    """Return a sheet of low-confidence predictions, as PNG.

    Above each image are the prediction and the confidence.

    Parameters
    ----------
    images : sequence of LowConfidence
        At least one.
    """
    return _sheet([(one.image, f"{one.prediction}?  {one.confidence:.2f}") for one in images])


def _sheet(images: Sequence[tuple[bytes, str]]) -> bytes:
    """Return images with their captions, dark on white, as PNG."""
    rows = -(-len(images) // _SHEET_COLUMNS)
    # Lengths are in pixels of the images. A fifth of an image is left between two of them.
    cell = 28 * 6 // 5
    height = cell + _CAPTION
    with new_figure(WIDTH * rows * height / (_SHEET_COLUMNS * cell)) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for index, (pixels, caption) in enumerate(images):
            row, column = divmod(index, _SHEET_COLUMNS)
            left, top = column * cell + (cell - 28) / 2, row * height + _CAPTION
            image = np.frombuffer(pixels, np.uint8).reshape(28, 28)
            axes.imshow(
                image,
                cmap="gray_r",
                vmin=0,
                vmax=255,
                interpolation="nearest",
                extent=(left, left + 28, top + 28, top),
            )
            axes.add_patch(square(left + 14, top + 14, 28, fill=False, edgecolor="#d0d0d0"))
            axes.text(left + 14, top - 2, caption, ha="center", va="baseline")
        axes.set(xlim=(0, _SHEET_COLUMNS * cell), ylim=(rows * height, 0))
        return png(figure)


def confidence_picture(histogram: Sequence[int]) -> bytes:
    """Return the histogram of the confidence, as SVG.

    Parameters
    ----------
    histogram : sequence of int
        Images by confidence, in bins of equal width from 0 to 1.
    """
    edges = np.linspace(0, 1, len(histogram) + 1)
    with new_figure(2.4) as figure:
        axes = figure.add_axes((0.11, 0.2, 0.86, 0.69))
        axes.stairs(histogram, edges, fill=True, color=VALIDATION)
        axes.set_xlim(0, 1)
        axes.set_xlabel("confidence")
        axes.set_title("Images by confidence (logarithmic)")
        # The axis starts at half an image, so that the bar of a single image is visible.
        axes.set_ylim(bottom=0.5, top=2 * max(30, *histogram))
        set_logarithmic(axes)
        return svg(figure)


def _curves(
    axes: "Axes", epochs: Sequence[int], pairs: Sequence[tuple[float | None, float | None]]
) -> None:
    """Draw one curve for training and one for validation."""
    from matplotlib.ticker import MaxNLocator

    # Missing values have no point, and neither has 0, which has no logarithm.
    values_by_epoch = np.array(pairs, float)
    values_by_epoch[values_by_epoch <= 0] = np.nan
    curves = (("training", TRAINING), ("validation", VALIDATION))
    marker = "." if len(epochs) <= _MAX_POINTS else ""
    for values, (name, colour) in zip(values_by_epoch.T, curves, strict=True):
        if not np.isnan(values).all():
            axes.plot(epochs, values, marker=marker, color=colour, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    set_logarithmic(axes)
    if axes.lines:
        axes.legend()


def _wrong(accuracy: float | None) -> float | None:
    return None if accuracy is None else 100 * (1 - accuracy)


def _brief(count: int) -> str:
    """Return a count that fits into a cell of the matrix."""
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


def _reds() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("wrong", ["#ffffff", "#f3b8ae", WRONG])
