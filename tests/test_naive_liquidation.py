"""The oracle of liquidations against the contracts themselves: every output that the contract gave, to the last unit.

It sees the raw decimal strings, so that agreement is exact and the oracle may judge the package.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.naive import liquidation as naive
from tests.naive.liquidation import MOST, SEIZE, SHARES, Account, Token
from tests.reference.cases import CASES, FOLDER

pytestmark = pytest.mark.reference


def amounts(rows):
    return {row["asset"]: Fraction(row["amount"]) for row in rows}


def aave_v3(given, wanted):
    mode = given["user_emode"]
    special = mode and (Fraction(mode["liquidation_threshold"]), Fraction(mode["liquidation_bonus_factor"]) - 1)
    collaterals = tuple(
        Token(
            row["asset"],
            Fraction(row["amount"]),
            Fraction(row["price_usd"]),
            row["decimals"],
            {
                "liquidation_threshold": Fraction(row["liquidation_threshold"]),
                "liquidation_bonus": Fraction(row["liquidation_bonus_factor"]) - 1,
                "protocol_fee": Fraction(row["liquidation_protocol_fee"]),
                "emode": special if row["in_user_emode_category"] else None,
            },
        )
        for row in given["collaterals"]
    )
    debts = tuple(
        Token(row["asset"], Fraction(row["amount"]), Fraction(row["price_usd"]), row["decimals"])
        for row in given["debts"]
    )
    account, call = Account(collaterals, debts), given["liquidation_call"]
    collateral = next(token for token in collaterals if token.label == call["collateral_asset"])
    debt = next(token for token in debts if token.label == call["debt_asset"])
    asked = MOST if call["debt_to_cover"] == "max" else Fraction(call["debt_to_cover"])
    found = naive.aave_v3(account, collateral, debt, asked)
    total, owed, health = naive.aave_v3_totals(account)
    assert total == Fraction(wanted["total_collateral_usd"])
    assert owed == Fraction(wanted["total_debt_usd"])
    assert health == Fraction(wanted["health_factor"]) == found.health
    assert found.liquidatable == wanted["liquidatable"]
    assert found.refused == wanted.get("revert_reason", "")
    if wanted["reverted"]:
        return
    assert found.repaid == Fraction(wanted["repaid_debt"])
    assert found.seized == Fraction(wanted["seized_collateral_total"])
    assert found.fee == Fraction(wanted["protocol_fee_collateral"])
    assert found.written_off == amounts(wanted["bad_debt_deficit"])
    assert naive.left(collaterals, collateral, found.seized) == amounts(wanted["collateral_after"])
    owing = naive.left(debts, debt, found.repaid)
    assert {name: owing[name] - found.written_off.get(name, 0) for name in owing} == amounts(wanted["debt_after"])


def aave_v4(given, wanted):
    raw = 10 ** given["debt_decimals"]
    shares, index = Fraction(int(given["debt_drawn_shares_raw"]), raw), Fraction(given["debt_drawn_index"])
    premium = Fraction(given["debt_premium"])
    terms = {
        "liquidation_threshold": Fraction(given["collateral_factor"]),
        "liquidation_bonus": Fraction(given["max_liquidation_bonus_factor"]) - 1,
        "protocol_fee": Fraction(given["liquidation_fee"]),
    }
    collateral = Token("collateral", Fraction(given["collateral_amount"]), Fraction(given["collateral_price_usd"]),
                       given["collateral_decimals"], terms)  # fmt: skip
    debt = Token("debt", shares * index + premium, Fraction(given["debt_price_usd"]), given["debt_decimals"])
    venue = {
        "target_health_factor": Fraction(given["target_health_factor"]),
        "health_factor_for_max_bonus": Fraction(given["health_factor_for_max_bonus"]),
        "liquidation_bonus_factor": Fraction(given["liquidation_bonus_factor_share"]),
    }
    asked = MOST if given["debt_to_cover"] == "max" else Fraction(given["debt_to_cover"])
    health, owed = Fraction(given["health_factor"]), Fraction(given["total_debt_value_usd"])
    found = naive.aave_v4_amounts(venue, health, owed, collateral, debt, asked, shares, index, premium)
    assert found.more["bonus"] == Fraction(wanted["liquidation_bonus_factor_applied"])
    assert found.refused == wanted.get("revert_reason", "")
    if wanted["reverted"]:
        return
    assert found.repaid == Fraction(wanted["repaid_debt"])
    assert found.more["shares"] * raw == int(wanted["drawn_shares_liquidated_raw"])
    assert found.more["premium"] == Fraction(wanted["premium_liquidated"])
    assert found.seized == Fraction(wanted["seized_collateral_total"])
    assert found.fee == Fraction(wanted["protocol_fee_collateral"])
    assert (shares - found.more["shares"]) * index + premium - found.more["premium"] == Fraction(wanted["debt_left"])


def compound_v2(given, wanted):
    collaterals = tuple(
        Token(
            row["asset"],
            Fraction(
                int(row["ctoken_balance_raw"]) * int(row["ctoken_exchange_rate_mantissa"]), 10 ** (18 + row["decimals"])
            ),
            Fraction(row["price_usd"]),
            row["decimals"],
            {
                "liquidation_threshold": Fraction(row["collateral_factor"]),
                "liquidation_bonus": Fraction(given["liquidation_incentive"]) - 1,
                "exchange_rate": Fraction(int(row["ctoken_exchange_rate_mantissa"]), 10 ** (10 + row["decimals"])),
                "ctokens": int(row["ctoken_balance_raw"]),
            },
        )
        for row in given["collaterals"]
    )
    debts = tuple(
        Token(row["asset"], Fraction(row["amount"]), Fraction(row["price_usd"]), row["decimals"])
        for row in given["debts"]
    )
    account = Account(collaterals, debts, {"close_factor": Fraction(given["close_factor"])})
    power, owed = naive.compound_v2_shortfall(account)
    assert Fraction(wanted["account_shortfall_usd"]) == Fraction(max(0, owed - power), 10**18)
    assert Fraction(wanted["account_liquidity_usd"]) == Fraction(max(0, power - owed), 10**18)
    call = given["call"]
    collateral = next(token for token in collaterals if token.label == call["collateral_asset"])
    debt = next(token for token in debts if token.label == call["repay_asset"])
    found = naive.compound_v2(account, collateral, debt, Fraction(call["repay_amount"]))
    assert found.liquidatable == wanted["liquidatable"]
    assert found.refused == wanted.get("revert_reason", "")
    if wanted["reverted"]:
        return
    assert found.repaid == Fraction(wanted["repaid"])
    assert found.more["seized_ctokens"] == int(wanted["seized_ctokens_raw"])
    assert found.more["fee_ctokens"] == int(wanted["ctokens_to_reserves_raw"])
    assert found.more["reserves"] == Fraction(wanted["reserves_increase_underlying"])
    assert collateral.terms["ctokens"] - found.more["seized_ctokens"] == int(wanted["borrower_ctokens_after_raw"])
    assert debt.amount - found.repaid == Fraction(wanted["borrower_debt_after"])


def euler_v2(given, wanted):
    terms = {"liquidation_threshold": Fraction(given["liquidation_ltv"])}
    collateral = Token("collateral", Fraction(given["collateral"]), Fraction(given["collateral_price_usd"]),
                       given["collateral_decimals"], terms)  # fmt: skip
    debt = Token("loan", Fraction(given["debt"]), Fraction(given["loan_price_usd"]), given["loan_decimals"])
    account = Account((collateral,), (debt,), {"max_liquidation_discount": Fraction(given["max_liquidation_discount"])})
    asked = given["repay_requested"]
    most = naive.euler_v2(account, collateral, debt)
    found = most if asked == "max" else naive.euler_v2(account, collateral, debt, Fraction(asked))
    weighted, owed = Fraction(wanted["risk_adjusted_collateral_value_usd"]), Fraction(wanted["liability_value_usd"])
    assert found.health == weighted / owed
    assert found.liquidatable == wanted["liquidatable"]
    assert found.refused == wanted.get("revert_reason", "")
    assert (most.repaid, most.seized) == (Fraction(wanted["max_repay"]), Fraction(wanted["max_yield_collateral"]))
    if wanted["reverted"]:
        return
    assert found.repaid == Fraction(wanted["repaid_debt_assumed_by_liquidator"])
    assert found.seized == Fraction(wanted["seized_collateral"])
    bad = sum(found.written_off.values())
    assert bad == Fraction(wanted["bad_debt_socialised"])
    assert debt.amount - found.repaid - bad == Fraction(wanted["borrower_debt_after"])
    assert collateral.amount - found.seized == Fraction(wanted["borrower_collateral_after"])


def morpho_blue(given, wanted):
    loan, pledged = 10 ** given["loan_token_decimals"], 10 ** given["collateral_token_decimals"]
    totals = (
        int(Fraction(given["market_total_supply_assets"]) * loan),
        int(Fraction(given["market_total_borrow_assets"]) * loan),
        int(given["market_total_borrow_shares"]),
    )
    if given["call_mode"] == "seized_assets":
        terms, asked = SEIZE, int(Fraction(given["seized_assets_arg"]) * pledged)
    else:
        terms, asked = SHARES, int(given["repaid_shares_arg"])
    found = naive.morpho_blue(
        int(given["borrower_borrow_shares"]),
        totals,
        int(Fraction(given["borrower_collateral"]) * pledged),
        Fraction(int(given["oracle_price_scaled_1e36"]), 10**36),
        Fraction(given["lltv"]),
        asked,
        terms,
    )
    assert found.liquidatable == wanted["liquidatable"]
    assert found.refused == wanted.get("revert_reason", "")
    assert found.health == Fraction(wanted["max_borrow_at_lltv"]) / Fraction(wanted["borrower_debt_before"])
    if wanted["reverted"]:
        return
    more = found.more
    assert more["incentive"] == Fraction(wanted["liquidation_incentive_factor_computed"])
    assert Fraction(found.repaid, loan) == Fraction(wanted["repaid_assets"])
    assert more["repaid_shares"] == int(wanted["repaid_shares"])
    assert Fraction(found.seized, pledged) == Fraction(wanted["seized_collateral"])
    assert Fraction(more["bad_debt"], loan) == Fraction(wanted["bad_debt_assets"])
    assert more["bad_debt_shares"] == int(wanted["bad_debt_shares"])
    assert more["shares"] == int(wanted["borrower_borrow_shares_after"])
    supplied, borrowed, shares = more["totals"]
    assert Fraction(supplied, loan) == Fraction(wanted["market_total_supply_assets_after"])
    assert Fraction(borrowed, loan) == Fraction(wanted["market_total_borrow_assets_after"])
    assert shares == int(wanted["market_total_borrow_shares_after"])


BY_FILE = {
    "aave_v3_liquidation_call": aave_v3,
    "aave_v4_liquidation_amounts": aave_v4,
    "compound_v2_liquidate_borrow": compound_v2,
    "euler_v2_liquidate": euler_v2,
    "morpho_blue_liquidate": morpho_blue,
}
PAIR_CASES = [case for case in CASES if case["file"] in BY_FILE]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in PAIR_CASES])
def test_the_oracle_is_the_contract(case):
    BY_FILE[case["file"]](case["inputs"], case["outputs"])


def test_every_pair_rule_with_cases_has_run():
    if not CASES:
        pytest.skip(f"no liquidations at {FOLDER} (set RISKGRAPH_REFERENCE)")
    assert {case["file"] for case in PAIR_CASES} == set(BY_FILE)
