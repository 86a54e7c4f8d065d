"""The site of the documents: sphinx-build -W --keep-going docs site, or tox -e docs."""

from __future__ import annotations

import os
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

import vdu_bench

ROOT = Path(__file__).parent.parent
INSIDE = {
    "README.md": "index.md",
    "results/reference/leaderboard.md": "leaderboards/reference.md",
    "results/mnist_small/leaderboard.md": "leaderboards/mnist_small.md",
}
"""Documents outside of this folder, which links name so that they work where the files lie, and their pages here."""

project = "vdu-bench"
author = "The vdu-bench developers"
copyright = "The vdu-bench developers"
version = release = vdu_bench.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
html_theme = "furo"
html_title = f"vdu-bench {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["reach.js"]

myst_heading_anchors = 4
# It takes minutes, and a test runs it.
nb_execution_mode = "off"
# Blocks without a language are formulas and commands.
highlight_language = "none"
# Docstrings have names between single backticks.
default_role = "literal"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
# These come with pydantic and say nothing of the suite.
autodoc_default_options = {"exclude-members": "model_config,model_post_init"}


def bring_inside(app: Sphinx, page: str, content: list[str]) -> None:
    """Let a page's links to documents outside of the site lead to what the site has in their place."""
    folder = (Path(app.srcdir) / page).parent
    for outside, inside in INSIDE.items():
        there, here = (os.path.relpath(file, folder) for file in (ROOT / outside, Path(app.srcdir) / inside))
        content[0] = content[0].replace(f"]({there})", f"]({here})")


def read_sections(app: Sphinx, what: str, name: str, documented: object, options: object, lines: list[str]) -> None:
    """Make fields of a docstring's sections. As an extension napoleon would take a property's colon for a type's."""
    if what not in ("attribute", "property"):
        lines[:] = GoogleDocstring(lines, Config(), app, what, name, documented, options).lines()


def setup(app: Sphinx) -> None:
    app.connect("source-read", bring_inside)
    app.connect("autodoc-process-docstring", read_sections)
