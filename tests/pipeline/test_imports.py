"""Which libraries a package loads: nothing heavy that it does not need.

A list that grows is a start that slows down: whoever adds to it says why here.
"""

import os
import subprocess
import sys

import mnist_sample
import pytest
from mnist_sample import SAMPLE

from pipeline.images.encoding import png

# What the machinery of an installation and of a compiler may load.
MACHINERY = {"_distutils_hack", "sitecustomize", "cython_runtime", "usercustomize"}

NETWORK = {"numpy", "safetensors", "threadpoolctl"}
REGISTRY = {"sqlalchemy", "greenlet", "typing_extensions"}
SETTINGS = {
    *("pydantic", "pydantic_core", "pydantic_settings", "annotated_types", "typing_inspection"),
    "dotenv",
}
COMMANDS = {"typer", "click", "shellingham", "colorama", "annotated_doc"}


def _loaded(code, *arguments):
    """The libraries that a program has loaded at its end."""
    code += (
        "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in ended.stderr.splitlines()[-1].split()}
    ours = {"nn", "registry", "pipeline"}
    return {
        name
        for name in names - ours - MACHINERY - set(sys.stdlib_module_names)
        if not name.startswith(("__", "_cython_", "_sysconfigdata"))
    }


@pytest.mark.parametrize(
    ("code", "libraries"),
    [
        ("import nn", NETWORK),
        ("import registry", REGISTRY),
        ("import pipeline", set()),
        ("from pipeline.errors import InputError", set()),
        ("from pipeline import open_registry", REGISTRY | SETTINGS),
        ("import pipeline.cli.app", COMMANDS),
    ],
)
def test_a_package_loads_these_libraries_and_no_others(code, libraries):
    assert _loaded(code) - libraries == set()


def test_reading_an_image_loads_these_libraries_and_no_others(version, tmp_path):
    """Neither Arrow nor SciPy, Rich, Alembic or Prefect: `digits predict` takes a second."""
    images, _ = mnist_sample.arrays(SAMPLE.test)
    (tmp_path / "a.png").write_bytes(png(images[0]))
    code = (
        "import sys; sys.argv = ['digits', 'predict', sys.argv[1]]\n"
        "from pipeline.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
    known = NETWORK | REGISTRY | SETTINGS | COMMANDS | {"cv2"}
    assert _loaded(code, tmp_path / "a.png") - known == set()


def test_a_job_does_not_load_prefect():
    code = "import pipeline.jobs.retraining, pipeline.jobs.scoring"
    assert "prefect" not in _loaded(code)


@pytest.mark.parametrize("module", ["pipeline.provenance", "pipeline.images.decoding"])
def test_opencv_has_one_thread_and_our_limit_whatever_is_imported_first(module):
    code = (
        f"import {module}, cv2, os\n"
        "from pipeline.images.decoding import MAX_PIXELS\n"
        "print(cv2.getNumThreads(), os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'] == str(MAX_PIXELS))"
    )
    ours = ("OPENCV_FOR_THREADS_NUM", "OPENCV_IO_MAX_IMAGE_PIXELS")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["1", "True"]
