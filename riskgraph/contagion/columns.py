r"""The wipe-out of every node of a matrix graph, one by one, without walking every round of each.

The end of :math:`h(t+1) = \min(1, h(t) + \Lambda(h(t) - h(t-1)))` solves :math:`h = \min(1, h(0) + \Lambda h)`, has a
state T as floor (see ``explosive``), and above it, on the nodes that T leaves uncapped, with A = Λ cut to them,

.. math:: h = T + (1 - T_s) \frac{M e_s}{M_{ss}}, \qquad M = (I - A)^{-1}

for a source s, as long as no further node reaches its cap: s is held at 1, and all others answer to it through A.

- Where every row of Λ (of those nodes) sums to less than 1, none can, since :math:`h \le 1` gives
  :math:`\Lambda_i h < 1`. Then one solve :math:`wM` a weight and the diagonal of M serve all sources:
  :math:`\sum_i w_i (h_i - T_i) = (1 - T_s)(wM)_s/M_{ss}`. The diagonal comes from sweeps over A (see ``sweeping``) in
  tiles of eight columns, begun with :math:`A^2 e_s` and ended with row s of :math:`A^2`, so that four powers of A are
  had for four hundred products. Only the diagonal is kept. What node i suffers from the others is one more solve:
  :math:`\sum_{s \ne i} (h_i - T_i) = ((M - I)b)_i - (M_{ii} - 1)b_i` with :math:`b_s = (1 - T_s)/M_{ss}`.
- Elsewhere :math:`d_i = \min(1 - T_i, (Ad)_i)`, :math:`d_s = 1 - T_s` is solved by the same sweeps, column by column.

Every sweep works on the true equation and is followed by a bound of its error: 2e-13 of a diagonal entry, 1e-15 of the
sum of weights. Where loops lie too near to λ₁ = 1 for that, sources walk the plain rounds, and ``road`` says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints, stretches, summed
from riskgraph.contagion import tiles
from riskgraph.contagion.explosive import Floor, Plain, floors
from riskgraph.contagion.models import DEFAULTED, Transmission
from riskgraph.contagion.runs import Runs
from riskgraph.contagion.spreading import Rules
from riskgraph.contagion.sweeping import Sweeps, settled_below, squares_pay, sweeps_over
from riskgraph.contagion.tiled_rounds import dealt_out, in_threads, sources_in_tiles
from riskgraph.errors import InputError

__all__ = ["wiped_out_one_by_one"]

CHUNK = 64  # sources a thread takes at a time; fixed, so that nothing depends on the number of threads
EXACT = 2e-13  # bound of the error of a diagonal entry of M, relative to it
EXACT_SUM = 1e-15  # bound of the error of a weighted sum over a column, relative to Σ weights (or what rounding leaves)
UNEVEN = 1e-4  # least part of its largest term that a weighted sum counts as, so that defaults are exact to 1e-11 too
SWEEPS = 5_000  # sweeps that one tile may take


def wiped_out_one_by_one(
    leverage: sparse.csr_array, started: Bools, sources: Ints, weights: Floats, fell: Bools, rules: Rules
) -> Runs:
    r"""Give what each source's wipe-out does in the linear model, all sources at once.

    .. math:: R_s = \sum_i w_i (h_i(T) - h_i(0)), \quad h = \min(1, h(0) + \delta\Lambda h), \quad h_s(0) = 1

    Parameters
    ----------
    leverage : csr_array, shape (n, n)
        Λ of a graph of kindless nodes, entries ≥ 0.
    started : ndarray of bool, shape (n,)
        Nodes that start at h = 1 beside every source.
    sources : ndarray of int, shape (k,)
        Node numbers in any order.
    weights : ndarray, shape (n, w)
        Columns of weights ≥ 0, each with its own unit.
    fell : ndarray of bool, shape (n,)
        Nodes that are not to be counted as defaults.
    rules : Rules
        ``cap`` and no horizon; ``tol`` and ``max_rounds`` bind where the plain rounds are walked.

    Returns
    -------
    Runs
        The same numbers as the plain iteration run to its end, to 1e-12 where nothing saturates and to 1e-8 where
        something does.

    Raises
    ------
    InputError
        Rules that this road does not know.
    ConvergenceError
        A source that walks the plain rounds used up their budget.

    References
    ----------
    .. [1] Bardoscia, Battiston, Caccioli, Caldarelli (2015), PLoS ONE 10(6) e0130406.

    Examples
    --------
    A loses half of its capital with B, and B a quarter of its own with A, which is wiped out and stays so:

    >>> cycle = sparse.csr_array([[0.0, 0.5], [0.25, 0.0]])
    >>> nobody = np.zeros(2, dtype=bool)
    >>> found = wiped_out_one_by_one(cycle, nobody, np.array([0, 1]), np.eye(2), nobody, Rules())
    >>> found.end.round(6).tolist(), found.suffered.round(6).tolist()
    ([[0.0, 0.25], [0.5, 0.0]], [0.5, 0.25])
    """
    if not rules.cap or rules.horizon is not None:
        raise InputError(f"rules: expected cap=True and no horizon, got cap={rules.cap}, horizon={rules.horizon}")
    matrix = sparse.csr_array(leverage * rules.damping)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    asked = _Asked(matrix, started, sources, weights, fell)
    found = Runs.unmoved(len(sources), weights.shape[1], len(started))
    found.first[:] = _first_round(asked)
    said, left = [], []
    for group in floors(matrix, started, sources):
        words = group if isinstance(group, Plain) else _above(asked, group, found)
        if isinstance(words, Plain):
            left.append(words.places)
            words = f"{len(words.places):,} sources by plain rounds, since {words.why}"
        said.append(words)
    if left:
        _plain(asked, np.sort(np.concatenate(left)), replace(rules, damping=1.0), found)
    return replace(found, road="; ".join(said) or found.road)


def _first_round(asked: _Asked) -> Floats:
    """Σ weights · (h(1) − h(0)): what starts defaulted hits all, each source its own creditors on top of that."""
    matrix, started, sources, weights = asked.matrix, asked.started, asked.sources, asked.weights
    pushed = np.minimum(matrix @ started.astype(np.float64), 1.0)
    pushed[started] = 0.0
    columns = matrix.tocsc()
    entry, source = stretches(columns.indptr[sources], np.diff(columns.indptr)[sources])
    hit = columns.indices[entry]
    more = np.minimum(pushed[hit] + columns.data[entry], 1.0) - pushed[hit]
    more[started[hit] | (hit == sources[source]) | started[sources[source]]] = 0.0
    own = pushed[sources][:, None] * weights[sources]  # its own loss is the shock
    by_weight = [summed(source, more * weights[hit, c], len(sources)) for c in range(weights.shape[1])]
    first: Floats = pushed @ weights + np.stack(by_weight, axis=1) - own
    return first


@dataclass(frozen=True, eq=False)
class _Asked:
    """What was asked for: the arguments of the call, damping folded into the matrix."""

    matrix: sparse.csr_array
    started: Bools
    sources: Ints
    weights: Floats
    fell: Bools


@dataclass(frozen=True, eq=False)
class _Task:
    """Sources above one floor: their places in the results, and the uncapped nodes' own numbers and weights."""

    free: Ints  # the uncapped nodes
    places: Ints
    source: Ints  # numbers among the free nodes, ascending
    room: Floats  # 1 − T of the free nodes
    weights: Floats
    level: Floats  # what a free node must gain to count as defaulted


