"""Morpho Blue: ``Morpho.liquidate``; prices are in loan tokens, and one lender holds the whole supply."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

import riskgraph as rg
from tests.reference.cases import near, unit


def debt(given: dict) -> Fraction:
    """What the borrower's shares are worth, rounded up: the amount that the market shows."""
    loan = unit(given["loan_token_decimals"])
    assets = Fraction(given["market_total_borrow_assets"]) / loan + 1
    shares = Fraction(given["market_total_borrow_shares"]) + 10**6
    return -(-Fraction(given["borrower_borrow_shares"]) * assets // shares) * loan


def snapshot(given: dict) -> rg.Snapshot:
    positions = pd.DataFrame(
        [
            ("user", "loan", "debt", float(debt(given))),
            ("user", "pledge", "collateral", float(given["borrower_collateral"])),
            ("lender", "loan", "deposit", float(given["market_total_supply_assets"])),
        ],
        columns=["account", "asset", "side", "amount"],
    ).assign(protocol="market")
    assets = pd.DataFrame(
        {
            "asset": ["loan", "pledge"],
            "price": [1.0, float(given["collateral_price_in_loan_token"])],
            "decimals": [given["loan_token_decimals"], given["collateral_token_decimals"]],
        }
    )
    totals = {
        f"total_{name}": [float(given[f"market_total_{name}"])]
        for name in ("supply_assets", "borrow_assets", "borrow_shares")
    }
    protocols = pd.DataFrame({"protocol": ["market"], "rule": ["morpho_blue"], **totals})
    lltv = float(given["lltv"])
    markets = pd.DataFrame({"protocol": ["market"], "asset": ["pledge"], "liquidation_threshold": [lltv]})
    shares = float(given["borrower_borrow_shares"])
    accounts = pd.DataFrame({"account": ["user"], "protocol": ["market"], "borrow_shares": [shares]})
    return rg.Snapshot(positions, assets, protocols, markets, accounts=accounts)


def check(case: dict) -> None:
    given, wanted = case["inputs"], case["outputs"]
    loan, pledge = unit(given["loan_token_decimals"]), unit(given["collateral_token_decimals"])
    snap = snapshot(given)
    account = rg.health(snap).query("account == 'user'").iloc[0]
    near(account["debt_usd"], wanted["borrower_debt_before"], loan, "debt")
    near(account["health"], wanted["health_factor"], 2 * loan / debt(given), "health")  # the market floors twice
    assert (account["status"] in ("liquidatable", "insolvent")) == wanted["liquidatable"]
    asked = (
        {"seize": float(given["seized_assets_arg"])}
        if given["call_mode"] == "seized_assets"
        else {"repay_shares": float(given["repaid_shares_arg"])}
    )
    quote = rg.liquidation_quote(snap, "user", "market", **asked)
    done = rg.liquidate(snap, "market", ["user"], **asked)
    assert quote.liquidatable == wanted["liquidatable"]
    near(quote.health_before, wanted["health_factor"], 0, "health before")
    near(quote.health_before * account["debt_usd"], wanted["max_borrow_at_lltv"], loan, "most that may be borrowed")
    assert quote.refused == wanted.get("revert_reason", "")
    if wanted["reverted"]:
        assert (quote.repaid, quote.seized, len(done.movements)) == (0.0, 0.0, 0)
        return
    factor = quote.more["liquidation_incentive_factor"]
    near(factor, wanted["liquidation_incentive_factor_computed"], unit(18), "incentive factor")
    near(quote.repaid, wanted["repaid_assets"], loan, "repaid")
    near(quote.more["repaid_shares"], wanted["repaid_shares"], 1, "shares")
    near(quote.seized, wanted["seized_collateral"], pledge, "seized")
    near(quote.bonus_usd, wanted["bonus_value_in_loan_token"], loan, "bonus")
    near(quote.fee, wanted["protocol_fee"], 0, "fee")
    check_after(given, wanted, done, quote)


def check_after(given: dict, wanted: dict, done: rg.Liquidated, quote: rg.Quote) -> None:
    loan, pledge = unit(given["loan_token_decimals"]), unit(given["collateral_token_decimals"])
    assert quote.written_off == (Fraction(wanted["bad_debt_assets"]) > 0)
    near(quote.bad_debt, wanted["bad_debt_assets"], loan, "bad debt")
    near(quote.more["bad_debt_shares"], wanted["bad_debt_shares"], 1, "shares of bad debt")
    after = done.after.positions.set_index(["account", "asset"])["amount"]
    near(after["user", "pledge"], wanted["borrower_collateral_after"], pledge, "collateral left")
    market, user = done.after.protocols.iloc[0], done.after.accounts.iloc[0]
    near(user["borrow_shares"], wanted["borrower_borrow_shares_after"], 1, "shares left")
    near(market["total_supply_assets"], wanted["market_total_supply_assets_after"], loan, "supply")
    near(market["total_borrow_assets"], wanted["market_total_borrow_assets_after"], loan, "borrowed")
    near(market["total_borrow_shares"], wanted["market_total_borrow_shares_after"], 1, "borrowed shares")
    near(after["lender", "loan"], wanted["market_total_supply_assets_after"], loan, "the lender's claim")
    left = dict(
        given,
        borrower_borrow_shares=wanted["borrower_borrow_shares_after"],
        market_total_borrow_assets=wanted["market_total_borrow_assets_after"],
        market_total_borrow_shares=wanted["market_total_borrow_shares_after"],
    )
    near(after["user", "loan"], debt(left), loan, "debt left")
