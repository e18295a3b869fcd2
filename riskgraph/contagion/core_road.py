r"""Linear contagion of every source of a book, with the accounts taken out of the system beforehand.

Accounts touch one another through the core alone, so that with B (accounts × core), C (core × accounts) and D (core ×
core) the core answers a push r by :math:`x = (I - D - CB)^{-1} r` as long as nobody is capped. The end of linear
DebtRank solves :math:`h = \min(1, h(0) + \Lambda h)`, and that has one solution that is 0 off what the source reaches:
the map is increasing and concave, so that for two solutions :math:`g \le h` and the largest t with :math:`g \ge th`,
t < 1 would give :math:`g \ge th + (1-t)\min(1, h(0))`, and the gain would walk on to every node reached. Any way there
serves, if what it ends in solves the equation.

- Floor: what starts defaulted, and every strongly connected component with λ₁ ≥ 1 that a source reaches, drive the
  book up to a state T by themselves; T is found from above by Newton steps, each a pass over the accounts.
- Above T the answer is linear until a further node is capped: :math:`x = N C_i (1 - T_i)/(1 + B_i N C_i)` for account i
  and :math:`N = (I - D - C_U B_U)^{-1}` of the accounts U that T leaves uncapped. Whether anybody is capped is looked
  up, exactly, among the accounts that the largest move of a core node that they hold could carry so far.
- Sources that do cap somebody are solved by Newton steps from above, on the core.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.compiled import LANES, Runs, by_lane, near_accounts, plain, sum_of
from riskgraph.contagion.core_arrays import Answers, Desk, desk
from riskgraph.contagion.core_kernel import answer_each, slopes
from riskgraph.contagion.models import DEFAULTED
from riskgraph.contagion.perron import cyclic_classes
from riskgraph.contagion.spreading import System
from riskgraph.contagion.wave_arrays import Csr, Near

__all__ = ["CORE", "at_the_core"]

CORE = 600  # largest core that is solved densely, source by source where somebody is capped
GROUPS = 8  # sources that reach different explosive components have different floors; so many are worth their passes
CRITICAL = 1e-6  # a component whose λ₁ is this near to 1 is left to the waves
STEPS = 200  # Newton steps in which a floor must be found


@dataclass(frozen=True, eq=False)
class _Parts:
    """The book as it is needed here: damping folded in, what starts defaulted pulled no further."""

    chain: Floats  # (m, m) D
    pull: sparse.csr_array  # accounts × core
    push: sparse.csr_array  # accounts × core
    pull_rows: Csr
    push_rows: Csr
    started: Bools
    started_core: Bools

    @classmethod
    def of(cls, parts: System, damping: float, started: Bools) -> _Parts:
        accounts = started[parts.rest]
        pull = sparse.csr_array(sparse.diags_array(np.where(accounts, 0.0, damping)) @ parts.rest_core)
        pull.eliminate_zeros()
        push = sparse.csr_array((parts.core_rest * damping).T)
        chain = (parts.core_core * damping).toarray()
        return cls(chain, pull, push, plain(pull), plain(push), accounts, started[parts.core])


@dataclass(frozen=True, eq=False)
class _Floor:
    """A state that stands still: core distress, and whom it caps."""

    core: Floats
    held: Bools  # core nodes at 1
    capped: Bools  # accounts at 1
    system: Floats  # I − K at T, identity in the rows of capped core nodes


def at_the_core(
    parts: System, started: Bools, sources: Ints, shock: Floats, weights: Floats, fell: Bools, damping: float
) -> Runs | str:
    """Give what every source does to a book in the linear model.

    Parameters
    ----------
    started : ndarray of bool, shape (n,)
        Nodes that start at h = 1 beside every source; none of them is a source.
    sources, shock : ndarray, shape (k,)
        Node numbers, and their distress at the start: 1 for accounts.
    weights : ndarray, shape (n, w)
    fell : ndarray of bool, shape (n,)
        Nodes that are not to be counted as defaults.

    Returns
    -------
    Runs or str
        Results as by waves, 0 rounds each since none are walked; or why this road cannot be taken here.
    """
    book, k = _Parts.of(parts, damping, started), len(sources)
    in_core = np.zeros(len(started), dtype=bool)
    in_core[parts.core] = True
    number = np.where(in_core, np.cumsum(in_core) - 1, np.cumsum(~in_core) - 1)[sources]
    core_sources = in_core[sources]
    reached = _reached(book)
    if isinstance(reached, str):
        return reached
    kinds = _kinds(book, reached, number, core_sources)
    found = np.unique(kinds)
    if len(found) > GROUPS:
        return f"sources reach {len(found)} different sets of components with λ₁ of at least 1"
    end, first, defaults = np.zeros((k, weights.shape[1])), np.zeros((k, weights.shape[1])), np.zeros(k, dtype=np.int64)
    summed = np.zeros(len(started))
    sums = _Sums.of(parts, book, weights, fell)
    for kind in found:
        at = np.flatnonzero(kinds == kind)
        floor = _floor(book, reached, int(kind))
        if floor is None:
            return "the state that the book is driven to was not found"
        answers = None
        for hears, result in ((True, end), (False, first)):
            answers = sums.answers(floor if hears else _first(book), hears, answers)
            ok = _answer(answers, number[at], core_sources[at], shock[at], result, at, defaults, summed, parts, started)
            if not ok:
                return "the capped nodes of a source were not found"
    explosive = len(reached.members)
    words = "solved on the core of assets and protocols, accounts taken out beforehand"
    if explosive:
        words += f", above the state to which {explosive} component{'s' * (explosive > 1)} with λ₁ ≥ 1 drive the book"
    return Runs(end, first, defaults, np.zeros(k, dtype=np.int64), np.ones(k, dtype=bool), summed, words)


# -- who reaches what explodes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Reached:
    """Core nodes of the components with λ₁ ≥ 1, and which of them each core node reaches (a bit each)."""

    gain: Floats  # (m, m) D + C B
    members: tuple[Ints, ...]
    bits: Ints  # (m,)


def _reached(book: _Parts) -> _Reached | str:
    gain = book.chain + (book.push.T @ book.pull).toarray()
    links = sparse.csr_array(gain)
    members = []
    for nodes in cyclic_classes(links).nodes:
        root = np.abs(np.linalg.eigvals(gain[np.ix_(nodes, nodes)])).max()
        if abs(root - 1.0) < CRITICAL:
            return f"a component has λ₁ = {root:.9g}, too near to 1"
        if root > 1.0:
            members.append(nodes)
    if len(members) > 62:
        return f"{len(members)} components have λ₁ of at least 1"
    bits = np.zeros(len(gain), dtype=np.int64)
    for place, nodes in enumerate(members):
        seen = np.zeros(len(gain), dtype=bool)
        seen[nodes] = True
        bits[_spread(links, seen, forward=False)] |= 1 << place
    return _Reached(gain, tuple(members), bits)


def _spread(links: sparse.csr_array, seen: Bools, *, forward: bool) -> Bools:
    """Add every core node that the seen ones drive (or, backward, that drives them); ``links[a, b]``: b drives a."""
    step = links if forward else links.T.tocsr()
    while True:
        more: Bools = seen | ((step @ seen.astype(np.float64)) > 0.0)
        if (more == seen).all():
            return seen
        seen = more


def _kinds(book: _Parts, reached: _Reached, number: Ints, in_core: Bools) -> Ints:
    """Which explosive components each source reaches: accounts by the core nodes that they push."""
    by_account = np.zeros(book.push.shape[0], dtype=np.int64)
    for place in range(len(reached.members)):
        touched = (book.push @ ((reached.bits >> place) & 1).astype(np.float64)) > 0.0
        by_account |= touched.astype(np.int64) << place
    kinds = np.zeros(len(number), dtype=np.int64)
    kinds[in_core] = reached.bits[number[in_core]]
    kinds[~in_core] = by_account[number[~in_core]]
    return kinds


# -- the floor --------------------------------------------------------------------------------------------------------


def _floor(book: _Parts, reached: _Reached, kind: int) -> _Floor | None:
    """Find T from above: cap what asks for more than 1, solve the rest, until the same nodes are capped."""
    m = len(book.chain)
    seen = book.started_core | ((book.push.T @ book.started.astype(np.float64)) > 0.0)
    for place, nodes in enumerate(reached.members):
        if kind >> place & 1:
            seen[nodes] = True
    seen = _spread(sparse.csr_array(reached.gain), seen, forward=True)
    away = np.zeros(m, dtype=bool)  # explosive but out of reach: taken out, since they can make the system singular
    for place, nodes in enumerate(reached.members):
        away[nodes] = not kind >> place & 1
    core, before = seen.astype(np.float64), (-1, -1)
    capped = np.zeros(len(book.started), dtype=bool)
    for _ in range(STEPS):
        matrix, constant = book.chain.copy(), book.started_core.astype(np.float64)
        count = slopes(book.pull_rows, book.push_rows, book.started, core, matrix, constant, capped)
        held = seen & (constant + matrix @ core >= 1.0)
        system = _held(np.eye(m) - matrix, held | (away & ~seen))
        if (count, int(held.sum())) == before:
            return _Floor(core, held, capped, system)
        before = (count, int(held.sum()))
        core = np.where(held, 1.0, np.linalg.solve(system, np.where(held, 1.0, np.where(seen, constant, 0.0))))
        core[~seen] = 0.0
    return None


def _held(system: Floats, held: Bools) -> Floats:
    """Replace the equations of held nodes: they move no more."""
    system[held] = 0.0
    system[held, held] = 1.0
    return system


def _first(book: _Parts) -> _Floor:
    """Give the state after one wave of what starts defaulted: the core to the end of its chain, then accounts."""
    push = book.started_core + book.push.T @ book.started.astype(np.float64)
    core = _spread(sparse.csr_array(book.chain), push > 0.0, forward=True).astype(np.float64)
    before = -1
    while True:
        held: Bools = (core > 0.0) & (push + book.chain @ core >= 1.0)
        system = _held(np.eye(len(push)) - book.chain, held)
        if int(held.sum()) == before:
            return _Floor(core, held, book.started | (book.pull @ core >= 1.0), system)
        before = int(held.sum())
        core = np.where(held, 1.0, np.linalg.solve(system, np.where(held, 1.0, push)))


# -- the answers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Sums:
    """What is summed over nodes, cut into core and accounts."""

    book: _Parts
    inner: Floats
    outer: Floats
    fell_core: Bools
    fell: Bools
    total: Floats

    @classmethod
    def of(cls, parts: System, book: _Parts, weights: Floats, fell: Bools) -> _Sums:
        inner, outer = np.ascontiguousarray(weights[parts.core]), np.ascontiguousarray(weights[parts.rest])
        total = np.asarray(book.pull.sum(axis=1), dtype=np.float64).ravel()
        return cls(book, inner, outer, fell[parts.core], fell[parts.rest], total)

    def answers(self, floor: _Floor, hears: bool, like: Answers | None) -> Answers:
        """Lay out for the kernel how the book moves above a floor; lists as in ``like`` where room is the same."""
        book, held = self.book, floor.held
        level = np.where(floor.capped, 1.0, book.pull @ floor.core)
        room, room_core = 1.0 - level, np.where(held, 0.0, 1.0 - floor.core)
        inverse = np.ascontiguousarray(np.linalg.inv(floor.system).T)
        inverse[held] = 0.0
        uncapped = np.where(floor.capped, 0.0, 1.0)[:, None]
        moving = (self.total > 0.0) & ~floor.capped
        # drawn a little low, so that rounding in a row sum hides nobody
        reach = np.maximum(room - (1.0 - DEFAULTED), 0.0) / np.where(moving, self.total, 1.0) * (1.0 - 1e-9)
        near = like.near if like and (like.room == room).all() else near_accounts(book.pull, reach, moving)
        linear = np.where(held[:, None], 0.0, self.inner) + book.pull.T @ (self.outer * uncapped)
        fallen = ((level >= DEFAULTED) & ~self.fell).sum() + ((floor.core >= DEFAULTED) & ~self.fell_core).sum()
        return Answers(
            pull=book.pull_rows,
            push=book.push_rows,
            system=floor.system,
            inverse=inverse,
            room=room,
            room_core=room_core,
            near=like.near if like and (like.room == room).all() else near_accounts(book.pull, reach, moving),
            linear=np.ascontiguousarray(
                np.where(held[:, None], 0.0, self.inner) + book.pull.T @ (self.outer * uncapped)
            ),
            outer=self.outer,
            inner=self.inner,
            floor=self.inner.T @ (floor.core - book.started_core) + self.outer.T @ (level - book.started),
            fallen=int(fallen),
            fell=self.fell,
            fell_core=self.fell_core,
            hears=hears,
            gains=inverse @ linear,
            strain=_strain(inverse, near, room_core),
        )


def _strain(inverse: Floats, near: Near, room_core: Floats) -> Floats:
    """Bound, for a push of 1 to each core node, of the share of anybody's room that it takes."""
    first = np.full(len(room_core), np.inf)  # least move of each core node at which somebody may be capped
    some = near.ptr[1:] > near.ptr[:-1]
    first[some] = near.level[near.ptr[:-1][some]]
    first = np.where(room_core > 0.0, np.minimum(first, room_core - (1.0 - DEFAULTED)), np.inf)
    share = np.full_like(inverse, np.inf)
    np.divide(inverse, first, out=share, where=np.broadcast_to(first > 0.0, inverse.shape))
    share[inverse <= 0.0] = 0.0
    bound: Floats = share.max(axis=1, initial=0.0) * (1.0 + 1e-9)
    return bound