def _above(asked: _Asked, floor: Floor, found: Runs) -> str | Plain:
    """Fill in the results of all sources above one floor; what was done, or which of them are left."""
    said = _moved(asked, floor, found)
    done = np.setdiff1d(floor.places, said.places) if isinstance(said, Plain) else floor.places
    others = len(done) - np.bincount(asked.sources[done], minlength=len(floor.level))
    found.suffered[:] += others * (floor.level - asked.started)
    return said


def _moved(asked: _Asked, floor: Floor, found: Runs) -> str | Plain:
    """Fill in what sources do above their floor; of what nodes suffer only what goes beyond it."""
    task, free = _task(asked, floor, found), floor.free
    count, n = len(floor.places), asked.matrix.shape[0]
    above = f" above the state that {floor.explosive} explosive loop(s) end in" if floor.explosive else ""
    if not len(task.source):
        return f"{count:,} sources end in one state{above}"
    rows = asked.matrix[free] if len(free) < n else asked.matrix
    quiet = bool(rows.sum(axis=1).max(initial=0.0) < DEFAULTED)
    sweeps = sweeps_over(sparse.csr_array(rows[:, free]) if len(free) < n else rows, SWEEPS)
    if sweeps is None:
        return Plain(task.places, "sweeps over their loops, whose λ₁ is close to 1, are too slow to be bounded")
    unsettled = _by_diagonal(sweeps, task, found) if quiet else _by_column(sweeps, task, found)
    if unsettled is None or unsettled.any():
        late = task.places if unsettled is None else task.places[unsettled]
        return Plain(late, f"{SWEEPS:,} sweeps did not settle them")
    return _told(count, quiet, sweeps, int(found.rounds[task.places].max()), above)


def _task(asked: _Asked, floor: Floor, found: Runs) -> _Task:
    """Fill in what the floor alone loses, for all its sources; what is left to do for those that can still move."""
    level, free, at = floor.level, floor.free, asked.sources[floor.places]
    resting = asked.weights.T @ (level - asked.started)
    # its own loss is the shock
    own = np.where(asked.started[at], 0.0, level[at])[:, None] * asked.weights[at]
    down = (level >= DEFAULTED) & ~asked.fell
    found.end[floor.places] = resting - own
    found.defaults[floor.places] = down.sum() - down[at]
    number = np.full(len(level), -1, dtype=np.int64)
    number[free] = np.arange(len(free))
    moving = number[at] >= 0
    order = np.argsort(at[moving], kind="stable")
    return _Task(
        free=free,
        places=floor.places[moving][order],
        source=number[at[moving]][order],
        room=1.0 - level[free],
        weights=np.ascontiguousarray(asked.weights[free]),
        level=np.where(asked.fell[free] | (level[free] >= DEFAULTED), np.inf, DEFAULTED - level[free]),
    )


