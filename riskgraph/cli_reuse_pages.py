"""What the command line shows of collateral reuse: data for machines, pages for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import riskgraph as rg
from riskgraph.cli_output import frame_table, listed, written

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from riskgraph.reuse_breaks import Break

__all__ = ["BREAK_TABLES", "REUSE_TABLES", "break_data", "break_frames", "reuse_data", "reuse_frames", "reuse_page"]

OWN_TABLES = ("multipliers", "unmatched", "insolvent", "loops", "looping", "overlap", "hotspots")
REUSE_TABLES = (*OWN_TABLES, "chains", "hotspot_orders")
BREAK_TABLES = ("break_assets", "break_protocols", "break_holders", "break_beside")
CHAINS = 20  # listed for machines where no number is asked for
KINDS = {"asset": "assets", "protocol": "protocols", "account": "accounts"}


def reuse_data(
    result: rg.CollateralReuse, snap: rg.Snapshot, top: int | None, chains: int | None, links: int
) -> dict[str, Any]:
    """Totals, multipliers, hotspots, chains and notes: all of them, or the first few of each."""
    hot, paths = result.hotspots, result.chains(chains or top or CHAINS, links=links)
    cut = [f"chains: {paths.attrs['cut']}"] if paths.attrs.get("cut") else []
    return {
        "totals": result.totals,
        "multipliers": result.multipliers.head(top) if top else result.multipliers,
        "hotspots": hot.groupby("kind", sort=False).head(top) if top else hot,
        "chains": paths,
        "loops": result.loops,
        "notes": tuple(dict.fromkeys((*result.notes, *cut, *snap.assumptions))),
    }


def break_data(broken: Break, cascade: rg.Cascade, top: int | None) -> dict[str, Any]:
    """Give what falls, who bears it, and what a cascade makes of it."""
    frames = break_frames(broken, cascade)
    return {
        "token": broken.token,
        "fall": broken.fall,
        "loss_usd": broken.loss_usd,
        "net_usd": broken.net_usd,
        **{name: frame.head(top) if top else frame for name, frame in frames.items()},
    }


def reuse_frames(result: rg.CollateralReuse, chains: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every table of the result, by name."""
    own = [getattr(result, name) for name in OWN_TABLES]
    return dict(zip(REUSE_TABLES, [*own, chains, result.hotspot_orders()], strict=True))


def break_frames(broken: Break, cascade: rg.Cascade) -> dict[str, pd.DataFrame]:
    """Every table of a break, by name."""
    tables = [broken.assets, broken.protocols, broken.holders, broken.beside(cascade)]
    return dict(zip(BREAK_TABLES, tables, strict=True))


def reuse_page(data: Mapping[str, Any], *, everything: bool) -> list[str | Table]:
    """Multipliers by base asset, hotspots by kind, and the chains that carry most, for people."""
    totals, usd = data["totals"], ("gross", "rehypothecated", "looped", "unique")
    said = ", ".join(f"{name} {written(totals[name], is_usd=True)}" for name in usd)
    multipliers = data["multipliers"].reset_index()
    headers = {name: name for name in (multipliers.columns[0], *usd, "multiplier")}
    page: list[str | Table] = [
        f"collateral: {said}; multiplier (gross ÷ unique) {written(totals['multiplier'], is_usd=False)}",
        "",
        frame_table(multipliers, headers, money=usd),
    ]
    hot = data["hotspots"]
    for kind, plural in KINDS.items():
        rows = hot[hot["kind"] == kind]
        columns = {"rank": "#", "label": kind, "reused_usd": "reused", "contagion": "contagion", "hotspot": "product"}
        if len(rows):
            page += ["", f"hotspots among {plural}", frame_table(rows, columns, money=("reused_usd", "hotspot"))]
    for name, title, columns in (
        ("chains", "chains that carry most", {"usd": "USD", "path": "path"}),
        ("loops", "loops of backing", {"tokens": "tokens", "gain": "gain", "comes_back": "comes back"}),
    ):
        if len(data[name]):
            page += ["", title, frame_table(data[name], columns, money=("usd",))]
    if "hotspot_orders" in data:
        page += ["", "the order of hotspots beside orders under other weights", _orders(data["hotspot_orders"])]
    if "break" in data:
        page += _break_page(data["break"])
    return [*page, "", *listed("notes and assumptions", data["notes"], everything=everything)]


def _orders(orders: pd.DataFrame) -> Table:
    columns = {
        "kind": "kind",
        "order": "order",
        "spearman": "Spearman",
        "kendall": "Kendall",
        "top_shared": "top shared",
    }
    return frame_table(orders, columns)


def _break_page(data: Mapping[str, Any]) -> list[str | Table]:
    assets, holders, beside = (data[f"break_{name}"].reset_index() for name in ("assets", "holders", "beside"))
    lost = (
        f"{written(data['loss_usd'], is_usd=True)}, {written(data['net_usd'], is_usd=True)} after debts in what falls"
    )
    told = {
        "after": "after",
        "loss_usd": "loss",
        "bad_debt_usd": "bad debt",
        "liquidated": "liquidated",
        "price": "price",
    }
    return [
        "",
        f"{data['token']} falls by {data['fall']:.1%}: holders lose {lost}",
        frame_table(assets, {"asset": "asset", "fall": "fall", "loss_usd": "loss"}, money=("loss_usd",)),
        frame_table(holders, {"account": "account", "net_usd": "loss", "share": "of equity"}, money=("net_usd",)),
        frame_table(beside, told, money=("loss_usd", "bad_debt_usd")),
    ]
