"""Write a report, and run one again: the page, the LaTeX folder and the snapshot that both come from."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskgraph.errors import InputError
from riskgraph.files import writing, writing_folder
from riskgraph.view.report.content import content_of

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Rebuilt", "rebuild_report", "write_report"]

AGREE = 1e-12


def write_report(
    path: str | os.PathLike[str],
    snap: Snapshot,
    *,
    shocks: Mapping[str, float] | Sequence[Mapping[str, float]] | None = None,
    title: str = "Risk report",
    author: str = "",
) -> Path:
    """Write a report: an HTML page, beside it a LaTeX folder from the same content and the snapshot it comes from.

    Parameters
    ----------
    path : path
        The page, ``….html``. Beside it stand ``…_latex`` (report.tex, references.bib, pictures; compile with latexmk)
        and ``…_snapshot`` (Parquet), which :func:`rebuild_report` runs again.
    snap : Snapshot
    shocks : mapping of str to float, or sequence of them, optional
        Price moves to play; by default falls of 10, 20 and 40 % of the asset that most collateral stands on.
    title, author : str
        At most 300 characters each.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        A path that is a folder, cannot be written or does not end in .html; a text that is too long; shocks that are
        none of the book's. Nothing is half-written.
    """
    page = Path(path)
    if page.is_dir():
        raise InputError(f"{page}: expected the path of a file to write, got a directory")
    if page.suffix.lower() != ".html":
        raise InputError(f"{page}: expected a path to write (.html), got {page.suffix or 'no suffix'}")
    content = content_of(snap, shocks, title, author)
    from riskgraph.view.report.page import html_page
    from riskgraph.view.report.paper import paper_files, write_paper

    latex, data = page.with_name(f"{page.stem}_latex"), page.with_name(f"{page.stem}_snapshot")
    text = html_page(content, data.name)
    built = {
        *paper_files(),
        *(f"report.{end}" for end in ("aux", "bbl", "blg", "log", "out", "toc", "pdf", "fls", "fdb_latexmk")),
    }
    with writing(page) as beside, writing_folder(latex, built) as folder:  # renamed once all three are written
        beside.write_text(text, encoding="utf-8", newline="\n")
        write_paper(content, folder)
        snap.write(data)
    return page


@dataclass(frozen=True)
class Rebuilt:
    """Figures of a report beside those of another run; ``differing`` are those that are not the same to 12 digits.

    ``figures`` has (as reported, as rebuilt) by name, ``same_data`` whether the digest of the data is the same.
    """

    figures: dict[str, tuple[float, float]]
    differing: tuple[str, ...]
    same_data: bool

    @property
    def agrees(self) -> bool:
        """Whether data and figures are the same."""
        return self.same_data and not self.differing

    def summary(self) -> str:
        """Say what agrees and what does not."""
        if self.agrees:
            return f"all {len(self.figures):,} figures agree"
        lines = [f"{len(self.differing):,} of {len(self.figures):,} figures differ"]
        lines += [] if self.same_data else ["the data are not those of the report (another digest)"]
        return "\n".join(
            [
                *lines,
                *(
                    f"  {name}: {self.figures[name][0]!r} reported, {self.figures[name][1]!r} rebuilt"
                    for name in self.differing
                ),
            ]
        )


def rebuild_report(path: str | os.PathLike[str], snapshot: str | os.PathLike[str] | None = None) -> Rebuilt:
    """Run a report again and compare every figure.

    Parameters
    ----------
    path : path
        The page.
    snapshot : path, optional
        The data; without it the snapshot that was written beside the page.

    Raises
    ------
    InputError
        The page is no report, or there is no snapshot.
    """
    from riskgraph.readers.reading import read_snapshot

    page = Path(path)
    told = _told(page)
    data = Path(snapshot) if snapshot is not None else page.parent / str(told["snapshot"])
    if not data.exists():
        raise InputError(f"{data}: expected the snapshot of the report {page.name}, got nothing there")
    snap = read_snapshot(data)
    content = content_of(snap, told["shocks"], told["title"], told["author"])
    figures = {
        name: (told["figures"].get(name, math.nan), content.figures.get(name, math.nan))
        for name in sorted({*told["figures"], *content.figures})
    }
    off = tuple(
        name for name, (one, other) in figures.items() if not math.isclose(one, other, rel_tol=AGREE, abs_tol=1e-12)
    )
    return Rebuilt(figures, off, snap.digest == told["digest"])


def _told(page: Path) -> dict[str, Any]:
    """Read what a page says of itself."""
    if not page.is_file():
        raise InputError(f"{page}: expected a report, got {'a directory' if page.is_dir() else 'nothing there'}")
    try:
        text = page.read_text(encoding="utf-8")
        found = re.search(r'<script type="application/json" id="report">(.*?)</script>', text, re.DOTALL)
        told: dict[str, Any] = json.loads(found[1]) if found else {}
    except (OSError, ValueError) as error:
        raise InputError(f"{page}: expected a report, got what cannot be read ({error})") from error
    missing = [name for name in ("snapshot", "shocks", "title", "author", "figures", "digest") if name not in told]
    if missing:
        raise InputError(f"{page}: expected a report that riskgraph wrote, got a page without {', '.join(missing)}")
    return told
