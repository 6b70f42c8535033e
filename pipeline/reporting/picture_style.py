"""The style of the pictures, and how a figure becomes SVG or PNG. Equal figures give equal bytes.

Matplotlib is imported when the first picture is drawn, because that takes a second. pyplot is never
imported: it would keep every figure, and look for a display.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipeline.settings import load_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.25
"""Width of a picture in inches: 600 CSS pixels, which fit our page and Prefect's."""

# Sharp on screens of high density too.
_DOTS_PER_INCH = 144

INK = "#222222"
_FAINT = "#8a8a8a"
TRAINING = "#b0743a"
VALIDATION = "#1f5fa8"
WRONG = "#c0392b"

_STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": _FAINT,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    # Without it the ids of clips and glyphs are random.
    "svg.hashsalt": "digits",
}


@contextlib.contextmanager
def new_figure(height: float) -> Iterator["Figure"]:
    """Yield a figure in our style, not in the user's; `height` is in inches."""
    # Matplotlib's list of fonts is kept under our home, not in the user's.
    os.environ.setdefault("MPLCONFIGDIR", str(load_settings().home / "matplotlib"))
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", _STYLE]):
        yield Figure((WIDTH, height))


def set_logarithmic(axes: "Axes") -> None:
    """Make the y axis logarithmic, with plain numbers as labels."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)
    axes.grid(axis="y")


def square(x: float, y: float, side: float, **style: Any) -> Any:
    """Return a square around a center."""
    from matplotlib.patches import Rectangle

    return Rectangle((x - side / 2, y - side / 2), side, side, **style)


def svg(figure: "Figure") -> bytes:
    """Return a figure as SVG, without a date."""
    picture = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(picture, format="svg", metadata=nothing)
    return picture.getvalue()


def png(figure: "Figure") -> bytes:
    """Return a figure as PNG."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return picture.getvalue()
