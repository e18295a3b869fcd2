"""The command line: parse, make the same public call, print."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import riskgraph as rg
from riskgraph.cli_cascade import cascade, watch
from riskgraph.cli_input import check_book, check_output, one_format, read
from riskgraph.cli_map import map_
from riskgraph.cli_margin import calls, quote
from riskgraph.cli_options import (
    TOP,
    AsCsv,
    AsJson,
    AssetShock,
    Assumptions,
    Liquidity,
    Model,
    Netting,
    Source,
    Top,
    Totals,
    Verbose,
)
from riskgraph.cli_output import Closed, as_csv, as_json, listed, put, render, safe, say, table, working
from riskgraph.cli_pages import (
    depth_notes,
    facts_of,
    health_of,
    info_page,
    pairs_csv,
    ranking_frame,
    ranking_page,
)
from riskgraph.cli_report import rebuild, report
from riskgraph.cli_reuse import reuse
from riskgraph.errors import InputError, RiskGraphError
from riskgraph.provenance import VERSION

__all__ = ["app", "main"]

CLOSED = 141  # what a shell reports of a program whose reader has gone (128 + SIGPIPE)
# Some versions of Typer carry click within themselves, others stand on the package: this name leads to either.
_USAGE: Any = next(parent for parent in typer.BadParameter.__mro__ if parent.__name__ == "ClickException")

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Who falls next, how far, and what could we do about it: contagion, margin and collateral reuse in one graph. "
    "PATH is a table of positions, a folder of tables, a .duckdb file, or the name of a bundled book.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        put(f"riskgraph {VERSION}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        put(context.get_help() + "\n")


@app.command()
def info(
    path: Source, totals: Totals = None, assumptions: Assumptions = False,
    json: AsJson = False, csv: AsCsv = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Say what a book holds and what was assumed."""
    one_format(json, csv)
    snap = read(path, totals)
    facts = facts_of(snap)
    if json:
        return put(as_json({**facts, "usd": snap.totals_usd, "assumptions": snap.assumptions}))
    if csv:
        return put(pairs_csv({**facts, **{f"{side}_usd": usd for side, usd in snap.totals_usd.items()}}))
    return put(render(*info_page(snap, everything=assumptions)))


