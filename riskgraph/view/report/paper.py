"""The report as a LaTeX folder: report.tex, references.bib, and the pictures as PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from riskgraph.provenance import VERSION
from riskgraph.showing import latex_table, latex_text
from riskgraph.view.figures.saving import picture_bytes
from riskgraph.view.report.content import PICTURES, SIZE, Content
from riskgraph.view.report.page import asset
from riskgraph.view.report.references import bibtex

__all__ = ["paper_files", "write_paper"]


def paper_files() -> set[str]:
    """Names of the files that the folder may have, whatever the book and the shocks."""
    return {"report.tex", "references.bib", *(f"{name}.pdf" for name in PICTURES)}


def write_paper(content: Content, folder: Path) -> None:
    """Write every file into a folder that is there."""
    from jinja2 import Environment

    marks: dict[str, Any] = {"block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<",
             "variable_end_string": ">>", "comment_start_string": "<#", "comment_end_string": "#>"}  # fmt: skip
    # Nothing here is HTML: every text goes through latex_text, every table through latex_table.
    template = Environment(autoescape=False, keep_trailing_newline=True, **marks).from_string(asset("report.tex.jinja"))
    tables = {t.caption: latex_table(t.frame, rows=t.rows) for s in content.sections for t in s.tables}
    text = template.render(content=content, tables=tables, tex=latex_text, version=VERSION)
    (folder / "report.tex").write_text(text, encoding="utf-8", newline="\n")
    (folder / "references.bib").write_text(bibtex(content.sources), encoding="utf-8", newline="\n")
    for section in content.sections:
        for picture in section.pictures:
            (folder / f"{picture.name}.pdf").write_bytes(picture_bytes(picture.draw, "pdf", SIZE))
