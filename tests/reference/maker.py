"""Maker, liquidations 2.0: ``Dog.bark``, then ``Clipper.take``."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pytest

import riskgraph as rg
from tests.reference.cases import near, unit

WAD = unit(18)
FLOAT = Fraction(1, 2**50)  # amounts reach the snapshot as float64, and what is left of them is a difference


def snapshot(given: dict) -> rg.Snapshot:
    """One vault; the DAI that the contract counts at par has no price of its own in the case."""
    positions = pd.DataFrame(
        {
            "account": "user",
            "protocol": "maker",
            "asset": ["ILK", "DAI"],
            "side": ["collateral", "debt"],
            "amount": [float(given["collateral"]), float(given["debt_dai"])],
        }
    )
    assets = pd.DataFrame(
        {"asset": ["ILK", "DAI"], "price": [float(given["oracle_price_dai"]), 1.0], "decimals": [18, 18]}
    )
    names = {
        "rate": "rate", "liquidation_ratio": "liquidation_ratio_mat", "chop": "chop", "dust": "dust_dai",
        "hole": "ilk_hole_dai", "buf": "buf", "tail": "tail_s", "cusp": "cusp", "cut": "cut", "step": "step_s",
        "tip": "tip_dai", "chip": "chip",
    }  # fmt: skip
    market = {name: float(given[theirs]) for name, theirs in names.items()}
    markets = pd.DataFrame([{"protocol": "maker", "asset": "ILK", **market}])
    protocols = pd.DataFrame({"protocol": ["maker"], "rule": ["maker"], "hole": [float(given["global_hole_dai"])]})
    return rg.Snapshot(positions, assets, protocols, markets)


def check(case: dict) -> None:
    given, wanted = case["inputs"], case["outputs"]
    snap = snapshot(given)
    quote = rg.liquidation_quote(snap, "user", "maker")
    ratio = Fraction(wanted["collateralisation_ratio"]) / Fraction(given["liquidation_ratio_mat"])
    near(quote.health_before, ratio, unit(12), "health")
    assert quote.liquidatable == wanted["liquidatable"]
    assert quote.refused == wanted.get("revert_reason", "")
    if wanted["reverted"]:
        assert (quote.repaid, quote.seized, len(quote.movements)) == (0.0, 0.0, 0)
        return
    near(quote.seized, wanted["collateral_to_auction"], WAD, "lot")
    near(quote.repaid, wanted["debt_removed_dai"], 0, "due")
    near(quote.more["tab"], wanted["auction_tab_dai_incl_penalty"], 0, "tab")
    near(quote.more["top"], wanted["auction_start_price"], 0, "top")
    near(quote.more["keeper_pay"], wanted["keeper_reward_dai"], 0, "keeper")
    started = rg.liquidate(snap, "maker", ["user"])
    near_vault(started.after, given, wanted)
    near(dirt(started.after), wanted["auction_tab_dai_incl_penalty"], 0, "dirt")
    finish(started, given, wanted)


def near_vault(after: rg.Snapshot, given: dict, wanted: dict) -> None:
    """What is left of collateral and debt is a difference of float64."""
    left = after.positions.query("account == 'user'").set_index("asset")["amount"]
    room = {name: Fraction(given[name]) * FLOAT for name in ("collateral", "debt_dai")}
    debt = Fraction(wanted["vault_normalised_debt_left"]) * Fraction(given["rate"])
    near(left["ILK"], wanted["vault_collateral_left"], room["collateral"], "collateral left")
    near(left["DAI"], debt, room["debt_dai"], "debt left")
    removed = Fraction(wanted["normalised_debt_removed"]) * Fraction(given["rate"])
    near(float(given["debt_dai"]) - left["DAI"], removed, room["debt_dai"], "debt removed")


def dirt(snap: rg.Snapshot) -> float:
    """Debt in auction, which must be the same for the one market and for all."""
    of_market = snap.markets.set_index("asset").loc["ILK", "dirt"]
    assert snap.protocols["dirt"].iloc[0] == of_market
    return float(of_market)


def finish(done: rg.Liquidated, given: dict, wanted: dict) -> None:
    lot, tab = (Fraction(wanted[key]) for key in ("collateral_to_auction", "auction_tab_dai_incl_penalty"))
    for take in wanted["takes"]:
        amount = None if take["amount_requested"] == "max" else float(take["amount_requested"])
        done = rg.auction_take(done, "user", seconds=take["seconds_since_start"], amount=amount)
        step = done.steps.iloc[-1]
        result = take["result"]
        assert step["refused"] == ("" if result == "ok" else result.removeprefix("reverted: "))
        if result != "ok":
            assert (step["paid"], step["bought"]) == (0.0, 0.0)
            continue
        near(step["price"], take["price"], unit(27), "price")
        near(step["paid"], take["paid_dai"], tab * FLOAT, "paid")
        near(step["tab_left"], take["tab_left_dai"], tab * FLOAT, "tab left")
        near(step["lot_left"] + step["returned"], take["lot_left"], lot * FLOAT, "lot left")
        near(step["bought"], take["collateral_bought"], lot * FLOAT, "bought")
        near(step["returned"], take["returned_to_owner"], lot * FLOAT, "returned")
    end = done.auctions.iloc[0]
    assert (end["state"] == "closed") == wanted["auction_closed"]
    near(end["paid"], wanted["total_paid_dai"], tab * FLOAT, "paid in all")
    held = done.after.positions.set_index(["account", "side"])["amount"]
    near(held["maker", "deposit"], end["lot"], lot * FLOAT, "held for sale")
    near(held.get(("user", "deposit"), 0.0), end["returned"], lot * FLOAT, "the owner's again")
    if not wanted["auction_closed"]:
        assert wanted["protocol_bad_debt_if_closed_dai"] is None
        near(dirt(done.after), end["tab"], tab * FLOAT, "dirt")
        return
    near(end["tab"], wanted["uncollected_tab_dai"], tab * FLOAT, "never collected")
    near(end["loss"], wanted["protocol_bad_debt_if_closed_dai"], tab * FLOAT, "loss")
    near(dirt(done.after), 0, tab * FLOAT, "dirt")
    gain = Fraction(wanted["total_paid_dai"]) - Fraction(wanted["debt_removed_dai"])
    gain -= Fraction(wanted["keeper_reward_dai"])
    system = done.after.protocols.iloc[0]
    assert system["reserve_usd"] - system["deficit_usd"] == pytest.approx(float(gain), abs=float(tab) * 1e-12)
