"""Many sources at once: which nodes, together or one by one, what they start from, and what they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, read_only
from riskgraph.contagion.models import DEFAULTED
from riskgraph.contagion.propagation import starts_defaulted, whole
from riskgraph.contagion.roads import taken
from riskgraph.contagion.spreading import Rules, System, spread
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ASSET, PROTOCOL, ExposureGraph
from riskgraph.graph.matrices import listed

__all__ = ["Effects", "Shocks", "chosen_sources", "effects_of", "group_shocks", "left_out_bound", "node_shocks"]


@dataclass(frozen=True, eq=False)
class Shocks:
    """What every source starts from: a column each of ``start`` (n, k), and its node, −1 for a group of several."""

    node: Ints
    start: sparse.csc_array

    @property
    def held(self) -> sparse.csc_array:
        """Which nodes each source holds: 1 where ``start`` has an entry."""
        ones = np.ones(len(self.start.data))
        return sparse.csc_array((ones, self.start.indices, self.start.indptr), shape=self.start.shape)


@dataclass(frozen=True, eq=False)
class Effects:
    """What every source did, arrays of shape (k,) in the order of the sources.

    Attributes
    ----------
    shock : ndarray
        Distress of the source at the start; of a group the largest of its nodes.
    contagion : ndarray
        R less the baseline.
    loss_usd, first_round_usd : ndarray
        USD lost beyond shock and baseline, at the end and after the first wave.
    defaults : ndarray of int
        Other nodes that end at h = 1 and do not in the baseline.
    rounds : ndarray of int
        Waves or rounds until nothing moved, or the horizon; on roads that solve instead of walking (see ``road``) the
        sweeps that the source's block took, or 0.
    converged, starts_defaulted : ndarray of bool
    vulnerability : ndarray, shape (n,)
        Of every node of the graph: its distress beyond the baseline, averaged over the sources that do not hold it;
        NaN where there is none.
    road : str
        How it was computed.
    """

    shock: Floats
    contagion: Floats
    loss_usd: Floats
    first_round_usd: Floats
    defaults: Ints
    rounds: Ints
    converged: Bools
    starts_defaulted: Bools
    vulnerability: Floats
    road: str

    def __post_init__(self) -> None:
        for name in ("shock", "contagion", "loss_usd", "first_round_usd", "defaults", "rounds", "converged"):
            read_only(getattr(self, name))
        read_only(self.starts_defaulted)
        read_only(self.vulnerability)


def chosen_sources(graph: ExposureGraph, sources: str | Sequence[str] | None, most: int) -> tuple[Ints, Ints]:
    """Return node numbers of the sources, and of the accounts or kindless nodes left out for their small debt."""
    if not whole(most):
        raise InputError(f"max_sources: expected a whole number of at least 1, got {most!r}")
    everything = np.arange(len(graph), dtype=np.int64)
    none_left = np.zeros(0, dtype=np.int64)
    if sources is None:
        always = (graph.kind == ASSET) | (graph.kind == PROTOCOL)
        ranked = everything[~always]
        if len(ranked) > most:
            ranked = ranked[np.argsort(graph.labels[ranked], kind="stable")]
            ranked = ranked[np.argsort(-graph.debt_usd[ranked], kind="stable")]
        return np.sort(np.concatenate((everything[always], ranked[:most]))), np.sort(ranked[most:])
    if isinstance(sources, str):
        if sources == "all":
            return everything, none_left
        sources = [sources]
    if not hasattr(sources, "__iter__"):
        raise InputError(f"sources: expected labels, 'all', or a mapping of names to labels, got {sources!r}")
    named = [str(label) for label in sources]
    if not named:
        raise InputError("sources: expected at least one label, got none")
    once(named, "sources")
    return np.sort(graph.index(named, what="sources")), none_left


def once(labels: Sequence[str], what: str) -> None:
    """Refuse labels that come more than once, by name."""
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise InputError(f"{what}: expected every label once, got {listed(twice)} more than once")


def node_shocks(graph: ExposureGraph, nodes: Ints, asset_shock: float) -> Shocks:
    """Shock one node a source: assets fall by ``asset_shock``, everything else is wiped out."""
    size = np.where(graph.kind[nodes] == ASSET, asset_shock, 1.0)
    columns = np.arange(len(nodes))
    return Shocks(nodes, sparse.csc_array((size, (nodes, columns)), shape=(len(graph), len(nodes))))


def group_shocks(graph: ExposureGraph, groups: Mapping[str, Sequence[str]], asset_shock: float) -> Shocks:
    """Shock all nodes of a group at once, a group a source, in the order of their names."""
    if not groups:
        raise InputError("sources: expected at least one group")
    rows, columns = [], []
    for place, name in enumerate(sorted(groups)):
        labels = groups[name]
        if isinstance(labels, str) or not hasattr(labels, "__len__") or not len(labels):
            raise InputError(f"sources: expected a list of node labels for group {name!r}, got {labels!r}")
        nodes = graph.index([str(label) for label in labels], what=f"sources, group {name!r}")
        once([str(label) for label in labels], f"sources, group {name!r}")
        rows.append(np.sort(nodes))
        columns.append(np.full(len(nodes), place))
    at = np.concatenate(rows)
    size = np.where(graph.kind[at] == ASSET, asset_shock, 1.0)
    start = sparse.csc_array((size, (at, np.concatenate(columns))), shape=(len(graph), len(groups)))
    return Shocks(np.full(len(groups), -1, dtype=np.int64), start)


def effects_of(graph: ExposureGraph, parts: System, shocks: Shocks, rules: Rules) -> tuple[Effects, float]:
    """Spread every source's shock on top of what starts defaulted; also give the baseline's R."""
    k = len(shocks.node)
    started = starts_defaulted(graph)
    rest = _Rest.of(graph, parts, started, rules)
    # a source that starts defaulted is the baseline already: nothing is added by its wipe-out
    done = (shocks.start.T @ (~started).astype(np.float64)) == 0.0
    runs = np.flatnonzero(~done)
    weights = np.stack([graph.weight, graph.loss_weight_usd], axis=1)
    found = taken(parts, started, shocks.node[runs], shocks.start[:, runs], weights, rest.fell, rules)
    base = np.array([rest.contagion, rest.loss_usd])
    usd = {name: np.zeros(k) for name in ("contagion", "loss_usd", "first_round_usd")}
    usd["contagion"][runs], usd["loss_usd"][runs] = _beyond(found.end, base).T
    usd["first_round_usd"][runs] = _beyond(found.first[:, 1], np.float64(rest.first_usd))
    whole = [np.zeros(k, dtype=np.int64), np.zeros(k, dtype=np.int64), np.ones(k, dtype=bool)]
    for array, values in zip(whole, (found.defaults, found.rounds, found.converged), strict=True):
        array[runs] = values
    size = np.zeros(k)
    np.maximum.at(size, np.repeat(np.arange(k), np.diff(shocks.start.indptr)), shocks.start.data)
    effects = Effects(
        size,
        **usd,
        defaults=whole[0],
        rounds=whole[1],
        converged=whole[2].astype(bool),
        starts_defaulted=done,
        vulnerability=_vulnerability(found.suffered, shocks.start[:, runs], rest.moved),
        road=found.road,
    )
    return effects, rest.contagion


def _beyond(total: Floats, baseline: Floats | np.float64) -> Floats:
    """Take the baseline off; what is left of it by rounding alone, in sums of another order, is nothing."""
    left = total - baseline
    nothing = np.abs(left) <= 1e-13 * np.abs(baseline)
    return np.where(nothing, 0.0, left)


def _vulnerability(suffered: Floats, start: sparse.csc_array, baseline: Floats) -> Floats:
    """Average distress beyond the baseline over the sources that do not hold the node."""
    n, k = start.shape
    others = k - np.bincount(start.indices, minlength=n)
    mean: Floats = np.divide(suffered - others * baseline, others, out=np.full(n, np.nan), where=others > 0)
    return mean


@dataclass(frozen=True)
class _Rest:
    """The baseline: what the nodes that start defaulted cause by themselves."""

    start: Floats
    moved: Floats
    contagion: float
    loss_usd: float
    first_usd: float
    fell: Bools

    @classmethod
    def of(cls, graph: ExposureGraph, parts: System, started: Bools, rules: Rules) -> _Rest:
        start = started.astype(np.float64)
        if not started.any():
            return cls(start, np.zeros(len(start)), 0.0, 0.0, 0.0, started)
        run = spread(parts, start[:, None], rules)
        end, first = run.end[:, 0], run.first[:, 0]
        usd = graph.loss_weight_usd
        return cls(
            start,
            end - start,
            float(graph.weight @ (end - start)),
            float(usd @ (end - start)),
            float(usd @ (first - start)),
            end >= DEFAULTED,
        )


def left_out_bound(graph: ExposureGraph, parts: System, left_out: Ints, rules: Rules, model: str) -> tuple[float, str]:
    r"""Bound the contagion of every left-out node from above, and say in words how.

    A wiped-out node k adds no more than :math:`\delta\Lambda_{ik}` to the distress of any node i before anything else
    happens. One propagation that starts from the largest such addition over all left-out nodes,
    :math:`h_i(0) = \min(1, \delta \max_k \Lambda_{ik})`, ends above the propagation of each of them, since the maps
    of every model but ``original`` are monotone. For ``original`` the bound is the loss of everything.
    """
    start = starts_defaulted(graph).astype(np.float64)
    baseline = _Rest.of(graph, parts, start > 0.0, rules).contagion
    if model == "original":
        return float(graph.weight @ (1.0 - start)) - baseline, "the loss of everything: this model is not monotone"
    columns = sparse.csr_array(graph.leverage[:, left_out])
    largest = columns.max(axis=1).toarray().ravel() if columns.nnz else np.zeros(len(graph))
    pushed = np.minimum(1.0, start + rules.damping * largest)
    end = spread(parts, pushed[:, None], rules).end[:, 0]
    return float(graph.weight @ (end - start)) - baseline, "from the largest push of any of them on every other node"
