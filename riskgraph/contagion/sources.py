"""Many sources at once: which nodes, in blocks of columns, and a bound for those left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, read_only
from riskgraph.contagion.models import DEFAULTED
from riskgraph.contagion.propagation import starts_defaulted
from riskgraph.contagion.spreading import Rules, System, spread
from riskgraph.errors import InputError
from riskgraph.graph.exposure import ASSET, PROTOCOL, ExposureGraph

if TYPE_CHECKING:
    from riskgraph.contagion.compiled import Runs

__all__ = ["Effects", "chosen_sources", "effects_of", "left_out_bound"]

BLOCK_CELLS = 2_000_000  # nodes × columns held at once, 16 MB an array
COMPILED_CELLS = 30_000_000  # nodes × sources from which compiled code makes up for the seconds of its compilation


@dataclass(frozen=True, eq=False)
class Effects:
    """What every source did, arrays of shape (k,) in the order of the sources.

    Attributes
    ----------
    shock : ndarray
        Distress of the source at the start.
    contagion : ndarray
        R less the baseline.
    loss_usd, first_round_usd : ndarray
        USD lost beyond shock and baseline, at the end and after the first wave.
    defaults : ndarray of int
        Other nodes that end at h = 1 and do not in the baseline.
    rounds : ndarray of int
        Waves until nothing moved, or the horizon.
    converged, starts_defaulted : ndarray of bool
    width : int
        Columns in a block; 0 where compiled code took one source after another.
    """

    shock: Floats
    contagion: Floats
    loss_usd: Floats
    first_round_usd: Floats
    defaults: Ints
    rounds: Ints
    converged: Bools
    starts_defaulted: Bools
    width: int

    def __post_init__(self) -> None:
        for name in ("shock", "contagion", "loss_usd", "first_round_usd", "defaults", "rounds", "converged"):
            read_only(getattr(self, name))
        read_only(self.starts_defaulted)


def chosen_sources(graph: ExposureGraph, sources: str | Sequence[str] | None, most: int) -> tuple[Ints, Ints]:
    """Return node numbers of the sources, and of the accounts or kindless nodes left out for their small debt."""
    if isinstance(most, bool) or int(most) != most or most < 1:
        raise InputError(f"max_sources: expected a whole number of at least 1, got {most!r}")
    everything = np.arange(len(graph), dtype=np.int64)
    none_left = np.zeros(0, dtype=np.int64)
    if sources is None:
        always = (graph.kind == ASSET) | (graph.kind == PROTOCOL)
        ranked = everything[~always]
        ranked = ranked[np.argsort(graph.labels[ranked], kind="stable")]
        ranked = ranked[np.argsort(-graph.debt_usd[ranked], kind="stable")]
        return np.sort(np.concatenate((everything[always], ranked[:most]))), np.sort(ranked[most:])
    if isinstance(sources, str):
        if sources == "all":
            return everything, none_left
        sources = [sources]
    named = [str(label) for label in sources]
    if len(set(named)) != len(named):
        raise InputError("sources: expected every label once")
    return np.sort(graph.index(named, what="sources")), none_left


def effects_of(
    graph: ExposureGraph, parts: System, sources: Ints, shock: Floats, rules: Rules
) -> tuple[Effects, float]:
    """Spread every source's shock, a block of columns at a time; also give the baseline's R."""
    n, k = len(graph), len(sources)
    started = starts_defaulted(graph)
    rest = _Rest.of(graph, parts, started, rules)
    width = int(np.clip(BLOCK_CELLS // max(n, 1), 8, 256))
    runs = np.flatnonzero(~started[sources])
    compiled = len(runs) * n >= COMPILED_CELLS and can_be_compiled(parts, rules)
    usd = {name: np.zeros(k) for name in ("contagion", "loss_usd", "first_round_usd")}
    defaults, rounds, converged = np.zeros(k, dtype=np.int64), np.zeros(k, dtype=np.int64), np.ones(k, dtype=bool)
    # a source that starts defaulted is the baseline already: nothing is added by its wipe-out
    if compiled:
        found = _compiled(graph, parts, started, sources[runs], shock[runs], rest, rules)
        usd["contagion"][runs] = found.end[:, 0] - rest.contagion
        usd["loss_usd"][runs] = found.end[:, 1] - rest.loss_usd
        usd["first_round_usd"][runs] = found.first[:, 1] - rest.first_usd
        defaults[runs], rounds[runs], converged[runs] = found.defaults, found.rounds, found.converged
        runs = runs[:0]
    for low in range(0, len(runs), width):
        at = runs[low : low + width]
        start = np.repeat(rest.start[:, None], len(at), axis=1)
        start[sources[at], np.arange(len(at))] = shock[at]
        run = spread(parts, start, rules)
        moved = run.end - start
        usd["contagion"][at] = graph.weight @ moved - rest.contagion
        usd["loss_usd"][at] = graph.loss_weight_usd @ moved - rest.loss_usd
        usd["first_round_usd"][at] = graph.loss_weight_usd @ (run.first - start) - rest.first_usd
        fell = (run.end >= DEFAULTED) & ~rest.fell[:, None]
        fell[sources[at], np.arange(len(at))] = False
        defaults[at], rounds[at], converged[at] = fell.sum(axis=0), run.rounds, run.converged
    done = started[sources]
    if compiled:
        width = 0
    effects = Effects(
        shock, **usd, defaults=defaults, rounds=rounds, converged=converged, starts_defaulted=done, width=width
    )
    return effects, rest.contagion


def can_be_compiled(parts: System, rules: Rules) -> bool:
    """Whether the compiled road knows this system: a book, and a model that is linear between onset and wipe-out."""
    book = parts.core_size > 0 and parts.rest_rest.nnz == 0
    return book and rules.cap and parts.pass_rest.model in ("linear", "liquidation")


def _compiled(
    graph: ExposureGraph, parts: System, started: Bools, sources: Ints, shock: Floats, rest: _Rest, rules: Rules
) -> Runs:
    from riskgraph.contagion import compiled  # numba: loaded only where it is used

    bent = parts.pass_rest.model == "liquidation"
    onset = parts.pass_rest.onset if bent else np.zeros_like(parts.pass_rest.onset)
    book = compiled.book_of(parts, rules.damping, onset, started[parts.rest])
    weights = np.stack([graph.weight, graph.loss_weight_usd], axis=1)
    return compiled.run_sources(parts, book, rest.start, sources, shock, weights, rest.fell, rules)


@dataclass(frozen=True)
class _Rest:
    """The baseline: what the nodes that start defaulted cause by themselves."""

    start: Floats
    contagion: float
    loss_usd: float
    first_usd: float
    fell: Bools

    @classmethod
    def of(cls, graph: ExposureGraph, parts: System, started: Bools, rules: Rules) -> _Rest:
        start = started.astype(np.float64)
        if not started.any():
            return cls(start, 0.0, 0.0, 0.0, started)
        run = spread(parts, start[:, None], rules)
        end, first = run.end[:, 0], run.first[:, 0]
        usd = graph.loss_weight_usd
        return cls(
            start,
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
