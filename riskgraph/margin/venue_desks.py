"""Desks of a cascade: one for every protocol whose rule does not call pair by pair."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.errors import InputError
from riskgraph.margin.rules.rule import PairRule
from riskgraph.margin.rules.shelf import rule_named

if TYPE_CHECKING:
    from riskgraph.margin.cascade_run import CascadeRun
    from riskgraph.margin.venue_desk import VenueDesk

__all__ = ["desks_of"]

# Rule (a frame, or one rule) and the desk that plays it; modules are loaded where they are needed.
_DESKS = {
    ("rules.compound_v3", "CompoundV3"): ("comet_desk", "CometDesk"),
    ("rules.maker", "Maker"): ("auction_desk", "AuctionDesk"),
    ("rules.troves", "TroveRule"): ("trove_desk", "TroveDesk"),
    ("rules.position_rule", "PositionRule"): ("position_desk", "PositionDesk"),
}


def desks_of(run: CascadeRun) -> dict[int, VenueDesk]:
    """Open a desk for every protocol with margin accounts whose rule does not call pair by pair.

    Raises
    ------
    InputError
        A rule from outside is neither a pair rule nor of a kind that a cascade knows how to play.
    """
    names, labels = run.book.snap.venues.rule, run.book.snap.labels("protocol")
    found: dict[int, VenueDesk] = {}
    for protocol in np.unique(run.book.rows.margin_protocol).tolist():
        rule = rule_named(names[protocol])
        if isinstance(rule, PairRule):
            continue
        desk = next((_loaded(*desk) for frame, desk in _DESKS.items() if isinstance(rule, _loaded(*frame))), None)
        if desk is None:
            raise InputError(
                f"protocols.rule: expected a rule that calls pair by pair (PairRule), or one of riskgraph's own, in a "
                f"cascade, got {rule.name} at {labels[protocol]}"
            )
        found[protocol] = desk(run, protocol)
    return found


def _loaded(module: str, name: str) -> type:
    kind: type = getattr(import_module(f"riskgraph.margin.{module}"), name)
    return kind
