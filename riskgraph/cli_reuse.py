"""The command that measures reuse: multipliers, hotspots, chains, and what the break of a token would cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import riskgraph as rg
from riskgraph.cli_input import check_output, moves_of, one_format, read
from riskgraph.cli_options import TOP, AsCsv, AsJson, Assumptions, Liquidity, Source, Top, Totals, Verbose
from riskgraph.cli_output import as_csv, as_json, put, render, working, write_tables
from riskgraph.cli_reuse_pages import (
    BREAK_TABLES,
    REUSE_TABLES,
    break_data,
    break_frames,
    reuse_data,
    reuse_frames,
    reuse_page,
)
from riskgraph.errors import InputError
from riskgraph.files import writing

__all__ = ["reuse"]

PICTURES = (".png", ".svg", ".pdf")


def reuse(
    path: Source, totals: Totals = None, liquidity: Liquidity = None, top: Top = None,
    chains: Annotated[int | None, typer.Option(min=1, help="How many chains; else as many as other rows.")] = None,
    links: Annotated[int, typer.Option(min=0, help="Least number of wrappings in a chain.")] = 1,
    orders: Annotated[
        bool, typer.Option("--orders", help="Compare the order of hotspots with orders under other weights.")
    ] = False,
    shock: Annotated[
        list[str] | None,
        typer.Option(metavar="TOKEN=MOVE", help="Let one token fall: who loses, before and after a cascade."),
    ] = None,
    picture: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw the chains as a Sankey picture: .png, .svg or .pdf.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FOLDER", help="Write every table there.")
    ] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="With --out: Parquet instead of CSV.")] = False,
    assumptions: Assumptions = False, json: AsJson = False, csv: AsCsv = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Measure how often collateral is used again."""
    one_format(json, csv)
    fall = _fall(shock)
    if parquet and out is None:
        raise InputError("--parquet: expected together with --out, got no --out")
    if out is not None:
        check_output(out, path, "")
    if picture is not None:
        check_output(picture, path, *PICTURES)
    snap = read(path, totals, liquidity)
    rows = top if json or csv else top or TOP
    with working("tracing collateral"):
        result = rg.collateral_reuse(snap)
        data = reuse_data(result, snap, rows, chains, links)
        if orders:
            data["hotspot_orders"] = result.hotspot_orders()
    frames = reuse_frames(result, data["chains"]) if out is not None else {}
    if fall is not None:
        with working(f"letting {fall[0]} fall"):
            broken = result.break_(*fall)
            cascade = broken.cascade()
            data["break"] = break_data(broken, cascade, rows)
            frames |= break_frames(broken, cascade) if out is not None else {}
    if picture is not None:
        _draw(result, picture, chains or TOP)
    if out is not None:
        told = {name: part for name, part in data.items() if name in ("totals", "notes")}
        write_tables(out, "reuse", frames, told, parquet, ours=(*REUSE_TABLES, *BREAK_TABLES))
    if json:
        return put(as_json(data))
    if csv:
        return put(as_csv(data["multipliers"]))
    return put(render(*reuse_page(data, everything=assumptions)))


def _fall(shock: list[str] | None) -> tuple[str, float] | None:
    moves = moves_of(shock)
    if not moves:
        return None
    (token, move), *more = moves.items()
    if more or not -1.0 < move < 0.0:
        raise InputError(f"--shock: expected the fall of one token, above -1 and below 0, got {', '.join(shock or ())}")
    return token, -move


def _draw(result: rg.CollateralReuse, picture: str, top: int) -> None:
    """Write the Sankey picture, whole or not at all."""
    from riskgraph.view.figures.saving import picture_bytes

    form = Path(picture).suffix.lower().removeprefix(".")
    with working(f"drawing {picture}"), writing(picture) as beside:
        beside.write_bytes(picture_bytes(lambda ax: result.plot(ax, top=top), form, (8.0, 4.5)))
