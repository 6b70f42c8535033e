"""Pictures are well-formed and show their data, and equal data give equal bytes."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest

from nn import Epoch
from pipeline.metrics.evaluation import Mistake
from pipeline.reporting.pictures import (
    confidence_picture,
    confusion_picture,
    learning_curves,
    mistakes_picture,
)

pytestmark = pytest.mark.usefixtures("home")

SVG = "{http://www.w3.org/2000/svg}"

NO_IMAGES = ((0,) * 10,) * 10
CONFUSION = ((1_234_567,) * 10, (12_345,) * 10, *NO_IMAGES[2:])


def _epoch(number, validation=0.9):
    known = validation is not None
    return Epoch(number, 1 / number, 0.8, 0.5 if known else None, validation, 0.1, 1.0)


def _mistake(image=b"\x00" * 784):
    return Mistake(image, 7, 2, 0.98, "validation image 3")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: learning_curves([_epoch(1)]),
        lambda: learning_curves([_epoch(n) for n in range(1, 301)]),
        lambda: learning_curves([_epoch(1, None), _epoch(2, None)]),
        lambda: learning_curves([_epoch(1, 1.0)]),
        lambda: confusion_picture(NO_IMAGES),
        lambda: confusion_picture(CONFUSION),
        lambda: confidence_picture([0] * 20),
        lambda: confidence_picture([0] * 18 + [1, 10_000_000]),
    ],
)
def test_an_svg_picture_is_well_formed_and_refers_to_nothing_outside(draw):
    drawn = draw()
    root = ET.fromstring(drawn)
    assert root.tag == SVG + "svg"
    assert (root.get("width"), root.get("viewBox")[:8]) == ("450pt", "0 0 450 ")
    references = re.findall(r'(?:href="|url\()([^")]*)', drawn.decode())
    assert all(reference.startswith("#") for reference in references)


def _points(drawn):
    """The number of points for training and for validation, in both panels."""
    marks = [use.get("style", "") for use in ET.fromstring(drawn).iter(SVG + "use")]
    return [sum(colour in mark for mark in marks) for colour in ("#b0743a", "#1f5fa8")]


def test_a_curve_has_a_point_for_each_epoch_with_a_value():
    # And one of each for the legend.
    assert _points(learning_curves([_epoch(n) for n in range(1, 21)])) == [42, 42]
    assert _points(learning_curves([_epoch(n, None) for n in range(1, 21)])) == [42, 0]
    assert _points(learning_curves([_epoch(1), _epoch(2, 1.0)])) == [6, 5]


def test_the_images_on_the_sheet_are_dark_on_white_and_in_order():
    dark, light = _mistake(b"\xff" * 784), _mistake()
    pixels = cv2.imdecode(
        np.frombuffer(mistakes_picture([dark, light]), np.uint8), cv2.IMREAD_GRAYSCALE
    )
    middle = pixels.shape[0] * 2 // 3
    first, second = (pixels[middle, int(pixels.shape[1] * (n + 0.5) / 6)] for n in range(2))
    assert (first, second) == (0, 255)


def test_equal_data_give_equal_bytes_in_any_process_and_with_any_user_style(tmp_path):
    script = (
        "import sys; from pipeline.reporting.pictures import *;"
        "sys.stdout.buffer.write(confusion_picture([[5, 1], [2, 3]]))"
    )
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: black\n")
    elsewhere = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    drawn = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=elsewhere, stdout=-1, check=True
    ).stdout
    assert drawn == confusion_picture([[5, 1], [2, 3]]) == confusion_picture([[5, 1], [2, 3]])
    assert drawn != confusion_picture([[5, 1], [1, 3]])


def test_matplotlib_is_imported_only_to_draw():
    script = "import sys, pipeline.reporting.pictures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_list_of_fonts_is_kept_under_our_home(home, tmp_path):
    user = tmp_path / "user"
    user.mkdir()
    script = "from pipeline.reporting.pictures import *; confidence_picture([1] * 20)"
    environment = {**os.environ, "HOME": str(user)}
    environment.pop("MPLCONFIGDIR", None)
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert list((home / "matplotlib").glob("fontlist*"))
    assert not [path for path in user.rglob("*") if path.is_file()]
