"""Calls on one collateral and one debt of an account: what a rule sees, and how its answer changes the books."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Ints
from riskgraph.errors import InputError
from riskgraph.margin.ledger import COLLATERAL, DEBT, Ledger, Request
from riskgraph.margin.rounding import Amounts

if TYPE_CHECKING:
    from riskgraph.margin.rules.rule import Pair, PairRule

__all__ = ["pair_of", "settle_pairs"]


def settle_pairs(ledger: Ledger, rule: PairRule, request: Request) -> None:
    """Carry out calls on different accounts at once: holdings change, and a step each says what happened."""
    before = ledger.health()[request.margin]
    pair, pledged, owed = pair_of(ledger, rule, request)
    made = rule.call(pair)
    done = np.asarray(made.refused == "", dtype=np.bool_)
    repaid, seized, fee = (np.where(done, part, 0) for part in (made.repaid, made.seized, made.fee))
    surcharge = np.where(done, 0 if made.surcharge is None else made.surcharge, 0)
    ledger.move(owed, -(repaid if made.cleared is None else np.where(done, made.cleared, 0)), "repaid")
    ledger.move(pledged, -seized, "seized")
    venue = ledger.terms.protocol_label
    ledger.credit(venue, venue, "deposit", ledger.asset[pledged], fee, "fee")
    ledger.credit(venue, venue, "deposit", ledger.asset[owed], surcharge, "fee")
    if request.liquidator:
        _to_liquidator(ledger, rule, request.liquidator, (pledged, owed), (seized - fee, repaid + surcharge))
    rule.settled(ledger, request, pair, made, done)
    bad = _bad_debt(ledger, request.margin, owed, np.asarray(made.closes, dtype=np.bool_) & done)
    seized_usd, repaid_usd = seized * pair.collateral_price, repaid * pair.debt_price
    ledger.steps.append(
        {
            **ledger.place(request.margin),
            "debt_asset": ledger.label("asset", ledger.asset[owed]),
            "collateral_asset": ledger.label("asset", ledger.asset[pledged]),
            "liquidatable": pair.liquidatable if made.liquidatable is None else made.liquidatable,
            "refused": made.refused,
            "health_before": before,
            "health_after": ledger.health()[request.margin],
            "repaid": repaid,
            "repaid_usd": repaid_usd,
            "seized": seized,
            "seized_usd": seized_usd,
            "bonus_usd": seized_usd - repaid_usd,
            "fee": fee,
            "fee_usd": fee * pair.collateral_price + surcharge * pair.debt_price,
            **bad,
            **made.more,
        }
    )


def _to_liquidator(
    ledger: Ledger, rule: PairRule, who: str, rows: tuple[Ints, Ints], amounts: tuple[Amounts, Amounts]
) -> None:
    """Give a named liquidator the collateral and take from it what it repays, or hand it the debt."""
    (pledged, owed), (received, paid) = rows, amounts
    if not rule.takes_over:
        ledger.credit(who, "", "wallet", ledger.asset[pledged], received, "seized")
        ledger.credit(who, "", "wallet", ledger.asset[owed], -paid, "repaid")
        return
    if who in ledger.place(np.arange(len(ledger.margins)))["account"] and (received != 0).any() | (paid != 0).any():
        raise InputError(
            f"liquidator: expected an account that is not called in the same request (rule {rule.name}: it takes debts "
            f"over), got {who!r}"
        )
    ledger.credit(who, ledger.terms.protocol_label, "collateral", ledger.asset[pledged], received, "taken over")
    ledger.credit(who, ledger.terms.protocol_label, "debt", ledger.asset[owed], paid, "taken over")


def pair_of(ledger: Ledger, rule: PairRule, request: Request) -> tuple[Pair, Ints, Ints]:
    """Give what calls see, and the rows of collateral and debt that they are on (-1: none)."""
    from riskgraph.margin.rules.rule import Pair

    pledged = ledger.row_of(request.margin, request.collateral_asset, COLLATERAL)
    owed = ledger.row_of(request.margin, request.debt_asset, DEBT)
    collateral_usd, weighted, debt_usd, owed_usd = (total[request.margin] for total in ledger.totals())
    value, scale = ledger.values(), ledger.scale
    held = np.asarray(ledger.amount > 0, dtype=np.bool_)
    counts = held & np.asarray(ledger.threshold > 0, dtype=np.bool_)
    pledges, counted = (
        ledger.counted(rows & (ledger.side == COLLATERAL)) + (ledger.extra_collateral > 0) for rows in (held, counts)
    )
    unpriced = ledger.counted(held & np.isin(ledger.side, (COLLATERAL, DEBT)) & (ledger.price <= 0))
    called_without_price = np.zeros(len(pledged), dtype=np.bool_)  # also where nothing of it is left
    for row in (pledged, owed):
        called_without_price |= (row >= 0) & np.asarray(ledger.price[row] <= 0, dtype=np.bool_)
    pair = Pair(
        collateral=ledger.amount[pledged],
        collateral_price=ledger.price[pledged],
        collateral_scale=scale[pledged],
        collateral_value=value[pledged],
        debt=ledger.amount[owed],
        debt_price=ledger.price[owed],
        debt_scale=scale[owed],
        debt_value=value[owed],
        usd_scale=ledger.usd_scale(np.where(pledged >= 0, scale[pledged], scale[owed])),
        threshold=ledger.threshold[pledged],
        collateral_usd=collateral_usd,
        weighted_usd=weighted,
        debt_usd=debt_usd,
        owed_usd=owed_usd,
        other_collateral_usd=collateral_usd - value[pledged],
        other_collateral=pledges[request.margin] > held[pledged],
        other_counted=counted[request.margin] > counts[pledged],
        unpriced=(unpriced[request.margin] > 0) | called_without_price,
        by_itself=ledger.place(request.margin)["account"] == request.liquidator,
        liquidatable=rule.liquidatable(weighted, owed_usd),
        repay=request.repay,
        seize=request.seize,
        term=partial(_term, ledger, request, pledged),
        debt_term=partial(_market_term, ledger, owed),
    )
    return pair, pledged, owed


def _term(ledger: Ledger, request: Request, pledged: Ints, name: str) -> Amounts:
    if name in request.more:
        asked: Amounts = request.more[name]
        return asked
    if name == "liquidation_bonus":
        return _bonus(ledger, pledged)
    if ledger.terms.has("markets", name):
        return _market_term(ledger, pledged, name)
    if ledger.terms.has("accounts", name):
        return ledger.of_accounts(name, request.margin)
    return np.full(len(request), ledger.now("protocols", name, otherwise=np.nan), dtype=ledger.amount.dtype)


def _market_term(ledger: Ledger, rows: Ints, name: str) -> Amounts:
    """Give a term of the markets of rows; 0 for row -1, of which nothing can be taken."""
    return ledger.numbers(np.where(rows >= 0, ledger.terms.of_assets(name, ledger.asset[rows]), 0.0))


def _bonus(ledger: Ledger, pledged: Ints) -> Amounts:
    """Bonus of collateral rows: of the account's e-mode category, else of the market, else the rule's default."""
    given = ledger.bonus[pledged]
    blind = np.isnan(given) & (pledged >= 0)
    given[pledged < 0] = 0.0
    given[blind] = ledger.terms.of_assets("liquidation_bonus", ledger.asset[pledged[blind]])
    return ledger.numbers(given)


def _bad_debt(ledger: Ledger, margin: Ints, owed: Ints, closes: Bools) -> dict[str, Any]:
    """Debt that no collateral is left for, of each account (USD) and of the debt called (units); written off or not."""
    bare = np.asarray(ledger.totals()[0][margin] <= 0, dtype=np.bool_) | closes
    units = np.where(bare, ledger.amount[owed], 0)
    debt = ledger.side == DEBT
    usd = np.where(bare, ledger.summed(ledger.amount * ledger.price, debt)[margin], 0)
    which = np.zeros(len(ledger.margins), dtype=np.bool_)
    which[margin[closes]] = True
    ledger.write_off(np.flatnonzero(debt & which[ledger.margin]))
    return {"bad_debt": units, "bad_debt_usd": usd, "written_off": closes & np.asarray(usd > 0, dtype=np.bool_)}
