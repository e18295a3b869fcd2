"""The commands that follow time: a liquidation cascade from its shock to its end, and a book watched as prices come."""

from __future__ import annotations

import csv as csv_format
import io
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from typing import Annotated, Any

import typer

import riskgraph as rg
from riskgraph.cli_input import check_output, moves_of, one_format, read
from riskgraph.cli_margin_pages import CASCADE_FRAMES, cascade_data, cascade_page
from riskgraph.cli_options import (
    TOP,
    AsCsv,
    AsJson,
    Assumptions,
    Follow,
    Liquidity,
    Sharing,
    Shock,
    Source,
    Top,
    Topup,
    Totals,
    Verbose,
)
from riskgraph.cli_output import as_csv, as_json, put, render, safe, working, write_tables, written
from riskgraph.errors import InputError
from riskgraph.wording import counted

__all__ = ["cascade", "watch"]


def cascade(
    path: Source, shock: Shock = None,
    calls: Annotated[bool, typer.Option(help="Whether margin calls are made.")] = True,
    sharing: Sharing = None, topup: Topup = None,
    closeout: Annotated[bool, typer.Option("--closeout", help="Close who is called and has not paid in time.")] = False,
    liquidators: Annotated[str, typer.Option(help="profitable: they come where they gain; or always.")] = "profitable",
    follow: Follow = "backing",
    buy_impact: Annotated[bool, typer.Option("--buy-impact", help="Buying what is repaid moves prices too.")] = False,
    recovery: Annotated[float, typer.Option(help="Share of the price impact that wears off in a round.")] = 0.0,
    dust: Annotated[float, typer.Option(help="USD below which a debt is taken in full, a sale dropped.")] = 1.0,
    max_rounds: Annotated[int | None, typer.Option(help="Rounds after which to give up.")] = None,
    totals: Totals = None, liquidity: Liquidity = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FOLDER", help="Write every table there.")
    ] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="With --out: Parquet instead of CSV.")] = False,
    top: Top = None, assumptions: Assumptions = False, json: AsJson = False, csv: AsCsv = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Follow calls, liquidations and forced sales from a shock to their end."""
    one_format(json, csv)
    moves = moves_of(shock)
    if not moves:
        raise InputError("cascade: expected --shock ASSET=MOVE such as ETH=-0.3, got none")
    if parquet and out is None:
        raise InputError("--parquet: expected together with --out, got no --out")
    if out is not None:
        check_output(out, path, "")
    snap = read(path, totals, liquidity)
    with working("following the cascade"):
        found = rg.liquidation_cascade(
            snap, moves, calls=calls, call_sharing=sharing or "pro_rata", topup=topup, closeout=closeout,
            liquidators=liquidators, follow=follow, buy_impact=buy_impact, recovery=recovery, dust_usd=dust,
            max_rounds=max_rounds,
        )  # fmt: skip
    if out is not None:
        frames = {name: getattr(found, name) for name in CASCADE_FRAMES}
        write_tables(out, "cascade", frames, cascade_data(found, snap), parquet, ours=CASCADE_FRAMES)
    if json:
        frames = {name: getattr(found, name) for name in CASCADE_FRAMES}
        cut = {name: frame if top is None else frame.head(top) for name, frame in frames.items()}
        return put(as_json({**cascade_data(found, snap), **cut}))
    if csv:
        return put(as_csv(found.rounds if top is None else found.rounds.head(top)))
    return put(render(*cascade_page(found, snap, top or TOP, everything=assumptions)))


def watch(
    path: Source,
    ticks: Annotated[
        str, typer.Argument(metavar="[TICKS]", help="CSV (time,asset,price; or time and a column an asset) or JSON "
                            "lines; - is standard input.")
    ] = "-",
    totals: Totals = None, json: AsJson = False, csv: AsCsv = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Say who is called, becomes liquidatable or insolvent, or recovers, as prices come."""
    one_format(json, csv)
    told = _Counted(rg.read_ticks(ticks))
    snap = read(path, totals)
    with working("forming health"):
        crossings = rg.monitor(snap, told)
    if csv:
        put(_csv_line(field.name for field in fields(rg.Crossing)))
    n = 0
    for crossing in crossings:
        n, row = n + 1, asdict(crossing)
        if json:
            put(as_json(row))
        else:
            put(_csv_line(row.values()) if csv else _line(crossing))
    if not (json or csv):
        put(f"{counted(told.n, 'tick')}, {counted(n, 'crossing')}\n")


class _Counted:
    """Ticks, counted as they are taken."""

    def __init__(self, ticks: Iterator[Any]) -> None:
        self.ticks, self.n = ticks, 0

    def __iter__(self) -> Iterator[Any]:
        for tick in self.ticks:
            self.n += 1
            yield tick


def _line(crossing: rg.Crossing) -> str:
    where = f"{crossing.account} at {crossing.protocol}" + (f" ({crossing.bucket})" if crossing.bucket else "")
    health = " → ".join(written(value, is_usd=False) for value in (crossing.health_before, crossing.health))
    by = f", by {crossing.asset}" if crossing.asset else ""
    now = f", now {crossing.status}" if crossing.kind == "recovered" and crossing.status != "healthy" else ""
    return f"{safe(crossing.time)}  {crossing.kind:<12}  {safe(where)}: health {health}{safe(by)}{now}\n"


def _csv_line(values: Iterable[Any]) -> str:
    page = io.StringIO()
    csv_format.writer(page, lineterminator="\n").writerow(values)
    text = page.getvalue()
    return f"{safe(text[:-1])}\n" if sys.stdout.isatty() else text
