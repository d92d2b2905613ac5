"""The documentation: `sphinx-build -W docs out`, from a checkout with the extra `docs`. It needs no network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

import glimpse

project = "glimpse"
author = "the glimpse contributors"
project_copyright = "2026, the glimpse contributors"
release = version = glimpse.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "myst_nb",
    "equations",
    "explanation",
    "command_help",
    "docstrings",
]
exclude_patterns = ["_extensions"]
default_role = "code"  # docstrings mark code by single backticks
nitpicky = False

html_theme = "furo"
html_title = "glimpse"
html_static_path = ["_static"]
html_css_files = ["glimpse.css"]
html_math_renderer = "mathml"
html_copy_source = False
templates_path: list[str] = []

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False  # "Glimpse, shape (B, n, n): rows first" is a sentence, no type
napoleon_use_ivar = True  # a documented attribute is not listed a second time

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebook holds its outputs; a test runs it
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_line_continuation_character = "\\"
