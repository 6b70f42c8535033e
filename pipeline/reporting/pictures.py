"""Pictures of what a run came to: SVG, or PNG where images are shown. Equal figures, equal bytes.

Matplotlib is imported when the first picture is drawn: it takes a second. pyplot is not: it would
keep every figure, and look for a display.
"""

import base64
import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import Epoch
from pipeline.metrics.evaluation import Evaluation, Mistake
from pipeline.scoring.review import LowConfidence
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# 600 CSS pixels, in inches; what a column of a page and Prefect's own both have.
_WIDTH = 6.25

# So that a sheet of images is sharp on a screen of any density.
_DOTS_PER_INCH = 144

_INK = "#222222"
_FAINT = "#8a8a8a"
_TRAINING = "#b0743a"
_VALIDATION = "#1f5fa8"
_WRONG = "#c0392b"

_STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.color": _FAINT,
    "ytick.labelcolor": _INK,
    "text.color": _INK,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    # Names of clips and glyphs are random without it.
    "svg.hashsalt": "digits",
}

_SHEET_COLUMNS = 6

# Height of a line above an image, in pixels of it.
_LINE = 10

# Epochs up to which each is a point of its own.
_FEW = 30


@lru_cache(maxsize=1)
def of_retraining(history: tuple[Epoch, ...], evaluation: Evaluation | None) -> dict[str, str]:
    """Return the pictures that there are of a retraining, by title, as ``data:`` URIs.

    Those drawn last are kept: a page and an artifact of the same run show the same.
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
    """Return a picture as an address that holds all of it."""
    kind = "png" if picture.startswith(b"\x89PNG") else "svg+xml"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def learning_curves(history: Sequence[Epoch]) -> bytes:
    """Return loss and share of wrong predictions by epoch, as SVG.

    Both axes are logarithmic: what the last epochs gained is as plain as what the first did.

    Parameters
    ----------
    history : sequence of Epoch
        At least one.
    """
    losses = [(epoch.loss, epoch.validation_loss) for epoch in history]
    wrong = [(_wrong(epoch.accuracy), _wrong(epoch.validation_accuracy)) for epoch in history]
    panels = ((0.09, "Loss, cross-entropy", losses), (0.59, "Wrong predictions, %", wrong))
    with _figure(2.6) as figure:
        for left, title, pairs in panels:
            axes = figure.add_axes((left, 0.19, 0.4, 0.7))
            axes.set(xlabel="epoch", title=title)
            _curves(axes, [epoch.number for epoch in history], pairs)
        return _svg(figure)


def confusion_picture(confusion: Sequence[Sequence[int]]) -> bytes:
    """Return what labels were taken for, as SVG; the more often wrongly, the redder.

    Parameters
    ----------
    confusion : sequence of sequence of int
        Rows by label, columns by prediction.
    """
    counts = np.array(confusion)
    wrong = counts - np.diag(np.diag(counts))
    most = max(1, int(wrong.max()))
    digits = np.arange(len(counts))
    with _figure(4.6) as figure:
        axes = figure.add_axes((0.15, 0.1, 0.7, 0.84), aspect="equal")
        reds = _reds()
        for (label, prediction), count in np.ndenumerate(counts):
            right = label == prediction
            if not count and not right:
                continue
            share = wrong[label, prediction] / most
            axes.add_patch(_square(prediction, label, 1, color="#e8efe4" if right else reds(share)))
            axes.text(
                prediction,
                label,
                _brief(int(count)),
                ha="center",
                va="center",
                color="white" if share > 0.6 else _INK,
                size=8,
            )
        axes.set(xlim=(-0.5, len(counts) - 0.5), ylim=(len(counts) - 0.5, -0.5))
        axes.set(xticks=digits, yticks=digits)
        axes.set_xticks(digits + 0.5, minor=True)
        axes.set_yticks(digits + 0.5, minor=True)
        axes.grid(which="minor")
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel="taken for", ylabel="label")
        axes.set_title("Images by label, and what they were taken for")
        return _svg(figure)


def mistakes_picture(mistakes: Sequence[Mistake]) -> bytes:
    """Return a sheet of images that were taken for another digit, as PNG.

    Over each is its label, what it was taken for, and the confidence.

    Parameters
    ----------
    mistakes : sequence of Mistake
        At least one.
    """
    return _sheet(
        [(one.image, f"{one.label} → {one.prediction}, {one.confidence:.2f}") for one in mistakes]
    )


def low_confidence_picture(images: Sequence[LowConfidence]) -> bytes:
    """Return a sheet of images that were hardly told, as PNG.

    Over each is what it was taken for, and the confidence.

    Parameters
    ----------
    images : sequence of LowConfidence
        At least one.
    """
    return _sheet([(one.image, f"{one.prediction}?  {one.confidence:.2f}") for one in images])


def _sheet(images: Sequence[tuple[bytes, str]]) -> bytes:
    """Return images below their captions, drawn as ink on paper, as PNG."""
    rows = -(-len(images) // _SHEET_COLUMNS)
    # In pixels of the images, which stand a fifth apart; above each there is room for a line.
    cell = 28 * 6 // 5
    height = cell + _LINE
    with _figure(_WIDTH * rows * height / (_SHEET_COLUMNS * cell)) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for place, (pixels, caption) in enumerate(images):
            row, column = divmod(place, _SHEET_COLUMNS)
            left, top = column * cell + (cell - 28) / 2, row * height + _LINE
            image = np.frombuffer(pixels, np.uint8).reshape(28, 28)
            axes.imshow(
                image,
                cmap="gray_r",
                vmin=0,
                vmax=255,
                interpolation="nearest",
                extent=(left, left + 28, top + 28, top),
            )
            axes.add_patch(_square(left + 14, top + 14, 28, fill=False, edgecolor="#d0d0d0"))
            axes.text(left + 14, top - 2, caption, ha="center", va="baseline")
        axes.set(xlim=(0, _SHEET_COLUMNS * cell), ylim=(rows * height, 0))
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
        return drawn.getvalue()


def confidence_picture(histogram: Sequence[int]) -> bytes:
    """Return how many images were scored with which confidence, as SVG.

    Parameters
    ----------
    histogram : sequence of int
        Images by confidence, in bins of equal width from 0 to 1.
    """
    edges = np.linspace(0, 1, len(histogram) + 1)
    with _figure(2.4) as figure:
        axes = figure.add_axes((0.11, 0.2, 0.86, 0.69))
        axes.stairs(histogram, edges, fill=True, color=_VALIDATION)
        axes.set_xlim(0, 1)
        axes.set_xlabel("confidence")
        axes.set_title("Images by confidence (logarithmic)")
        # Less than one image is none, but a bar for one must be seen; ticks are whole images.
        axes.set_ylim(bottom=0.5, top=2 * max(30, *histogram))
        _logarithmic(axes)
        return _svg(figure)


@contextlib.contextmanager
def _figure(height: float) -> Iterator["Figure"]:
    """Give a figure of the usual width, in the project's own style whatever the user's is."""
    # Its list of fonts stays with our files, and out of the user's home.
    os.environ.setdefault("MPLCONFIGDIR", str(load_settings().home / "matplotlib"))
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", _STYLE]):
        yield Figure((_WIDTH, height))


def _curves(
    axes: "Axes", epochs: Sequence[int], pairs: Sequence[tuple[float | None, float | None]]
) -> None:
    """Draw figures of training and of validation."""
    from matplotlib.ticker import MaxNLocator

    # Where there is no figure there is no point; nor where it is 0, which has no logarithm.
    figures = np.array(pairs, float)
    figures[figures <= 0] = np.nan
    looks = (("training", _TRAINING), ("validation", _VALIDATION))
    marker = "." if len(epochs) <= _FEW else ""
    for values, (name, colour) in zip(figures.T, looks, strict=True):
        if not np.isnan(values).all():
            axes.plot(epochs, values, marker=marker, color=colour, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _logarithmic(axes)
    if axes.lines:
        axes.legend()


def _wrong(accuracy: float | None) -> float | None:
    return None if accuracy is None else 100 * (1 - accuracy)


def _logarithmic(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)
    axes.grid(axis="y")


def _brief(count: int) -> str:
    """Return a count that fits a cell of the matrix."""
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


def _square(x: float, y: float, side: float, **looks: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - side / 2, y - side / 2), side, side, **looks)


def _reds() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("wrong", ["#ffffff", "#f3b8ae", _WRONG])


def _svg(figure: "Figure") -> bytes:
    drawn = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(drawn, format="svg", metadata=nothing)
    return drawn.getvalue()
