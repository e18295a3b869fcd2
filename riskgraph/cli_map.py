"""The command that draws a network as one offline page."""

from __future__ import annotations

from typing import Annotated

import typer

import riskgraph as rg
from riskgraph.cli_input import check_output, moves_of, read
from riskgraph.cli_options import AssetShock, Liquidity, Model, Netting, Shock, Source, Totals, Verbose
from riskgraph.cli_output import put, safe, working
from riskgraph.view.style import TITLE

__all__ = ["map_"]


def map_(
    path: Source, out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="The page to write, .html.")],
    shock: Shock = None,
    what_if: Annotated[
        list[str] | None,
        typer.Option("--what-if", metavar="ASSET", help="Falls of it from 0 to 80 %, played beforehand."),
    ] = None,
    reuse: Annotated[bool, typer.Option("--reuse", help="Chains of reuse of the selected asset.")] = False,
    totals: Totals = None, liquidity: Liquidity = None, model: Model = None, asset_shock: AssetShock = 0.10,
    netting: Netting = "family",
    top: Annotated[int | None, typer.Option(min=1, help="Draw only the largest accounts, so many.")] = None,
    title: Annotated[str, typer.Option(help="What stands above the map.")] = TITLE,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Draw the network as one interactive offline page; --shock plays a cascade on it."""
    check_output(out, path, ".html", ".htm")
    moves = moves_of(shock)
    snap = read(path, totals, liquidity)
    with working("making the graph"):
        graph = rg.exposure_graph(snap, netting=netting)
    with working(f"ranking {len(graph):,} nodes"):
        ranking = rg.contagion_centrality(graph, model=model, asset_shock=asset_shock)
    cascade = None
    if moves:
        with working("following the cascade"):
            cascade = rg.liquidation_cascade(snap, moves)
    grid = None
    if what_if:
        from riskgraph.view.what_if import what_if_grid

        with working(f"playing falls of {', '.join(map(safe, what_if))}"):
            grid = what_if_grid(snap, what_if)
    with working(f"drawing {out}"):
        reused = rg.collateral_reuse(snap) if reuse else None
        drawn = rg.network_map(
            graph, ranking=ranking, cascade=cascade, reuse=reused, what_if=grid, top=top, title=title
        )
        drawn.save(out)
    put(f"{safe(out)}: {safe(repr(drawn).strip('<>'))}\n")
