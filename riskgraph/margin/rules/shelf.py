"""Every liquidation rule by name; rules from outside are added to it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from riskgraph.errors import InputError
from riskgraph.margin.rules.rule import Rule
from riskgraph.snapshot.parameters import Parameter, RuleDefault, RuleFacts
from riskgraph.snapshot.schema import declare_rule

__all__ = ["add_rule", "rule_named"]

_OWN = {
    "lending": "Lending",
    "aave_v2": "AaveV2",
    "aave_v3": "AaveV3",
    "aave_v4": "AaveV4",
    "compound_v2": "CompoundV2",
    "compound_v3": "CompoundV3",
    "morpho_blue": "MorphoBlue",
    "maker": "Maker",
    "liquity_v1": "LiquityV1",
    "liquity_v2": "LiquityV2",
    "euler_v1": "EulerV1",
    "euler_v2": "EulerV2",
    "perp": "Perp",
    "portfolio_margin": "PortfolioMargin",
}
_added: dict[str, Rule] = {}


def rule_named(name: str) -> Rule:
    """Return the rule of that name."""
    if name in _added:
        return _added[name]
    if name not in _OWN:
        raise InputError(f"rule: expected one of {', '.join((*_OWN, *_added))}, got {name!r}")
    rule: Rule = getattr(import_module(f"riskgraph.margin.rules.{name}"), _OWN[name])()
    return _added.setdefault(name, rule)


def add_rule(
    rule: Rule,
    *,
    lends_collateral: bool = False,
    debt_at_par: bool = False,
    parameters: tuple[Parameter, ...] = (),
    shared: Mapping[tuple[str, str], RuleDefault] = MappingProxyType({}),
) -> None:
    """Add a rule from outside, so that ``protocols.rule`` may name it.

    Parameters
    ----------
    rule : Rule
        Most lending rules are a :class:`riskgraph.margin.rules.rule.PairRule` with one method.
    lends_collateral : bool
        Whether collateral is lent out, so that it is a claim on the protocol.
    debt_at_par : bool
        Whether a unit of debt counts as 1 USD where ``markets.price`` gives no other price.
    parameters : tuple of Parameter
        Parameters of its own, with table, unit, range and default.
    shared : mapping of (table, name) to RuleDefault
        Declared parameters that it uses too, such as ``("markets", "liquidation_threshold")``.

    Raises
    ------
    InputError
        The name is taken by a rule of the package.
    """
    if rule.name in _OWN:
        raise InputError(f"add_rule: expected a name that no rule has, got {rule.name!r}")
    declare_rule(RuleFacts(rule.name, lends_collateral, debt_at_par), parameters, shared)
    _added[rule.name] = rule
