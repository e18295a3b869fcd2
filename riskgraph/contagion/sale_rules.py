"""The border of fire sales: arguments checked and laid out, and what has to be said of a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from riskgraph.arrays import Floats, Labels
from riskgraph.contagion import portfolio_holdings as held
from riskgraph.contagion.forced_sales import LEVEL_DEPENDENT, LINEAR, Constraint, Outcome
from riskgraph.contagion.portfolio_holdings import Portfolios
from riskgraph.errors import Faults, InputError
from riskgraph.graph.matrices import listed
from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["INSOLVENT", "constraint", "laid_out", "notes", "refuse_given", "told"]

INSOLVENT = ("sell", "hold")
TARGET = 0.95  # λb ÷ λmax where no target is given


def laid_out(
    holdings: Any, equity: Any, price_impact: Any, shock: Any, reading: Mapping[str, str | None]
) -> tuple[Portfolios, Floats]:
    """Portfolios and the fall of every asset, from a snapshot or from what is given."""
    if isinstance(holdings, Snapshot):
        books = held.snapshot_portfolios(holdings, reading["by"] or "account", reading["netting"] or "asset")
        falls = held.snapshot_falls(holdings, shock, reading["follow"] or "backing", len(books.assets))
        if equity is not None or price_impact is not None:
            books = held.with_given(books, equity, price_impact)
    else:
        refuse_given(reading, "a snapshot")
        books = held.given_portfolios(holdings, equity, price_impact)
        falls = held.by_name(shock, books.assets, "shock", absent=0.0)
        wrong = np.flatnonzero(~((falls >= 0.0) & (falls <= 1.0)))
        if len(wrong):
            shown = ", ".join(f"{books.assets[at]} = {falls[at]}" for at in wrong[:5])
            raise InputError(f"shock: expected falls in [0, 1] (0.3 is a fall of 30 %), got {shown}")
    if not (books.equity > 0.0).any():
        raise InputError("equity: expected at least one institution with equity above 0, got none")
    return books, falls


def refuse_given(asked: Mapping[str, Any], owner: str) -> None:
    """Refuse arguments that would have no effect here."""
    given = [name for name, value in asked.items() if value is not None]
    if given:
        raise InputError(f"{', '.join(given)}: expected only beside {owner}, got {asked[given[0]]!r}")


def constraint(books: Portfolios, insolvent: str, asked: Mapping[str, Any]) -> Constraint:
    """Fill in and check the arguments of the threshold model."""
    if asked["max_leverage"] is None:
        raise InputError(
            "max_leverage: expected the leverage (assets ÷ equity) above which institutions sell, got none"
        )
    most = held.by_name(asked["max_leverage"], books.labels, "max_leverage")
    target = TARGET * most
    if asked["target_leverage"] is not None:
        target = held.by_name(asked["target_leverage"], books.labels, "target_leverage")
    faults = Faults()
    _refuse(faults, "max_leverage", "expected finite values of at least 1", most, most >= 1.0, books.labels)
    within = (target >= 1.0) & (target <= most)
    _refuse(faults, "target_leverage", "expected values from 1 to max_leverage", target, within, books.labels)
    found = {
        "price_floor": _number(faults, asked, "price_floor", 0.0, "a share in [0, 1)"),
        "execution": _number(faults, asked, "execution", 0.5, "a share in [0, 1]", closed=True),
        "tol": _number(faults, asked, "tol", 1e-12, "a number of at least 0 and below 1"),
    }
    rounds = 10_000 if asked["max_rounds"] is None else asked["max_rounds"]
    if isinstance(rounds, bool) or not isinstance(rounds, int | float) or not rounds >= 1 or int(rounds) != rounds:
        faults.add("max_rounds", "expected a whole number of at least 1", repr(rounds))
    impact = LINEAR if asked["impact"] is None else asked["impact"]
    if impact not in (LINEAR, LEVEL_DEPENDENT):
        faults.add("impact", f"expected {LINEAR} or {LEVEL_DEPENDENT}", repr(impact))
    elif impact == LINEAR and asked["price_floor"] is not None:
        faults.add("price_floor", f"expected only with impact='{LEVEL_DEPENDENT}'", repr(asked["price_floor"]))
    faults.raise_if_any()
    return Constraint(
        max_leverage=most,
        target_leverage=target,
        sellable=~held.chosen(asked["illiquid"], books.assets, "illiquid"),
        impact=impact,
        insolvent_sell=insolvent == "sell",
        max_rounds=int(rounds),
        **found,
    )


def _number(
    faults: Faults, asked: Mapping[str, Any], name: str, default: float, expected: str, *, closed: bool = False
) -> float:
    value = default if asked[name] is None else asked[name]
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not (real and (0.0 <= value < 1.0 or (closed and value == 1.0))):
        faults.add(name, f"expected {expected}", repr(value))
        return default
    return float(value)


def _refuse(faults: Faults, what: str, expected: str, values: Floats, fits: Any, names: Labels) -> None:
    at = np.flatnonzero(~(fits & np.isfinite(values)))
    if len(at):
        faults.add(what, expected, f"{values[at[0]]} for {listed([str(name) for name in names[at]])}")


def notes(books: Portfolios, falls: Floats, outcome: Outcome, insolvent: str, rule: Constraint | None) -> list[str]:
    """Say what the result stands on that nobody asked for, and where the model leaves its ground."""
    lines = []
    gone = books.equity <= 0.0
    if gone.any():
        when = "everything once a fall has hit them" if rule is None else "everything, whatever the shock"
        lines.append(
            f"equity: {int(gone.sum()):,} institutions start with 0 or less; they sell "
            f"{when if insolvent == 'sell' else 'nothing'}, are not part of ΣE, and their indirect vulnerability is NaN"
        )
    above = (
        np.zeros(len(gone), dtype=bool) if rule is None else ~gone & (books.total > rule.max_leverage * books.equity)
    )
    if above.any():
        lines.append(
            f"max_leverage: {int(above.sum()):,} institutions are above it before any fall, and sell without one"
        )
    sold = np.asarray(outcome.sales.sum(axis=0)).ravel()
    free = (books.price_impact == 0.0) & (sold > 0.0)
    if free.any():
        names = listed([str(name) for name in books.assets[free]])
        lines.append(f"price_impact: ${sold[free].sum():,.0f} sold in {names} without any (depth unknown or infinite)")
    # both falls of leverage targeting are shares of the price before the shock; the other model's multiply
    down = falls + outcome.price_fall > 1.0 if rule is None else (outcome.price_fall >= 1.0) & (falls < 1.0)
    if down.any():
        names = listed([str(name) for name in books.assets[down]])
        lines.append(
            f"price_fall: sales take {names} to a price of 0{' or below' if rule is None else ''} (linear impact)"
        )
    return lines


def told(books: Portfolios, falls: Floats) -> dict[str, Any]:
    """Give the holdings in words and all falls as labels and numbers, for the provenance."""
    n, m = books.holdings.shape
    shock = {str(books.assets[at]): float(falls[at]) for at in np.flatnonzero(falls)}
    return {"holdings": f"{n} institutions, {m} assets, ${books.holdings.sum():,.0f}", "shock": shock}
