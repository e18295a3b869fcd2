"""Arguments and options that commands share."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

__all__ = [
    "TOP",
    "AsCsv",
    "AsJson",
    "AssetShock",
    "Assumptions",
    "Follow",
    "Liquidity",
    "Model",
    "Netting",
    "Sharing",
    "Shock",
    "Source",
    "Top",
    "Topup",
    "Totals",
    "Verbose",
]

TOP = 10  # rows of each kind in text


def _set_logging(verbose: bool) -> None:
    log = logging.getLogger("riskgraph")
    log.handlers = [logging.StreamHandler(sys.stderr)] if verbose else []
    log.setLevel(logging.INFO if verbose else logging.NOTSET)


Source = Annotated[str, typer.Argument(metavar="PATH", help="A file, a folder, or the name of a bundled book.")]
Totals = Annotated[str | None, typer.Option(metavar="FILE", help="Published totals by account, for a long table.")]
Liquidity = Annotated[str | None, typer.Option(metavar="FILE", help="A table liquidity to use instead of PATH's own.")]
AsJson = Annotated[bool, typer.Option("--json", help="Everything as JSON, for machines.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="The whole table as CSV, for machines.")]
Assumptions = Annotated[bool, typer.Option("--assumptions", help="Show every note and assumption, not the first few.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", callback=_set_logging, help="Say on stderr what is done.")]
Model = Annotated[str | None, typer.Option(help="liquidation, linear, original, nonlinear or threshold.")]
AssetShock = Annotated[float, typer.Option(help="The fall from which assets start, above 0 and at most 1.")]
Netting = Annotated[str, typer.Option(help="What debt is netted against: family, asset or none.")]
Top = Annotated[int | None, typer.Option(min=1, help=f"Rows of each kind; {TOP} in text, all for machines.")]
Shock = Annotated[
    list[str] | None,
    typer.Option(metavar="ASSET=MOVE", help="A price move first, -0.3 is a fall of 30 %; may stand several times."),
]
Sharing = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PROTOCOL", help="Serve this protocol's calls first, then those of the next one named; else pro rata."
    ),
]
Follow = Annotated[str, typer.Option(help="Who else a shock moves: backing, family or none.")]
Topup = Annotated[str | None, typer.Option(help="first or never: whether calls are paid where there is no grace.")]
