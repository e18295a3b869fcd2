"""Edges of the pair rules, each built by hand: health exactly 1, thresholds in USD met to the unit, ties, nothing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pandas as pd
import pytest

import riskgraph as rg
from tests.margin.rules.test_against_oracle import check_book, expected
from tests.margin_accounts import PAIR_RULES, VENUE, Asked, snapshot, user
from tests.naive.liquidation import MOST, Account, Token, largest

VENUE_TERMS = {
    "aave_v4": {
        "target_health_factor": "1.05",
        "health_factor_for_max_bonus": "0.9",
        "liquidation_bonus_factor": "0.8",
    },
    "euler_v2": {"max_liquidation_discount": "0.15"},
}
TERMS = {"liquidation_threshold": Fraction("0.8"), "liquidation_bonus": Fraction("0.05")}


def terms_of(rule):
    return {name: TERMS.get(name, Fraction(0)) for name in PAIR_RULES[rule]["market"]}


def token(label, amount, price="1", decimals=6, terms=None):
    return Token(label, Fraction(amount), Fraction(price), decimals, terms or {})


def asked(rule, collaterals, debts, repay=MOST):
    """A call on the largest pair of an account."""
    venue = {name: Fraction(value) for name, value in VENUE_TERMS.get(rule, {}).items()}
    account = Account(tuple(collaterals), tuple(debts), venue)
    return Asked(rule, account, largest(collaterals), largest(debts), repay)


def on_eth(rule, debt, repay=MOST, eth="10", price="1250"):
    """10 ETH at 1,250 of which 0.8 counts, 10,000, against a debt in USD."""
    return asked(rule, [token("eth", eth, price, 18, terms_of(rule))], [token("usdc", debt)], repay)


@pytest.mark.parametrize("rule", PAIR_RULES)
@pytest.mark.parametrize(("debt", "below"), [("9999.999999", False), ("10000", None), ("10000.000001", True)])
def test_health_of_exactly_1_and_a_unit_to_either_side(rule, debt, below):
    call = on_eth(rule, debt)
    check_book([call])
    wanted = rule == "euler_v2" if below is None else below  # Euler v2 liquidates at equality
    assert expected(call).liquidatable == wanted
    assert rg.liquidation_quote(snapshot([call]), user(0), VENUE).liquidatable == wanted


@pytest.mark.parametrize("rule", PAIR_RULES)
def test_debt_of_one_unit_under_every_threshold_in_usd(rule):
    call = on_eth(rule, "0.000001", eth="0.000000001", price="1000")  # 1e-6 USD of collateral, 0.8e-6 count
    check_book([call])
    assert expected(call).liquidatable
    if rule in ("aave_v2", "compound_v2", "euler_v1"):  # half a unit, and a request that a fee is cut from
        return
    assert expected(call).refused == ""


@pytest.mark.parametrize("rule", PAIR_RULES)
@pytest.mark.parametrize(("amount", "price"), [("0", "1250"), ("10", "0")])
def test_collateral_worth_nothing(rule, amount, price):
    check_book([on_eth(rule, "5000", eth=amount, price=price)])


# What the contract answers where somebody calls an account that owes and has nothing left, and whether the call writes
# the debt off: Euler v2 hands over nothing for nothing and shares the debt among lenders.
BARE = {
    "lending": ("", True),
    "aave_v2": ("LPCM_COLLATERAL_CANNOT_BE_LIQUIDATED", False),
    "aave_v3": ("CollateralCannotBeLiquidated", False),
    "aave_v4": ("ReserveNotSupplied", False),
    "compound_v2": ("LIQUIDATE_SEIZE_TOO_MUCH", False),
    "morpho_blue": ("inconsistent input", False),
    "euler_v1": ("", False),
    "euler_v2": ("", True),
}


@pytest.mark.parametrize("rule", BARE)
def test_an_account_without_collateral(rule):
    terms = {name: float(value) for name, value in VENUE_TERMS.get(rule, {}).items()}
    snap = rg.Snapshot(
        pd.DataFrame(
            {"account": ["user"], "protocol": ["venue"], "asset": ["usdc"], "side": ["debt"], "amount": [9.0]}
        ),
        pd.DataFrame({"asset": ["usdc"], "price": [1.0], "decimals": [6]}),
        pd.DataFrame([{"protocol": "venue", "rule": rule, **terms}]),
    )
    quote = rg.liquidation_quote(snap, "user", "venue")
    assert quote.liquidatable
    assert (quote.refused, quote.written_off) == BARE[rule]
    assert (quote.repaid, quote.seized, quote.bad_debt) == (0.0, 0.0, 9.0)
    assert quote.movements["amount"].tolist() == ([-9.0] if quote.written_off else [])


@pytest.mark.parametrize("rule", PAIR_RULES)
def test_of_two_tokens_of_equal_value_the_first_by_label_is_called(rule):
    terms = terms_of(rule)
    collaterals = [token(label, "4", "1000", 8, terms) for label in ("wbtc", "eth", "zrx")]
    debts = [token("usdt", "2500", "2"), token("dai", "5000")][: PAIR_RULES[rule].get("debts", 2)]
    call = asked(rule, collaterals, debts)
    assert (call.collateral.label, call.debt.label) == ("eth", "usdt" if len(debts) == 1 else "dai")
    check_book([call])


@pytest.mark.parametrize("rule", PAIR_RULES)
@pytest.mark.parametrize("price", ["1e-12", "1e9"])
@pytest.mark.parametrize("other", ["1e-12", "1e9"])
def test_prices_of_1e_minus_12_and_1e9(rule, price, other):
    worth = Fraction(10_000)
    collateral = token("eth", worth / Fraction(price), price, 18, terms_of(rule))
    debt = token("usdc", worth * Fraction("0.9") / Fraction(other), other, 18)
    check_book([asked(rule, [collateral], [debt], repay) for repay in (MOST, debt.amount / 4, debt.amount)])


AAVE = {"liquidation_threshold": Fraction("0.8"), "liquidation_bonus": Fraction(0), "protocol_fee": Fraction(0)}


def aave(collateral, *debts, repay=MOST):
    """Aave v3 without a bonus, so that what is left on both sides is easy to see."""
    return asked("aave_v3", [token("eth", collateral, "1", 18, AAVE)], [*debts], repay)


@pytest.mark.parametrize(
    ("left", "refused"),
    [("1000", ""), ("999.999999999", ""), ("999.99999999", "MustNotLeaveDust"), ("999", "MustNotLeaveDust")],
)
def test_aave_counts_debt_that_is_left_in_whole_1e_minus_8_usd_upwards(left, refused):
    call = aave("2000", token("usdc", "1900", decimals=18), repay=1900 - Fraction(left))
    assert expected(call).refused == refused
    check_book([call])


@pytest.mark.parametrize(("left", "refused"), [("1000", ""), ("999.999999999", "MustNotLeaveDust")])
def test_aave_counts_collateral_that_is_left_downwards(left, refused):
    pledged = Fraction("2300")
    call = aave(pledged, token("usdc", "2400", decimals=18), repay=pledged - Fraction(left))
    assert expected(call).refused == refused
    check_book([call])


@pytest.mark.parametrize(
    ("collateral", "debt", "repaid"),
    [
        ("5000", "4100", "2050"),  # health 0.9756: half of all debt
        ("5000", "4210.52631578", "2105.26315789"),  # health above 0.95 by less than 1e-8 of it
        ("5000", "4210.52631579", "4210.52631579"),  # at 0.95 or below: all
        ("1999.99999999", "1650", "1650"),  # less than 2,000 of collateral
        ("2450", "1999.99999999", "1999.99999999"),  # less than 2,000 of debt
        ("2490", "2000", "1000"),  # neither
    ],
)
def test_aave_whole_debt_by_health_and_size(collateral, debt, repaid):
    call = aave(collateral, token("usdc", debt, decimals=8))
    found = expected(call)
    assert (found.refused, found.repaid) == ("", Fraction(repaid))
    check_book([call])


def test_aave_half_of_all_debt_rounds_half_up():
    """Two debts, one of 1e-8 USD more: it is no more than half of both, rounded up, so that all of it may be repaid."""
    small, large = token("dai", "3000", decimals=8), token("usdc", "3000.00000001", decimals=8)
    call = aave("7300", small, large)
    assert call.debt is large
    assert expected(call).repaid == large.amount
    check_book([call])


def test_aave_writes_off_where_what_else_is_pledged_counts_for_nothing():
    collaterals = [
        token("eth", "1500", terms=AAVE),
        token("zrx", "1400", terms={**AAVE, "liquidation_threshold": Fraction(0)}),
    ]
    call = asked("aave_v3", collaterals, [token("usdc", "1900")])
    found = expected(call)
    assert (found.seized, found.written_off) == (1500, {"usdc": Fraction(400)})
    check_book([call])
    check_book([replace(call, collateral=call.account.collaterals[0])])
