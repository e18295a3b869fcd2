"""What the liquidation rules can be set to: every parameter with table, unit, range, default and rules, declared once.

The table itself is ``parameters.csv`` beside this file: a row a parameter, several where rules differ in the default.
Snapshots check their tables against it, rules take their numbers through it, and the documentation's page of parameters
is made from it. Names are those of the contracts, values their constants (``fixed``) or typical settings.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

__all__ = [
    "PARAMETERS",
    "RULES",
    "Parameter",
    "RuleDefault",
    "RuleFacts",
    "add_rule_facts",
    "drop_rule_facts",
    "parameters_of",
]

_TABLE: Final = Path(__file__).with_suffix(".csv")


@dataclass(frozen=True)
class RuleFacts:
    """What the tables must know of a rule.

    ``lends_collateral``: whether it lends collateral out (METHODS 2). ``debt_at_par``: whether its contract counts a
    unit of its debt as 1 USD, whatever that trades at.
    """

    name: str
    lends_collateral: bool = False
    debt_at_par: bool = False


@dataclass(frozen=True)
class RuleDefault:
    """What one rule takes where a parameter is not given.

    ``value`` None: it must be given, unless ``otherwise`` says in words what is taken. ``fixed``: the contract's own
    constant, so that taking it assumes nothing.
    """

    value: float | str | None = None
    fixed: bool = False
    otherwise: str = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter: where it stands, what it means, its unit and range, which rules have it and what they default to.

    ``kind`` is ``number``, ``flag``, ``choice`` (one of ``choices``) or ``asset`` (a label).
    """

    name: str
    table: str
    meaning: str
    by_rule: Mapping[str, RuleDefault]
    unit: str = ""
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    kind: str = "number"
    choices: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules that have it."""
        return tuple(self.by_rule)


_DEBT_AT_PAR: Final = ("maker", "liquity_v1", "liquity_v2")
RULES: dict[str, RuleFacts] = {
    name: RuleFacts(name, lends_collateral, name in _DEBT_AT_PAR)
    for name, lends_collateral in {
        "lending": True,
        "aave_v2": True,
        "aave_v3": True,
        "aave_v4": True,
        "compound_v2": True,
        "compound_v3": False,
        "morpho_blue": False,
        "maker": False,
        "liquity_v1": False,
        "liquity_v2": False,
        "euler_v1": True,
        "euler_v2": False,
        "perp": False,
        "portfolio_margin": False,
    }.items()
}


def _read() -> dict[tuple[str, str], Parameter]:
    found: dict[tuple[str, str], Parameter] = {}
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = row["table"], row["name"]
            kind, _, choices = row["kind"].partition(":")
            value = row["default"] or None if kind == "choice" else _number(row["default"])
            default = RuleDefault(value, row["fixed"] == "yes", row["otherwise"])
            by_rule = dict.fromkeys(row["rules"].split(), default)
            if key in found:
                found[key] = replace(found[key], by_rule={**found[key].by_rule, **by_rule})
                continue
            found[key] = Parameter(
                row["name"],
                row["table"],
                row["meaning"],
                by_rule,
                row["unit"],
                _number(row["low"]),
                _number(row["high"]),
                row["above"] == "yes",
                kind,
                tuple(choices.split("|")) if choices else (),
            )
    return found


def _number(text: str) -> float | None:
    return float(text) if text else None


PARAMETERS: dict[tuple[str, str], Parameter] = _read()


def parameters_of(rule: str, table: str) -> tuple[Parameter, ...]:
    """Every parameter that a rule may have in a table, in the order of declaration."""
    return tuple(one for one in PARAMETERS.values() if one.table == table and rule in one.by_rule)


def add_rule_facts(facts: RuleFacts, own: tuple[Parameter, ...], shared: Mapping[tuple[str, str], RuleDefault]) -> None:
    """Add a rule, its own parameters, and its use of declared ones (by table and name); what was declared stays."""
    RULES[facts.name] = facts
    for key, default in shared.items():
        PARAMETERS[key] = replace(PARAMETERS[key], by_rule={**PARAMETERS[key].by_rule, facts.name: default})
    for one in own:
        PARAMETERS.setdefault((one.table, one.name), one)


def drop_rule_facts(name: str) -> None:
    """Undo :func:`add_rule_facts`: the rule, its use of parameters, and parameters that no rule is left to use."""
    del RULES[name]
    for key, one in list(PARAMETERS.items()):
        left = {rule: default for rule, default in one.by_rule.items() if rule != name}
        if left:
            PARAMETERS[key] = replace(one, by_rule=left)
        else:
            del PARAMETERS[key]
