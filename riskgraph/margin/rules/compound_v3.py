"""Compound v3 (Comet): all collateral and all debt absorbed at once, at the cost of the protocol's reserves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from riskgraph.arrays import Bools, Ints, Labels
from riskgraph.errors import InputError
from riskgraph.margin.rounding import Amounts, quotient, rounded_down
from riskgraph.margin.rules.rule import Rule, first_reason

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger, Request

__all__ = ["CompoundV3", "base_asset_of", "change_reserves", "reserves_of", "unpriced"]


class CompoundV3(Rule):
    r"""``Comet.absorb`` of Compound v3.

    .. math:: \text{credit} = \sum_i \lfloor \lfloor C_i p_i \rfloor LF_i \rfloor, \qquad
              \text{paid out} = \max(D, \text{credit} / p_{base}), \qquad \text{surplus} = \text{paid out} - D

    The protocol's reserves pay the debt and any surplus, which becomes the account's supply of the base asset; they
    hold the collateral (as deposits of the protocol's own account) until a storefront sells it. What was paid out
    beyond the collateral's worth stands as bad debt, which the reserves have borne.

    References
    ----------
    .. [1] compound-finance/comet, ``Comet.sol``: ``isLiquidatable``, ``absorbInternal``.
    """

    name: ClassVar[str] = "compound_v3"
    healthy_reason: ClassVar[str] = "NotLiquidatable"
    usd_decimals: ClassVar[int | None] = 8
    debt_rounds_up: ClassVar[bool] = False
    reaches_market: ClassVar[str] = "storefront"
    bearer: ClassVar[str] = "reserve"
    asks: ClassVar[tuple[str, ...]] = ()

    def carry_out(self, ledger: Ledger, request: Request) -> None:
        """Absorb accounts; none changes what the next one meets."""
        named = request.collateral_asset[request.collateral_asset >= 0]
        if len(named):
            name = ledger.label("asset", named)[0]
            raise InputError(f"collateral_asset: expected none, since rule {self.name} takes all at once, got {name!r}")
        for wave in request.waves():
            self._absorb(ledger, wave)

    def _absorb(self, ledger: Ledger, request: Request) -> None:
        margin, treasury = request.margin, ledger.terms.protocol_label
        before = ledger.health()[margin]
        made = _absorbed(ledger, self, margin)
        done = np.zeros(len(ledger.margins) + 1, dtype=np.bool_)  # the last: of the ledger's empty row
        done[margin] = made.refused == ""
        pledged, owed = (np.flatnonzero(rows & done[ledger.margin]) for rows in _rows(ledger))
        amount, place, lent = ledger.amount[pledged], ledger.place(margin), np.full(len(margin), made.base)
        ledger.move(pledged, -amount, "absorbed")
        ledger.credit(treasury, treasury, "deposit", ledger.asset[pledged], amount, "absorbed")
        ledger.move(owed, -ledger.amount[owed], "absorbed")
        ledger.credit(place["account"], treasury, "deposit", lent, made.surplus, "surplus", place["bucket"])
        reserves = reserves_of(ledger, made.price) - np.cumsum(made.paid_out)
        change_reserves(ledger, reserves[-1], made.price)
        ledger.steps.append(
            {
                **place,
                "debt_asset": ledger.label("asset", lent),
                "collateral_asset": ledger.label("asset", made.collateral),
                "liquidatable": made.liquidatable,
                "refused": made.refused,
                "health_before": before,
                "health_after": ledger.health()[margin],
                **made.columns(),
                "reserves": reserves,
            }
        )


@dataclass(frozen=True, eq=False)
class _Absorbed:
    """What absorbing accounts does, arrays of shape (n,), 0 where a call is ``refused``.

    ``collateral`` is the one asset that is seized (-1: none or several), ``seized`` its units (NaN: several);
    ``repaid``, ``paid_out`` and ``surplus`` are units of the ``base`` asset, whose ``price`` is USD a unit;
    ``credit_usd`` is what the collateral counts for.
    """

    base: int
    price: Any
    liquidatable: Bools
    refused: Labels
    collateral: Ints
    seized: Amounts
    seized_usd: Amounts
    credit_usd: Amounts
    repaid: Amounts
    paid_out: Amounts
    surplus: Amounts
    usd_scale: Amounts

    def columns(self) -> dict[str, Amounts]:
        """Give the amounts of a step."""
        paid_usd, owed_usd = self.paid_out * self.price, self.repaid * self.price
        lost = np.maximum(paid_usd - self.seized_usd, 0)
        return {
            "repaid": self.repaid,
            "repaid_usd": owed_usd,
            "seized": self.seized,
            "seized_usd": self.seized_usd,
            "bonus_usd": np.maximum(self.seized_usd - paid_usd, 0),
            "fee": np.zeros(len(lost)),
            "fee_usd": np.zeros(len(lost)),
            "bad_debt": lost / self.price if self.price else lost,
            "bad_debt_usd": lost,
            "written_off": np.asarray(lost > 0, dtype=np.bool_),
            "base_paid_out": self.paid_out,
            "base_paid_out_usd": rounded_down(paid_usd, self.usd_scale),
            "surplus": self.surplus,
            "uncovered_usd": np.maximum(owed_usd - self.credit_usd, 0),
        }


def _rows(ledger: Ledger) -> tuple[Bools, Bools]:
    """Which rows are collateral, and which are debt, that is not all gone."""
    from riskgraph.margin.ledger import COLLATERAL, DEBT

    some = np.asarray(ledger.amount > 0, dtype=np.bool_)
    return some & (ledger.side == COLLATERAL), some & (ledger.side == DEBT)


def _absorbed(ledger: Ledger, rule: CompoundV3, margin: Ints) -> _Absorbed:
    base, (pledged, owed) = base_asset_of(ledger), _rows(ledger)
    _check_debts(ledger, base, owed & np.isin(ledger.margin, margin))
    scale = ledger.scales[np.array([base])]
    price = ledger.numbers(ledger.terms.prices(np.array([base])))
    index = ledger.numbers(ledger.terms.number("base_supply_index"))
    debt, worth, weighted, credit = (total[margin] for total in _totals(ledger, pledged, owed))
    value = ledger.summed(ledger.values(), owed)[margin]
    liquidatable = rule.liquidatable(weighted + ledger.extra_weighted[margin], value + ledger.extra_debt[margin])
    usd_scale = ledger.usd_scale(scale)
    blank = np.isin(margin, ledger.margin[pledged & unpriced(ledger.price, ledger.usd_scale(ledger.scale))])
    refused = first_reason((~liquidatable, rule.healthy_reason), (blank | unpriced(price, usd_scale), "BadPrice"))
    new = np.maximum(rounded_down(quotient(credit, price), scale) - debt, 0)
    single, units = (found[margin] for found in _single(ledger, pledged))
    done = refused == ""
    amounts = {
        "seized": units, "seized_usd": worth, "credit_usd": credit, "repaid": debt, "paid_out": new + debt,
        "surplus": rounded_down(rounded_down(new / index, scale) * index, scale),
    }  # fmt: skip
    return _Absorbed(
        base,
        price[0],
        liquidatable,
        refused,
        np.where(done, single, -1),
        **{name: np.where(done, values, 0) for name, values in amounts.items()},
        usd_scale=usd_scale,
    )


def _totals(ledger: Ledger, pledged: Bools, owed: Bools) -> tuple[Amounts, ...]:
    """Units owed by each margin account, USD of its collateral, what of it counts in health, and in absorption."""
    factor = ledger.numbers(np.zeros(len(ledger.row)))
    factor[pledged] = ledger.numbers(ledger.terms.of_assets("liquidation_factor", ledger.asset[pledged]))
    value, scale = ledger.values(), ledger.usd_scale(ledger.scale)
    counted = (value, *(rounded_down(value * share, scale) for share in (ledger.threshold, factor)))
    return ledger.summed(ledger.amount, owed), *(ledger.summed(part, pledged) for part in counted)


def _single(ledger: Ledger, pledged: Bools) -> tuple[Ints, Amounts]:
    """Asset and units of the collateral of each margin account that has but one; -1 and NaN where there are several."""
    owner = ledger.margin[pledged]
    count = np.bincount(owner, minlength=len(ledger.margins))
    asset = np.full(len(count), -1)
    asset[owner] = ledger.asset[pledged]
    return np.where(count == 1, asset, -1), np.where(count > 1, np.nan, ledger.summed(ledger.amount, pledged))


def _check_debts(ledger: Ledger, base: int, owed: Bools) -> None:
    other = np.unique(ledger.asset[owed & (ledger.asset != base)])
    if len(other):
        names = ", ".join(ledger.label("asset", other[:5]))
        raise InputError(
            f"positions.asset: expected debts at {ledger.terms.protocol_label} (rule compound_v3) in "
            f"{ledger.label('asset', np.array([base]))[0]} alone, its base asset, got {names}"
        )


def base_asset_of(ledger: Ledger) -> int:
    """Code of the one asset that a protocol lends: given, else the only one that is owed there."""
    terms, book = ledger.terms, ledger.snap.book
    label = terms.label("base_asset")
    if label:
        return int(ledger.snap.labels("asset").index(label).as_py())
    owed = np.unique(book.asset[(book.protocol == terms.protocol) & book.rows("debt")])
    if len(owed) != 1:
        names = ", ".join(ledger.label("asset", owed[:5])) or "no debt"
        raise InputError(
            "protocols.base_asset: expected a value (rule compound_v3: the asset that is lent), or one asset that is "
            f"owed at {terms.protocol_label}, got {names}"
        )
    return int(owed[0])


def reserves_of(ledger: Ledger, price: Any) -> Any:
    """Units of the base asset that the protocol itself owns: given, else its reserve in USD ÷ price, else 0."""
    usd = ledger.now("protocols", "reserve_usd")
    return ledger.now("protocols", "reserves", otherwise=usd / price if price else 0)


def change_reserves(ledger: Ledger, reserves: Any, price: Any) -> None:
    """Set the reserves; a ``reserve_usd`` that is given moves by the same money, as far as there is some."""
    before = reserves_of(ledger, price)
    if reserves == before:
        return
    if not np.isnan(ledger.terms.given("reserve_usd")):
        gain = (max(reserves, 0) - max(before, 0)) * price
        ledger.change("protocols", "reserve_usd", max(ledger.now("protocols", "reserve_usd") + gain, 0))
    ledger.change("protocols", "reserves", reserves)


def unpriced(price: Any, usd_scale: Amounts) -> Bools:
    """Whether a feed of 8 digits (where decimals are known) shows no price above 0, which the contract refuses."""
    shown: Bools = np.asarray(rounded_down(np.asarray(price), usd_scale) <= 0, dtype=np.bool_)
    return shown
