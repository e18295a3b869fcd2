"""What to know when reading a ranking: its notes, a sentence each, none where there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskgraph.arrays import Bools, Ints
from riskgraph.contagion.propagation import starts_defaulted
from riskgraph.contagion.sources import left_out_bound
from riskgraph.contagion.spreading import Rules, System
from riskgraph.graph.exposure import ACCOUNT, ASSET, ExposureGraph
from riskgraph.wording import counted

__all__ = ["grows", "growth_notes", "left_out_notes", "shock_notes", "silent_notes"]

USELESS = 0.5  # a bound of half of everything bounds nothing


def shock_notes(graph: ExposureGraph, chosen: Ints, asset_shock: float, baseline: float) -> list[str]:
    """Say what sources start from, and what the nodes that start defaulted cause by themselves."""
    notes = []
    if (graph.kind[chosen] == ASSET).any():
        notes.append(f"assets start from a fall of {asset_shock:.0%}, everything else from its wipe-out")
    started: Bools = starts_defaulted(graph)
    if started.any():
        starts = "starts" if started.sum() == 1 else "start"
        notes.append(
            f"{counted(int(started.sum()), 'node')} without capital left {starts} defaulted: "
            f"what that causes by itself (R = {baseline:.6g}) is the baseline, taken off every result; as a source it "
            "scores 0"
        )
    return notes


def silent_notes(graph: ExposureGraph, parts: System, chosen: Ints) -> list[str]:
    """Say that accounts score 0 where nothing that they do reaches the core."""
    accounts = chosen[graph.kind[chosen] == ACCOUNT]
    if not len(accounts) or not parts.core_size or parts.core_rest.nnz or parts.rest_rest.nnz:
        return []
    return [
        f"all {len(accounts):,} accounts score 0: no asset that they would sell has a finite depth, and none of them "
        "would leave a shortfall to a protocol"
    ]


def left_out_notes(graph: ExposureGraph, parts: System, left_out: Ints, rules: Rules, model: str) -> list[str]:
    """Say how many nodes are no sources, and bound the contagion of each of them."""
    if not len(left_out):
        return []
    bound, words = left_out_bound(graph, parts, left_out, rules, model)
    told = f"none of them has a contagion above {bound:.6g} ({words})"
    if bound >= USELESS:
        told += ": no useful bound; a larger max_sources, or sources by name, look at them"
    return [
        f"{counted(len(left_out), 'node')} of least debt (at most ${graph.debt_usd[left_out].max():,.0f} each) left "
        f"out of the sources; {told}"
    ]


def growth_notes(model: str, radius: float, horizon: int | None) -> list[str]:
    """Say that caps alone end the growth of a shock where δλ₁ is not below 1; ``radius`` is δλ₁."""
    if not grows(model, radius, {"horizon": horizon}):
        return []
    return [
        f"δλ₁ = {radius:.4g} is not below 1: in the linear model any shock then grows until caps bind, and the end "
        "state hardly tells sources apart (what is left of an order runs against size, since a source's own loss is no "
        "contagion); ranked by first_round_usd, which does. Other models, or a horizon, tell more"
    ]


def grows(model: str, radius: float, arguments: Mapping[str, Any]) -> bool:
    """Whether only caps end the growth of a shock: linear, no horizon, δ times ``radius`` not below 1."""
    growing = float(arguments.get("damping", 1.0)) * radius >= 1.0
    return model == "linear" and arguments.get("horizon") is None and growing
