"""The documentation, built by Sphinx: `make docs`."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from generated_pages import write_pages

write_pages(Path(__file__).parent / "reference" / "generated")

project = "digits"
author = "the developers of digits"
copyright = "2026, " + author
release = version = version_of("digits-pipeline")

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["schemas"]
html_theme = "furo"
html_title = "digits"
html_extra_path = ["schemas"]
html_static_path = ["pictures"]
html_copy_source = False

# Every heading can be linked to, and a link that leads nowhere is a warning, which `make docs`
# takes for an error.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

autodoc_typehints = "none"  # the docstrings say the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
autosummary_generate = False  # numpydoc asks for summaries, which we do not use
