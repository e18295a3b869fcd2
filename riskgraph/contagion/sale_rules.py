"""The border of fire sales: arguments checked and laid out, and what has to be said of a result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from riskgraph.arrays import Floats, Labels
from riskgraph.contagion import portfolio_holdings as held
from riskgraph.contagion.forced_sales import LEVEL_DEPENDENT, LINEAR, Constraint, Outcome
from riskgraph.contagion.portfolio_holdings import Portfolios
from riskgraph.errors import Faults, InputError
from riskgraph.graph.matrices import listed
from riskgraph.snapshot.snapshot import Snapshot
from riskgraph.wording import counted

__all__ = [
    "constraint",
    "in_words",
    "laid_out",
    "notes",
    "one_of",
    "refuse_given",
    "told_matrix",
    "told_rule",
    "told_values",
]

READING = {"by": "account", "netting": "asset", "follow": "backing"}  # how a snapshot is read unless asked otherwise
TARGET = 0.95  # λb ÷ λmax where no target is given
SHOWN = 20  # values up to which a provenance has all of them by label; of more it has count, sum and digest


def one_of(what: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not among those allowed."""
    if value not in allowed:
        raise InputError(f"{what}: expected one of {', '.join(allowed)}, got {value!r}")


def laid_out(
    holdings: Any, equity: Any, price_impact: Any, shock: Any, reading: Mapping[str, str | None]
) -> tuple[Portfolios, Floats, dict[str, Any]]:
    """Portfolios and the fall of every asset, from a snapshot or from what is given, and both as a provenance has them.

    The provenance has what is in force, defaults included.
    """
    read: dict[str, str] = {}
    if isinstance(holdings, Snapshot):
        read = {name: default if reading[name] is None else str(reading[name]) for name, default in READING.items()}
        books = held.snapshot_portfolios(holdings, read["by"], read["netting"])
        falls = held.snapshot_falls(holdings, shock, read["follow"], len(books.assets))
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
    mine = bool(read)
    told = {
        "holdings": f"the snapshot's: {_size(books)}" if mine else f"{_size(books)}, {_digest_of(books)}",
        "equity": "the snapshot's" if mine and equity is None else told_values(books.equity, books.labels),
        "price_impact": (
            "the snapshot's" if mine and price_impact is None else told_values(books.price_impact, books.assets)
        ),
        "shock": {str(books.assets[at]): float(falls[at]) for at in np.flatnonzero(falls)},
    }
    return books, falls, told | read


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
        sold_when = "everything is sold there " + ("once a fall has hit" if rule is None else "whatever the shock")
        lines.append(
            f"equity: 0 or less before any fall at {counted(int(gone.sum()), 'institution')}; "
            f"{sold_when if insolvent == 'sell' else 'nothing is sold there'}, none of it is part of ΣE, and indirect "
            "vulnerability is NaN"
        )
    if rule is not None:
        above = int((~gone & (books.total > rule.max_leverage * books.equity)).sum())
        if above:
            lines.append(f"max_leverage: {counted(above, 'institution')} above it before any fall: sales without one")
    sold = np.asarray(outcome.sales.sum(axis=0)).ravel()
    free = (books.price_impact == 0.0) & (sold > 0.0)
    if free.any():
        names = listed([str(name) for name in books.assets[free]])
        lines.append(
            f"price_impact: ${sold[free].sum():,.0f} sold in {names} without price impact (depth unknown or infinite)"
        )
    return lines + _broken(books, falls, outcome, rule)


def _broken(books: Portfolios, falls: Floats, outcome: Outcome, rule: Constraint | None) -> list[str]:
    # both falls of leverage targeting are shares of the price before the shock; the other model's multiply
    down = falls + outcome.price_fall > 1.0 if rule is None else (outcome.price_fall >= 1.0) & (falls < 1.0)
    if not down.any():
        return []
    line = f"price_fall: sales take {listed([str(name) for name in books.assets[down]])} to a price of 0"
    if rule is not None:
        return [f"{line} ({_form(rule)} impact)"]
    return [f"{line} or below (linear impact): losses exceed what is held; read them as 'the market breaks'"]


def _form(rule: Constraint) -> str:
    return rule.impact.replace("_", "-")


def in_words(rule: Constraint) -> str:
    """Say in one line when institutions sell, down to what, and at what price."""
    usual = np.array_equal(rule.target_leverage, TARGET * rule.max_leverage)
    target = f"{TARGET} λmax" if usual else _span(rule.target_leverage)
    floor = f" (price floor {rule.price_floor:g})" if rule.impact == LEVEL_DEPENDENT else ""
    return (
        f"sells above λmax = {_span(rule.max_leverage)} (assets ÷ equity) down to λb = {target}; "
        f"{_form(rule)} impact{floor}, execution α = {rule.execution:g}"
    )


def _span(values: Floats) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def told_rule(rule: Constraint, books: Portfolios) -> dict[str, Any]:
    """Give the threshold model's arguments as they were in force, for the provenance."""
    floor = {"price_floor": rule.price_floor} if rule.impact == LEVEL_DEPENDENT else {}
    return {
        "max_leverage": told_values(rule.max_leverage, books.labels),
        "target_leverage": told_values(rule.target_leverage, books.labels),
        "illiquid": sorted(str(name) for name in books.assets[~rule.sellable]),
        "impact": rule.impact,
        **floor,
        "execution": rule.execution,
        "tol": rule.tol,
        "max_rounds": rule.max_rounds,
    }


def told_values(values: Floats, names: Labels) -> float | dict[str, float] | str:
    """One number where all are the same, up to 20 by label, of more count, sum and digest; whatever their order."""
    if len(values) and (values == values[0]).all():
        return float(values[0])
    order = np.argsort(names.astype(str), kind="stable")
    if len(values) <= SHOWN:
        return {str(names[at]): float(values[at]) for at in order}
    row = sparse.csr_array(values[None, :])
    return f"{len(values)} values, sum {values[order].sum():.12g}, {told_matrix(row, np.array([''], object), names)}"


def told_matrix(matrix: sparse.csr_array, rows: Labels, columns: Labels) -> str:
    """Digest of what stands where by label, whatever the order of rows and columns."""
    by_row, by_column = (np.argsort(names.astype(str), kind="stable") for names in (rows, columns))
    sorted_ = sparse.csr_array(matrix[by_row][:, by_column])
    sorted_.eliminate_zeros()
    sorted_.sort_indices()
    hasher = hashlib.blake2b(digest_size=16)
    for names in (rows[by_row], columns[by_column]):
        hasher.update("\0".join(map(str, names)).encode() + b"\1")
    for part in (sorted_.indptr, sorted_.indices):
        hasher.update(part.astype("<i8").tobytes())
    hasher.update(sorted_.data.astype("<f8").tobytes())
    return f"digest {hasher.hexdigest()}"


def _digest_of(books: Portfolios) -> str:
    return told_matrix(books.holdings, books.labels, books.assets)


def _size(books: Portfolios) -> str:
    n, m = books.holdings.shape
    return f"{counted(n, 'institution')}, {counted(m, 'asset')}, ${books.holdings.sum():,.0f}"
