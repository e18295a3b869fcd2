"""The commands that write a report and run one again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import riskgraph as rg
from riskgraph.cli_input import moves_of, read
from riskgraph.cli_options import Liquidity, Shock, Source, Totals, Verbose
from riskgraph.cli_output import put, safe, working
from riskgraph.files import making_folder

__all__ = ["rebuild", "report"]

DIFFERS = 1


def report(
    path: Source, out: Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Where to write the report.")],
    shock: Shock = None,
    title: Annotated[str | None, typer.Option(help="What stands at the top; else the name of the data.")] = None,
    author: Annotated[str, typer.Option(help="Who wrote it.")] = "",
    totals: Totals = None, liquidity: Liquidity = None, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Write a report as one offline page, and as LaTeX from the same content; each --shock is played by itself."""
    moves = moves_of(shock)
    shocks = [{asset: move} for asset, move in moves.items()] or None
    with making_folder(out) as folder:
        snap = read(path, totals, liquidity)
        with working("writing the report"):
            page = rg.write_report(
                folder / "report.html", snap, shocks=shocks, title=title or f"Risk report: {Path(path).name}",
                author=author,
            )  # fmt: skip
    put(f"{safe(str(page))}\n{safe(str(page.with_name('report_latex')))}\n")


def rebuild(
    page: Annotated[str, typer.Argument(metavar="REPORT", help="The page that report wrote.")],
    snapshot: Annotated[
        str | None, typer.Option(metavar="PATH", help="The data; else the snapshot beside the page.")
    ] = None,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Run a report again and say whether its figures agree; exit status 1 where they do not."""
    with working("running the report again"):
        found = rg.rebuild_report(page, snapshot)
    put(safe_lines(found.summary()))
    if not found.agrees:
        raise typer.Exit(DIFFERS)


def safe_lines(text: str) -> str:
    """Write lines for a terminal."""
    return "\n".join(safe(line) for line in text.splitlines()) + "\n"
