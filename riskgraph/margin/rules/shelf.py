"""Every liquidation rule by name; rules from outside are added to it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from riskgraph.errors import InputError
from riskgraph.margin.rules.rule import Rule
from riskgraph.snapshot.parameters import PARAMETERS, Parameter, RuleDefault, RuleFacts
from riskgraph.snapshot.schema import declare_rule, retract_rule

__all__ = ["add_rule", "remove_rule", "rule_named"]

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
_loaded: dict[str, Rule] = {}
_added: dict[str, Rule] = {}  # from outside


def rule_named(name: str) -> Rule:
    """Return the rule of that name."""
    if name in _added:
        return _added[name]
    if name not in _OWN:
        raise InputError(f"rule: expected one of {', '.join((*_OWN, *_added))}, got {name!r}")
    if name not in _loaded:
        _loaded[name] = getattr(import_module(f"riskgraph.margin.rules.{name}"), _OWN[name])()
    return _loaded[name]


def add_rule(
    rule: Rule,
    *,
    lends_collateral: bool = False,
    debt_at_par: bool = False,
    parameters: tuple[Parameter, ...] = (),
    shared: Mapping[tuple[str, str], RuleDefault] = MappingProxyType({}),
) -> None:
    """Add a rule from outside, so that ``protocols.rule`` may name it; one added before under that name gives way.

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
        The name is taken by a rule of the package; a parameter of its own is declared already, or a shared one is not.
    """
    if rule.name in _OWN:
        raise InputError(f"add_rule: expected a name that no rule has, got {rule.name!r}")
    if rule.name in _added:
        remove_rule(rule.name)
    taken = [f"{one.table}.{one.name}" for one in parameters if (one.table, one.name) in PARAMETERS]
    if taken:
        raise InputError(f"add_rule: expected parameters that no rule has (else in shared), got {', '.join(taken)}")
    unknown = [".".join(key) for key in shared if key not in PARAMETERS]
    if unknown:
        raise InputError(f"add_rule: expected shared parameters that are declared, got {', '.join(unknown)}")
    declare_rule(RuleFacts(rule.name, lends_collateral, debt_at_par), parameters, shared)
    _added[rule.name] = rule


def remove_rule(name: str) -> None:
    """Take a rule from outside away again, and the parameters that it alone has; snapshots that name it stay.

    Raises
    ------
    InputError
        No rule of that name was added.
    """
    if name not in _added:
        raise InputError(
            f"remove_rule: expected a rule that was added ({', '.join(_added) or 'none was'}), got {name!r}"
        )
    retract_rule(name)
    del _added[name]