def _by_diagonal(sweeps: Sweeps, task: _Task, found: Runs) -> Bools | None:
    """No further node can cap: one adjoint solve a weight, and the diagonal of M; the sources that did not settle."""
    arrays, k = sweeps.arrays, len(task.source)
    passed = np.empty((k, task.weights.shape[1]))
    for column in range(task.weights.shape[1]):
        weight = np.ascontiguousarray(task.weights[:, column])
        back = settled_below(arrays.columns, np.asarray(sweeps.matrix.T @ weight), SWEEPS)
        if back is None:
            return None
        passed[:, column] = back[task.source]
    deep = squares_pay(sweeps.matrix, task.source)
    reach = sweeps.matrix @ (sweeps.matrix @ sweeps.size if deep else sweeps.size)
    share = sweeps.late if deep else sweeps.share
    excess, swept = np.zeros(k), np.zeros(k, dtype=np.int64)

    def chunk(low: int) -> None:
        part = slice(low, low + CHUNK)
        tiles.diagonals(
            *arrays.rows, *arrays.columns, deep, task.source[part], sweeps.right, share, sweeps.size, reach,
            sweeps.gain, EXACT, SWEEPS, excess[part], swept[part],
        )  # fmt: skip

    in_threads(chunk, range(0, k, CHUNK))
    beyond = _beyond(sweeps, task, excess, swept >= 0)
    if beyond is None:
        return None
    found.suffered[task.free] += beyond
    room, own = task.room[task.source][:, None], task.weights[task.source] * excess[:, None]
    found.end[task.places] += room * (passed - own) / (1.0 + excess)[:, None]
    found.rounds[task.places] = swept
    return swept < 0


def _beyond(sweeps: Sweeps, task: _Task, excess: Floats, settled: Bools) -> Floats | None:
    """Sum what nodes suffer above the floor from settled sources but themselves; ``excess`` is M_ss − 1."""
    part = np.where(settled, task.room[task.source] / (1.0 + excess), 0.0)
    pushed = sweeps.matrix @ summed(task.source, part, len(task.room))
    # (M − I)b, not Mb: what a node does to itself is not there to be taken off again, but for its loops
    suffered = settled_below(sweeps.arrays.rows, np.asarray(pushed), SWEEPS)
    return None if suffered is None else suffered - summed(task.source, part * excess, len(task.room))


def _by_column(sweeps: Sweeps, task: _Task, found: Runs) -> Bools:
    """Further nodes may cap: every source's own column; the sources that did not settle."""
    k = len(task.source)
    total = np.maximum(task.weights.sum(axis=0), np.finfo(np.float64).tiny)
    reach = float((sweeps.size @ task.weights / total).max(initial=0.0))
    reach = max(reach, UNEVEN * float(sweeps.size.max()))
    rounding = 2.0 * np.finfo(np.float64).eps * float((task.room / sweeps.size).max())
    enough = max(EXACT_SUM / max(sweeps.gain * reach, EXACT_SUM), rounding)
    gained, fallen = np.zeros((k, task.weights.shape[1])), np.zeros(k, dtype=np.int64)
    swept = np.zeros(k, dtype=np.int64)

    def hand(lows: range, suffered: Floats) -> None:
        for low in lows:
            part = slice(low, low + CHUNK)
            tiles.capped_columns(
                *sweeps.arrays.rows, *sweeps.arrays.columns, task.source[part], task.room, sweeps.right, sweeps.share,
                sweeps.size, enough, SWEEPS, task.weights, task.level,
                gained[part], fallen[part], suffered, swept[part],
            )  # fmt: skip

    found.suffered[task.free] += dealt_out(hand, range(0, k, CHUNK), len(task.room))
    found.end[task.places] += gained
    found.defaults[task.places] += fallen
    found.rounds[task.places] = swept
    return swept < 0


def _told(count: int, quiet: bool, sweeps: Sweeps, longest: int, above: str) -> str:
    how = (
        "wM and the diagonal of M = (I − Λ)⁻¹, since no row of Λ that can move sums to 1"
        if quiet
        else "column by column, since further nodes may be wiped out"
    )
    start = "the Perron part split off" if sweeps.split else "no Perron part to split off"
    return (
        f"{count:,} sources{above}: {how}; {start}, at most {longest:,} sweeps over Λ in tiles of 8 columns "
        f"(error falls by {sweeps.rate:.2g} a sweep or better)"
    )


def _plain(asked: _Asked, places: Ints, rules: Rules, found: Runs) -> None:
    """Fill in the results of some sources by plain rounds."""
    n = len(asked.started)
    passing = Transmission("linear", 0.0, np.zeros(n), np.ones(n, dtype=bool))
    at, shock = asked.sources[places], np.ones(len(places))
    run = sources_in_tiles(asked.matrix, passing, asked.started, at, shock, asked.weights, asked.fell, rules)
    found.end[places], found.first[places] = run.end, run.first
    found.suffered[:] += run.suffered
    found.defaults[places], found.rounds[places], found.converged[places] = run.defaults, run.rounds, run.converged