def _answer(
    answers: Answers, number: Ints, in_core: Bools, shock: Floats, result: Floats, at: Ints, defaults: Ints,
    summed: Floats, parts: System, started: Bools,
) -> bool:  # fmt: skip
    """Answer a group of sources on all cores, lane by lane; add up what its nodes suffer where accounts are heard."""

    def lane(part: slice) -> tuple[Floats, Ints, Desk]:
        ends, fallen = np.zeros((len(number[part]), result.shape[1])), np.zeros(len(number[part]), dtype=np.int64)
        scratch = desk(len(answers.room_core), len(answers.room))
        answer_each(answers, scratch, number[part], in_core[part], shock[part], ends, fallen)
        return ends, fallen, scratch

    done = by_lane(lane, len(number))
    for first, (ends, fallen, _) in enumerate(done):
        if (fallen < 0).any():
            return False
        result[at[first::LANES]] = ends
        if answers.hears:
            defaults[at[first::LANES]] = fallen
    if answers.hears:
        beyond = _suffered(answers, [scratch for _, _, scratch in done], number, in_core)
        summed[parts.core] += beyond[0]
        summed[parts.rest] += beyond[1]
        summed[started] = 0.0
    return True


def _suffered(answers: Answers, scratches: list[Desk], number: Ints, in_core: Bools) -> tuple[Floats, Floats]:
    """Sum the distress of core nodes and accounts over the sources that are not the node itself."""
    inner, outer = answers.room_core, answers.room
    moves, own = sum_of((s.moves for s in scratches), inner), sum_of((s.own for s in scratches), inner)
    moves = moves + answers.inverse.T @ sum_of((s.pushed for s in scratches), inner)
    missed = sum_of((s.missed for s in scratches), outer)
    shape = len(outer), len(inner)
    pull = sparse.csr_array((answers.pull.val, answers.pull.idx, answers.pull.ptr), shape=shape)
    heard = np.asarray(pull @ moves, dtype=np.float64)
    often_core = len(number) - np.bincount(number[in_core], minlength=len(moves))
    often = len(number) - np.bincount(number[~in_core], minlength=len(answers.room))
    core = often_core * (1.0 - answers.room_core) + moves - own
    rest = often * (1.0 - answers.room) + np.where(outer > 0.0, heard, 0.0) - missed
    return core, rest
