"""The commands on margin: calls and who pays them, health of margin accounts, and what one liquidation call does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

import riskgraph as rg
from riskgraph.cli_input import moves_of, one_format, read
from riskgraph.cli_margin_pages import calls_data, calls_page
from riskgraph.cli_options import (
    TOP,
    AsCsv,
    AsJson,
    Assumptions,
    Follow,
    Sharing,
    Shock,
    Source,
    Top,
    Topup,
    Totals,
    Verbose,
)
from riskgraph.cli_output import as_csv, as_json, frame_table, listed, put, render, safe, table, working, written
from riskgraph.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["calls", "quote"]

_MONEY = ("collateral_usd", "debt_usd")


def calls(
    path: Source,
    health: Annotated[bool, typer.Option("--health", help="Health and status of every margin account.")] = False,
    price: Annotated[
        str | None, typer.Option(metavar="ASSET", help="Beside it the price of this asset at which each is liquidated.")
    ] = None,
    shock: Shock = None, sharing: Sharing = None, follow: Follow = "backing", topup: Topup = None,
    totals: Totals = None, top: Top = None, assumptions: Assumptions = False,
    json: AsJson = False, csv: AsCsv = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Say who is called for margin and who pays; with --health, which margin accounts stand where."""
    one_format(json, csv)
    if health:
        if sharing or topup or follow != "backing":
            raise InputError("--sharing, --follow, --topup: expected without --health, got both")
        return _health(path, price, shock, totals, top, assumptions, json, csv)
    if price is not None:
        raise InputError("--price: expected together with --health, got no --health")
    snap = read(path, totals)
    with working("calling for margin"):
        found = rg.margin_calls(snap, moves_of(shock) or None, call_sharing=sharing or "pro_rata", follow=follow,
                                topup=topup)  # fmt: skip
    if json:
        return put(as_json(calls_data(found, top)))
    if csv:
        return put(as_csv(found.calls if top is None else found.calls.head(top)))
    return put(render(*calls_page(found, snap, top or TOP, everything=assumptions)))


def _health(
    path: str, price: str | None, shock: Sequence[str] | None, totals: str | None, top: int | None, assumptions: bool,
    json: bool, csv: bool,
) -> None:  # fmt: skip
    from riskgraph.margin.account_health import STATUSES

    snap = _shocked(read(path, totals), shock)
    with working("forming health"):
        frame = rg.health(snap)
        if price is not None:
            points = rg.liquidation_prices(snap, price)
            frame = frame.merge(points[["account", "protocol", "bucket", "price", "fall"]], how="left",
                                on=["account", "protocol", "bucket"])  # fmt: skip
    frame = frame.sort_values(["health", "debt_usd", "account", "protocol"], ascending=[True, False, True, True])
    counts = {name: int((frame["status"] == name).sum()) for name in STATUSES}
    shown = frame if top is None and (json or csv) else frame.head(top or TOP)
    if json:
        told = {"status": counts, "assumptions": snap.assumptions}
        return put(as_json({**told, "health": shown}))
    if csv:
        return put(as_csv(shown))
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    bucketed = bool((shown["bucket"] != "").any())
    columns = {str(name): str(name).removesuffix("_usd") for name in shown if name != "bucket" or bucketed}
    lines = listed("assumed", snap.assumptions, everything=assumptions)
    return put(
        render(f"{len(frame):,} margin accounts: {said}", "", frame_table(shown, columns, money=_MONEY), "", *lines)
    )


def quote(
    path: Source,
    account: Annotated[str, typer.Argument(help="Whose margin account.")],
    protocol: Annotated[str, typer.Argument(help="Where.")],
    bucket: Annotated[str, typer.Option(help="Which isolated one.")] = "",
    debt: Annotated[str | None, typer.Option(metavar="ASSET", help="Repay this debt; else the largest.")] = None,
    collateral: Annotated[str | None, typer.Option(metavar="ASSET", help="Seize this; else the largest.")] = None,
    repay: Annotated[float | None, typer.Option(help="Units offered; else as much as the rule allows.")] = None,
    seize: Annotated[float | None, typer.Option(help="Units asked for, where the rule takes that.")] = None,
    shock: Shock = None, totals: Totals = None, assumptions: Assumptions = False,
    json: AsJson = False, csv: AsCsv = False, verbose: Verbose = False,
) -> None:  # fmt: skip
    """Say what one liquidation call would do, as the protocol's contract does it."""
    one_format(json, csv)
    snap = _shocked(read(path, totals), shock)
    with working("quoting"):
        quoted = rg.liquidation_quote(
            snap,
            account,
            protocol,
            bucket=bucket,
            debt_asset=debt,
            collateral_asset=collateral,
            repay=repay,
            seize=seize,
        )
    frame = quoted.to_frame()
    if json:
        source = {"provenance": str(quoted.provenance), "assumptions": snap.assumptions}
        return put(as_json({**frame.to_dict("records")[0], "movements": quoted.movements, **source}))
    if csv:
        return put(as_csv(frame))
    told = {str(name): value for name, value in frame.to_dict("records")[0].items()}
    rows = [(name, written(value, is_usd=name.endswith("_usd"))) for name, value in told.items() if value != ""]
    lines = listed("assumed", snap.assumptions, everything=assumptions)
    page: list[Any] = [safe(quoted.summary()), "", table({"": False, "value": True}, rows)]
    if len(quoted.movements):
        page += ["", "what moves", _moves(quoted.movements)]
    return put(render(*page, "", *lines))


def _moves(movements: pd.DataFrame) -> Any:
    columns = {name: name for name in ("account", "protocol", "side", "asset", "amount", "why")}
    return frame_table(movements, columns)


def _shocked(snap: rg.Snapshot, shock: Sequence[str] | None) -> rg.Snapshot:
    """Move prices by what ``--shock ASSET=MOVE`` says."""
    moves = moves_of(shock)
    return snap.with_shock(moves) if moves else snap
