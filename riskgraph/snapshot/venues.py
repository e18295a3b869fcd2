"""Kind and liquidation rule of every protocol, given or by kind; and parameters that belong to another rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from riskgraph.arrays import Bools
from riskgraph.errors import Faults
from riskgraph.snapshot.parameters import PARAMETERS, parameters_of
from riskgraph.snapshot.schema import SIDES
from riskgraph.snapshot.tables import Table

__all__ = ["Venues", "check_parameters", "defaults_taken", "venues_of"]

_RULE_OF_KIND = {"perp": "perp", "options": "portfolio_margin"}  # every other kind: lending


@dataclass(frozen=True)
class Venues:
    """Kind and rule of every protocol, in the order of protocol labels, and which of them nobody gave."""

    kind: tuple[str, ...]
    rule: tuple[str, ...]
    assumed_kind: tuple[int, ...]
    assumed_rule: tuple[int, ...]


def venues_of(tables: Mapping[str, Table], n_protocols: int) -> Venues:
    """Resolve kinds (by what stands there) and rules (by kind), where none is given."""
    protocols = tables["protocols"]
    kind, rule = [""] * n_protocols, [""] * n_protocols
    for at, given_kind, given_rule in zip(
        protocols.code("protocol").tolist(), protocols.text("kind"), protocols.text("rule"), strict=True
    ):
        kind[at], rule[at] = given_kind, given_rule
    traded, optioned = _traded(tables["positions"], n_protocols)
    kindless = tuple(at for at in range(n_protocols) if not kind[at])
    ruleless = tuple(at for at in range(n_protocols) if not rule[at])
    stands = ["options" if optioned[at] else "perp" if traded[at] else "lending" for at in range(n_protocols)]
    kind = [given or stands[at] for at, given in enumerate(kind)]
    rule = [given or _RULE_OF_KIND.get(kind[at], "lending") for at, given in enumerate(rule)]
    return Venues(tuple(kind), tuple(rule), kindless, ruleless)


def _traded(positions: Table, n_protocols: int) -> tuple[Bools, Bools]:
    """At which protocols longs or shorts stand, and at which options do."""
    protocol = positions.code("protocol")
    rows = np.isin(positions.code("side"), [SIDES.index("long"), SIDES.index("short")]) & (protocol >= 0)
    options = rows & (positions.code("option_type") >= 0)
    traded, optioned = (np.bincount(protocol[some], minlength=n_protocols) > 0 for some in (rows, options))
    return traded, optioned


def check_parameters(tables: Mapping[str, Table], labels: Mapping[str, Any], faults: Faults) -> None:
    """Refuse every value of a parameter that the rule of its protocol does not have."""
    names = labels["protocol"].to_pylist()
    rules = venues_of(tables, len(names)).rule
    for one in PARAMETERS.values():
        table = tables[one.table]
        given = _given(table, one.name)
        if not given.any():
            continue
        at = table.code("protocol")
        foreign = np.array([rule not in one.rules for rule in rules])[at] & given
        if foreign.any():
            wrong = ", ".join(f"{names[code]} (rule {rules[code]})" for code in np.unique(at[foreign])[:5])
            faults.add(
                f"{one.table}.{one.name}",
                f"expected a value only where the rule is {' or '.join(one.rules)}",
                f"one for {wrong}",
            )


def _given(table: Table, name: str) -> Bools:
    found: Bools
    if name in table.numbers:
        found = ~np.isnan(table.numbers[name])
    elif name in table.codes:
        found = table.codes[name] >= 0
    elif name in table.flags:
        found = table.flags[name] >= 0
    else:
        found = np.zeros(len(table), dtype=bool)
    return found


def defaults_taken(tables: Mapping[str, Table], labels: Mapping[str, Any]) -> list[str]:
    """Say by rule which parameters of ``protocols`` stand at a default that no contract fixes, and for whom."""
    names = labels["protocol"].to_pylist()
    venues = venues_of(tables, len(names))
    protocols = tables["protocols"]
    lines = []
    for rule in sorted(set(venues.rule)):
        mine = [at for at, other in enumerate(venues.rule) if other == rule]
        for one in parameters_of(rule, "protocols"):
            default = one.by_rule[rule]
            told = set(protocols.code("protocol")[_given(protocols, one.name)].tolist())
            blind = [names[at] for at in mine if at not in told]
            if default.value not in (None, 0.0) and not default.fixed and blind:
                unit = "" if one.unit in ("share", "factor", "health") or one.kind != "number" else f" {one.unit}"
                said = f"{default.value:,g}{unit}" if isinstance(default.value, float) else str(default.value)
                lines.append(f"protocols.{one.name}: taken as {said} (rule {rule}) for {_some(blind)}")
    return lines


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