@app.command()
def validate(
    path: Source, totals: Totals = None, assumptions: Assumptions = False,
    json: AsJson = False, csv: AsCsv = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Check every table; exit status 2 where one is not valid."""
    one_format(json, csv)
    snap = read(path, totals)
    with working("making the graph"):
        graph = rg.exposure_graph(snap)
        health = health_of(snap)
    facts = {"valid": True, **facts_of(snap), "graph": repr(graph).strip("<>"), "health": health}
    if json:
        return put(as_json({**facts, "assumptions": snap.assumptions}))
    if csv:
        return put(pairs_csv(facts))
    lines = listed("assumed", snap.assumptions, everything=assumptions)
    said = (f"valid: {repr(snap).strip('<>')}", f"graph: {facts['graph']}", f"health: {health}")
    return put(render(*map(safe, said), *lines))


@app.command()
def rank(
    path: Source, totals: Totals = None, liquidity: Liquidity = None, model: Model = None,
    alpha: Annotated[float | None, typer.Option(help="For the model nonlinear.")] = None,
    asset_shock: AssetShock = 0.10,
    horizon: Annotated[int | None, typer.Option(help="Waves to follow; else until nothing moves.")] = None,
    damping: Annotated[float, typer.Option(help="Factor on every transmission, 0 to 1.")] = 1.0,
    max_sources: Annotated[int, typer.Option(help="Largest number of accounts to rank, by debt.")] = 10_000,
    netting: Netting = "family",
    haircut: Annotated[float | None, typer.Option(help="Share of collateral value lost in a sale.")] = None,
    default_capital: Annotated[float, typer.Option(help="Unknown reserves, as a share of debt.")] = 0.01,
    top: Top = None, assumptions: Assumptions = False, json: AsJson = False, csv: AsCsv = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """Rank nodes by what their failure does to others."""
    one_format(json, csv)
    snap = read(path, totals, liquidity)
    with working("making the graph"):
        graph = rg.exposure_graph(snap, netting=netting, haircut=haircut, default_capital=default_capital)
    with working(f"ranking {len(graph):,} nodes"):
        ranking = rg.contagion_centrality(
            graph, model=model, alpha=alpha, asset_shock=asset_shock, horizon=horizon, damping=damping,
            max_sources=max_sources,
        )  # fmt: skip
    notes = tuple(dict.fromkeys((*depth_notes(snap), *ranking.notes, *snap.assumptions)))
    if json:
        told = {
            name: getattr(ranking, name) for name in ("model", "asset_shock", "spectral_radius", "baseline", "road")
        }
        source = {"provenance": str(ranking.provenance), "notes": notes}
        return put(as_json({**told, **source, "ranking": ranking_frame(ranking, top)}))
    if csv:
        return put(as_csv(ranking_frame(ranking, top)))
    return put(render(*ranking_page(ranking, notes, top or TOP, everything=assumptions)))


app.command()(reuse)
app.command()(calls)
app.command()(quote)
app.command()(cascade)
app.command()(watch)


app.command(name="map")(map_)
app.command()(report)
app.command()(rebuild)


@app.command()
def convert(
    path: Source, out: Annotated[str, typer.Argument(metavar="OUT", help="A folder, or a file .duckdb.")],
    totals: Totals = None, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Write a book as a Parquet folder or a DuckDB file."""
    check_output(out, path, "", ".duckdb")
    _write(read(path, totals), out)


def _write(snap: rg.Snapshot, out: str) -> None:
    with working(f"writing {out}"):
        snap.write(out)
    put(f"{safe(out)}: {safe(repr(snap).strip('<>'))}, digest {snap.digest}\n")


@app.command()
def datasets(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Say more about this one.")] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="OUT", help="Write it: folder or .duckdb.")] = None,
    accounts: Annotated[int | None, typer.Option(help="For synthetic.")] = None,
    assets: Annotated[int | None, typer.Option(help="For synthetic.")] = None,
    protocols: Annotated[int | None, typer.Option(help="For synthetic.")] = None,
    seed: Annotated[int | None, typer.Option(help="For synthetic.")] = None,
    json: AsJson = False, csv: AsCsv = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """List the bundled datasets, or write one out."""
    import pandas as pd

    one_format(json, csv)
    options = {"accounts": accounts, "assets": assets, "protocols": protocols, "seed": seed}
    options = {key: value for key, value in options.items() if value is not None}
    known = rg.datasets.names()
    if name is None and (out or options):
        raise InputError(f"datasets: expected the name of one of {', '.join(known)}, got none")
    if out is None and options:
        raise InputError(f"datasets: expected --{', --'.join(options)} together with --out, got no --out")
    if name is not None and out is not None:
        rg.datasets.describe(name)
        check_book(name, "datasets")
        check_output(out, str(rg.datasets.folder(name)), "", ".duckdb")
        with working(f"making {name}"):
            snap = rg.datasets.load(name, **options)
        return _write(snap, out)
    described = {one: rg.datasets.describe(one) for one in ([name] if name else known)}
    frame = pd.DataFrame({"name": list(described), "description": list(described.values())})
    if json or csv:
        return put(as_json(frame) if json else as_csv(frame))
    return put(render(table({"name": False, "description": False}, frame.itertuples(index=False))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 2 (refused, one line on stderr), 130 (interrupted), 141.

    What nobody foresaw keeps its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a label that the terminal cannot show stops nothing
    try:
        command = typer.main.get_command(app)
        status = command.main(
            args=None if arguments is None else list(arguments), prog_name="riskgraph", standalone_mode=False
        )
        return status if isinstance(status, int) else 0
    except Closed:
        return CLOSED
    except RiskGraphError as error:
        say(str(error))
    except _USAGE as error:
        context = getattr(error, "ctx", None)
        help_line = f" ({context.command_path} --help says how)" if context else ""
        say(f"{error.format_message()}{help_line}")
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted")
        return 130
    return 2
