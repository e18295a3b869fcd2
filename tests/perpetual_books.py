"""Books of a venue of perpetuals for tests: small ones by hand, a naive venue as tables, and random ones."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
from hypothesis import strategies as st

import riskgraph as rg
from tests.naive.perpetuals import Account, Position, Venue

__all__ = ["COINS", "book", "holdings", "holdings_of", "snapshot_of", "venues"]

COINS = pd.DataFrame({"asset": ["BTC", "ETH", "USDC"], "price": [20_000.0, 1_000.0, 1.0]})
COLUMNS = ["account", "protocol", "bucket", "asset", "side", "amount", "entry_price"]
NAMES = ("AAA", "BBB", "CCC")
KEYS = [("ann", ""), ("ann", "x"), ("bob", ""), ("cat", ""), ("cat", "y"), ("dan", ""), ("hl", "")]
AMOUNTS = st.sampled_from(["1", "0.001", "1", "3", "12.5", "400", "0"]).map(Fraction)
MARKS = st.sampled_from(["20", "20", "19.75", "0.5", "1e-12", "0", "1e9"]).map(Fraction)
LADDERS = st.sampled_from(
    [
        [("0", "0")],
        [("0", "0.05")],
        [("0", "0.01"), ("10", "0.05")],
        [("0", "0.02"), ("20", "0.02"), ("50", "0.5")],
    ]
).map(lambda ladder: [(Fraction(start), Fraction(rate)) for start, rate in ladder])


def book(*rows, assets=COINS, margins=(0.02, 0.05), **terms):
    """Rows: account (or account/bucket), asset, side, amount, entry price; maintenance 2 % for BTC, 5 % for ETH."""
    filled = [(*name.split("/"), "")[:2] + (*rest, None)[:4] for name, *rest in rows]
    frame = pd.DataFrame(filled, columns=["account", "bucket", "asset", "side", "amount", "entry_price"])
    return rg.Snapshot(
        positions=frame.assign(protocol="hl").astype({"entry_price": float}),
        assets=assets,
        protocols=pd.DataFrame([{"protocol": "hl", "rule": "perp", **terms}]),
        markets=pd.DataFrame({"protocol": "hl", "asset": ["BTC", "ETH"], "maintenance_margin": margins}),
    )


def snapshot_of(venue: Venue, *, order=None) -> rg.Snapshot:
    """The same venue as tables, rows in another order if one is given."""
    rows = []
    for (owner, bucket), account in venue.accounts.items():
        for side, held in (("collateral", account.cash), ("debt", account.debt)):
            rows += [(owner, venue.name, bucket, token, side, float(units), None) for token, units in held.items()]
        for one in account.positions:
            entry = None if one.entry is None else float(one.entry)
            rows.append((owner, venue.name, bucket, one.asset, one.side, float(one.amount), entry))
    rows = rows if order is None else [rows[at] for at in order(len(rows))]
    positions = pd.DataFrame(rows, columns=COLUMNS).astype({"entry_price": float})
    tiers = [(venue.name, asset, float(start), float(rate)) for asset, ladder in venue.tiers.items()
             for start, rate in ladder]  # fmt: skip
    cuts = [(venue.name, token, float(cut)) for token, cut in venue.haircuts.items()]
    terms = {"reserve_usd": venue.fund, "deficit_usd": venue.deficit, "liquidation_fee": venue.fee}
    terms |= {"partial_share": venue.partial_share, "partial_above_usd": venue.partial_above}
    terms |= {"backstop_share": venue.backstop_share}
    protocol = {"protocol": venue.name, "rule": "perp", "adl_rank": venue.rank, "settlement_asset": venue.settlement}
    cooling = [(owner, venue.name, 1.0) for owner in sorted(venue.cooling)]
    return rg.Snapshot(
        positions=positions,
        assets=pd.DataFrame({"asset": list(venue.marks), "price": [float(mark) for mark in venue.marks.values()]}),
        protocols=pd.DataFrame([protocol | {name: float(number) for name, number in terms.items()}]),
        tiers=pd.DataFrame(tiers, columns=["protocol", "asset", "notional_from_usd", "maintenance_margin"]),
        markets=pd.DataFrame(cuts, columns=["protocol", "asset", "haircut"]) if cuts else None,
        accounts=pd.DataFrame(cooling, columns=["account", "protocol", "partial_orders"]) if cooling else None,
    )


def holdings(venue: Venue) -> dict:
    """Every holding above nothing: (owner, bucket, asset, side) -> units."""
    found = {}
    for (owner, bucket), account in venue.accounts.items():
        for side, held in (("collateral", account.cash), ("debt", account.debt)):
            found |= {(owner, bucket, token, side): float(units) for token, units in held.items() if units}
        found |= {(owner, bucket, one.asset, one.side): float(one.amount) for one in account.positions if one.amount}
    return found


def holdings_of(snap: rg.Snapshot) -> dict:
    """The same of a snapshot."""
    rows = snap.positions
    keys = zip(rows["account"], rows["bucket"], rows["asset"], rows["side"], strict=True)
    return {key: amount for key, amount in zip(keys, rows["amount"], strict=True) if amount}


@st.composite
def positions_of(draw, marks):
    pairs = draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["long", "short"])), min_size=1, max_size=4,
                          unique=True))  # fmt: skip
    made = []
    for asset, side in pairs:
        entry = draw(st.sampled_from(["none", "0.9", "1.1", "1.25", "0.5", "1"]))
        base = marks[asset] if marks[asset] > 0 else Fraction(20)
        made.append(Position(asset, side, draw(AMOUNTS), None if entry == "none" else base * Fraction(entry)))
    return made


@st.composite
def venues(draw) -> Venue:
    """Up to five accounts; the equity of the first is drawn about what it needs, or exactly that."""
    marks = {asset: draw(MARKS) for asset in NAMES} | {
        "USDX": Fraction(1), "GOLD": Fraction("1e9"), "WORN": Fraction("1e-12")}  # fmt: skip
    venue = Venue(
        name="hl",
        marks=marks,
        tiers={asset: draw(LADDERS) for asset in NAMES},
        haircuts={"GOLD": draw(st.sampled_from([Fraction(0), Fraction("0.1")]))},
        settlement="USDX",
        accounts={},
        fund=draw(st.sampled_from([Fraction(0), Fraction(0), Fraction(3), Fraction(10**12)])),
        fee=draw(st.sampled_from([Fraction(0), Fraction("0.001"), Fraction("0.25")])),
        partial_share=draw(st.sampled_from([Fraction("0.2"), Fraction("0.5")])),
        partial_above=draw(st.sampled_from([Fraction(0), Fraction(30), Fraction(10**5)])),
        backstop_share=draw(st.sampled_from([Fraction(0), Fraction("0.6666666666666666"), Fraction(1)])),
        rank=draw(st.sampled_from(["hyperliquid", "binance", "okx", "bitmex"])),
    )
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=5, unique=True))
    for owner, bucket in keys:
        account = Account(owner, bucket, {}, {}, draw(positions_of(marks)))
        venue.accounts[owner, bucket] = account
        account.cash = {token: draw(st.sampled_from(["0", "1", "1e-9"]).map(Fraction))
                        for token in draw(st.lists(st.sampled_from(["GOLD", "WORN"]), unique=True))}  # fmt: skip
        lacks = draw(st.sampled_from(["-1.5", "-1", "-0.3", "0.5", "0.9", "1", "1", "2"]).map(Fraction))
        _fund(venue, account, lacks)
    return venue


def _fund(venue: Venue, account: Account, health: Fraction) -> None:
    """Put in as much of the settlement token, or owe as much of it, as gives a health, to twelve decimals."""
    missing = health * venue.maintenance(account) - venue.equity(account)
    usd = Fraction(round(missing * 10**6), 10**6)
    if abs(usd) >= 10**9 or (health == 1 and usd != missing):
        usd = Fraction(round(missing))
    side = account.cash if usd >= 0 else account.debt
    side["USDX"] = Fraction(repr(float(abs(usd))))
