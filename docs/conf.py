"""How the documentation site is built: `python -m sphinx -W --keep-going docs build/docs`."""

from __future__ import annotations

import hashlib
import shutil
import sys
from importlib.metadata import version as installed
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from riskgraph.view.report.references import bibtex, papers

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "extensions"))

from members import members_told  # noqa: E402 - it lies in the folder that was just added

BUILD = HERE.parent / "build"
BUILD.mkdir(exist_ok=True)


def bring_notebooks() -> None:
    """Copy the notebooks beside the pages, where links between them and the pages hold."""
    place = HERE / "notebooks"
    place.mkdir(exist_ok=True)
    known = {path.name for path in (HERE.parent / "notebooks").glob("*.ipynb")}
    for path in place.glob("*.ipynb"):
        if path.name not in known:  # renamed, or gone
            path.unlink()
    for path in (HERE.parent / "notebooks").glob("*.ipynb"):
        if not (place / path.name).exists() or (place / path.name).read_bytes() != path.read_bytes():
            shutil.copy(path, place / path.name)


def digest_of_sources() -> str:
    """Give outputs of another state of the package another place: a page is never shown with what an older one said."""
    found = hashlib.sha256()
    for path in sorted(path for name in ("riskgraph", "datasets") for path in (HERE.parent / name).rglob("*.*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(path.relative_to(HERE.parent).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:16]


bring_notebooks()

project, author = "riskgraph", "The riskgraph founders"
project_copyright = "The riskgraph founders, MIT licence"
release = version = installed("riskgraph")

extensions = [
    "mathml",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
exclude_patterns: list[str] = []
nitpicky = False

# Pages and notebooks
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath", "tasklist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"  # each page and notebook runs once, from a clean kernel; its outputs are kept by content
nb_execution_cache_path = str(BUILD / "notebook_cache" / digest_of_sources())
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_kernel_rgx_aliases = {".*": "python3"}

# References: the papers that the code cites, one file for the reports and for this site
(BUILD / "references.bib").write_text(bibtex(papers().values()), encoding="utf-8")
bibtex_bibfiles = ["../build/references.bib"]
bibtex_reference_style = "author_year"
bibtex_default_style = "plain"

# Names from docstrings
autosummary_generate = True
autosummary_context = {"told_members": members_told()}
templates_path = ["_templates"]
autodoc_typehints = "none"  # numpydoc's sections say types with units and ranges
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Look
html_theme = "pydata_sphinx_theme"
html_title = "riskgraph"
html_math_renderer = "mathml"  # read by browsers themselves; no page asks the network for anything
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "show_nav_level": 1,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 8,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {
    "index": [],
    "your_data": [],
    "quickstart": [],
    "gallery": [],
    "glossary": [],
    "cite": [],
    "changelog": [],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def setup(app: Sphinx) -> None:
    """Show rows of CSV as they stand."""
    app.add_lexer("csv", TextLexer)
