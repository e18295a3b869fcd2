"""The kernel: distress of many shocks at once, wave by wave, until it stands still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.models import Transmission, transmission
from riskgraph.errors import ConvergenceError
from riskgraph.graph.exposure import ASSET, NODE, PROTOCOL, ExposureGraph

__all__ = ["Rules", "Spread", "System", "round_budget", "spread", "system"]


@dataclass(frozen=True)
class System:
    r"""Λ cut into core (assets, protocols) and the rest (accounts, or all nodes of a matrix).

    Every model but ``original`` keeps :math:`h_i = \min(1, h_i(0) + \delta\sum_j \Lambda_{ij} p(h_j))` from round to
    round: distress only grows and the increments :math:`p(t) - p(t-1)` of METHODS 3 telescope. The end state is the
    least solution of that equation, whatever the order in which rows are renewed, so that waves (core to the end of
    its own chain, then accounts) and plain rounds end alike. Nothing of size accounts × accounts is formed.
    """

    core: Ints | slice
    rest: Ints | slice
    core_core: sparse.csr_array
    core_rest: sparse.csr_array
    rest_core: sparse.csr_array
    rest_rest: sparse.csr_array
    pass_core: Transmission
    pass_rest: Transmission
    impact: sparse.csr_array  # Λ of all nodes; in the original model W = min(1, Λ)

    @property
    def size(self) -> int:
        """Number of nodes."""
        return int(self.impact.shape[0])

    @property
    def core_size(self) -> int:
        """Number of assets and protocols (0 where rounds are plain)."""
        return int(self.core_core.shape[0])


@dataclass(frozen=True)
class Rules:
    """How long and how strongly distress spreads."""

    damping: float = 1.0
    cap: bool = True
    horizon: int | None = None
    tol: float = 1e-12
    max_rounds: int | None = None


@dataclass(frozen=True)
class Spread:
    """End state of every shock (a column each), what its first wave had done, and how long it took."""

    end: Floats  # (n, k)
    first: Floats  # (n, k)
    rounds: Ints  # (k,) waves that moved something
    converged: Bools  # (k,) whether a further wave would move nothing above tol
    history: tuple[Floats, ...]  # h after 0, 1, 2, … waves, only where asked for


def system(graph: ExposureGraph, model: str, alpha: float, *, cap: bool = True) -> System:
    """Cut a graph's leverage matrix for the kernel; a graph with kindless nodes has no core.

    ``cap=False`` leaves the impact of the original model at Λ.
    """
    is_core = (graph.kind == ASSET) | (graph.kind == PROTOCOL)
    if (graph.kind == NODE).any() or model == "original":
        is_core = np.zeros(len(graph), dtype=bool)
    core, rest = np.flatnonzero(is_core), np.flatnonzero(~is_core)
    passing = transmission(graph, model, alpha)
    impact = sparse.csr_array(graph.leverage.minimum(1.0)) if model == "original" and cap else graph.leverage
    if not len(core):  # nothing to cut
        none, across, down = (sparse.csr_array(shape) for shape in ((0, 0), (0, len(rest)), (len(rest), 0)))
        whole = passing.part(rest)
        return System(_run(core), _run(rest), none, across, down, graph.leverage, passing.part(core), whole, impact)
    upper, lower = graph.leverage[core], graph.leverage[rest]
    return System(
        core=_run(core),
        rest=_run(rest),
        core_core=sparse.csr_array(upper[:, core]),
        core_rest=sparse.csr_array(upper[:, rest]),
        rest_core=sparse.csr_array(lower[:, core]),
        rest_rest=sparse.csr_array(lower[:, rest]),
        pass_core=passing.part(core),
        pass_rest=passing.part(rest),
        impact=impact,
    )


def _run(nodes: Ints) -> Ints | slice:
    """Write neighbouring node numbers as a slice: rows of the state are then looked at and not copied."""
    if len(nodes) and nodes[-1] - nodes[0] + 1 == len(nodes):
        return slice(int(nodes[0]), int(nodes[-1]) + 1)
    return nodes


def round_budget(n: int) -> int:
    """Give the rounds after which spreading counts as endless (at λ₁ = 0.9997 a small network needs about 92,000)."""
    return 100_000 + 10 * n


def spread(parts: System, start: Floats, rules: Rules, *, history: bool = False) -> Spread:
    """Let every column of ``start``, shape (n, k), spread; columns that stand still leave the block.

    Raises
    ------
    ConvergenceError
        The round budget ran out (never because of an explicit horizon).
    """
    columns = start.shape[1]
    end, first = start.copy(), start.copy()
    rounds, converged = np.zeros(columns, dtype=np.int64), np.zeros(columns, dtype=bool)
    seen = [start.copy()] if history else []
    alive = np.arange(columns)
    state, origin = start.copy(), start
    flow = _Once(parts, start, rules) if parts.pass_rest.model == "original" else _Waves(parts, start, rules)
    budget = rules.max_rounds if rules.max_rounds is not None else round_budget(parts.size)
    done = 0
    while len(alive):
        new, still, change = flow.next(state, origin)
        # a horizon that falls on the last moving wave is told apart from one that cuts by looking one wave further
        stop = still | (done == rules.horizon)
        if stop.any():
            ended = alive[stop]
            end[:, ended], rounds[ended], converged[ended] = state[:, stop], done, still[stop]
            keep = ~stop
            alive, new, origin, change = alive[keep], new[:, keep], origin[:, keep], change[keep]
            flow.keep(keep)
        if len(alive) and done == budget:
            raise ConvergenceError(
                f"distress still moved by {change.max():.1e} after {done} rounds (tol {rules.tol:.0e}); "
                "allow more with max_rounds, or look at a given number of waves with horizon"
            )
        state, done = new, done + 1
        if done == 1:
            first[:, alive] = state
        if history and len(alive):
            seen.append(state.copy())
    return Spread(end, first, rounds, converged, tuple(seen))


class _Waves:
    """One wave after another: accounts → core, to the end of its own chain → accounts."""

    def __init__(self, parts: System, start: Floats, rules: Rules) -> None:
        self.parts, self.rules = parts, rules
        self.sent = parts.pass_rest(self._whole(start[parts.rest]))  # what accounts pass on in the coming wave

    def keep(self, columns: Bools) -> None:
        """Forget the columns that have left."""
        self.sent = self.sent[:, columns]

    def next(self, state: Floats, origin: Floats) -> tuple[Floats, Bools, Floats]:
        parts, damping, sent = self.parts, self.rules.damping, self.sent
        core, rest = state[parts.core], state[parts.rest]
        new_core, passed = self._chain(core, origin[parts.core] + damping * (parts.core_rest @ sent))
        gain = parts.rest_core @ passed
        if parts.rest_rest.nnz:
            gain = gain + parts.rest_rest @ sent
        new_rest = self._capped(origin[parts.rest] + damping * gain)
        self.sent = parts.pass_rest(self._whole(new_rest))
        # h* close to 1 turns a small move of h into a large one of p: both must stand still
        change = np.maximum(_largest(new_core - core), _largest(new_rest - rest))
        change = np.maximum(change, _largest(self.sent - sent))
        new = np.empty_like(state)
        new[parts.core], new[parts.rest] = new_core, new_rest
        still: Bools = np.asarray(change <= self.rules.tol)
        return new, still, change

    def _chain(self, core: Floats, push: Floats) -> tuple[Floats, Floats]:
        """Renew the core until it stands still under the given push from outside it; also what it passes on.

        Each column stops by itself, so that its result does not depend on which columns share its block.
        """
        parts, rules = self.parts, self.rules
        if not parts.core_core.nnz:
            new = self._capped(push)
            return new, parts.pass_core(self._whole(new))
        passed = parts.pass_core(self._whole(core))
        moving = np.ones(core.shape[1], dtype=bool)
        budget = rules.max_rounds if rules.max_rounds is not None else round_budget(parts.size)
        budget = max(budget, parts.core_size + 1)  # a chain without a cycle ends after as many steps
        for _ in range(budget):
            new = self._capped(push + rules.damping * (parts.core_core @ passed))
            sent = parts.pass_core(self._whole(new))
            change = np.maximum(_largest(new - core), _largest(sent - passed))
            core, passed = np.where(moving, new, core), np.where(moving, sent, passed)
            moving &= change > rules.tol
            if not moving.any():
                return core, passed
        raise ConvergenceError(
            f"distress among assets and protocols still moved by {change[moving].max():.1e} after {budget} rounds "
            f"within one wave (tol {rules.tol:.0e})"
        )

    def _capped(self, h: Floats) -> Floats:
        return np.minimum(h, 1.0, out=h) if self.rules.cap else h

    def _whole(self, h: Floats) -> Floats:
        """Nobody passes on more than its whole wipe-out, also where what it suffers is not capped."""
        return h if self.rules.cap else np.minimum(h, 1.0)


class _Once:
    """Original DebtRank: undistressed → distressed → inactive, every node passes its distress on once."""

    def __init__(self, parts: System, start: Floats, rules: Rules) -> None:
        self.parts, self.rules = parts, rules
        self.fresh = np.ones(start.shape, dtype=bool)  # not yet distressed before this round

    def keep(self, columns: Bools) -> None:
        """Forget the columns that have left."""
        self.fresh = self.fresh[:, columns]

    def next(self, state: Floats, origin: Floats) -> tuple[Floats, Bools, Floats]:
        distressed = self.fresh & (state > 0.0)
        sent = np.where(distressed, state, 0.0)
        new = state + self.rules.damping * (self.parts.impact @ sent)
        if self.rules.cap:
            np.minimum(new, 1.0, out=new)
        self.fresh = self.fresh & ~distressed
        # the tolerance has no say: a small change still wakes a node that has passed nothing on yet
        still: Bools = np.asarray(~distressed.any(axis=0))
        return new, still, _largest(new - state)


def _largest(change: Floats) -> Floats:
    largest: Floats = np.abs(change).max(axis=0, initial=0.0)
    return largest
