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

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.compiled import LANES, by_lane, near_accounts, sum_of
from riskgraph.contagion.core_arrays import Answers, Desk, desk
from riskgraph.contagion.core_floor import CoreBook, Floor, first_wave, floor_of, kinds_of, reached_of
from riskgraph.contagion.core_kernel import answer_each
from riskgraph.contagion.models import DEFAULTED
from riskgraph.contagion.runs import Runs
from riskgraph.contagion.spreading import System
from riskgraph.contagion.wave_arrays import Near

__all__ = ["CORE", "at_the_core"]

CORE = 600  # largest core that is solved densely, source by source where somebody is capped
GROUPS = 8  # sources that reach different explosive components have different floors; so many are worth their passes


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
    book = CoreBook.of(parts, damping, started)
    reached = reached_of(book)
    if isinstance(reached, str):
        return reached
    asked = _Asked.of(parts, sources, shock)
    kinds = kinds_of(book, reached, asked.number, asked.in_core)
    found = np.unique(kinds)
    if len(found) > GROUPS:
        return f"sources reach {len(found)} different sets of components with λ₁ of at least 1"
    runs = replace(Runs.unmoved(len(sources), weights.shape[1], parts.size), road=_words(len(reached.members)))
    sums = _Sums.of(parts, book, weights, fell)
    for kind in found:
        at = np.flatnonzero(kinds == kind)
        floor = floor_of(book, reached, int(kind))
        if floor is None:
            return "the state that the book is driven to was not found"
        above, group = sums.answers(floor, True, None), asked.only(at)
        whole = _answer(above, group)
        wave = _answer(sums.answers(first_wave(book), False, above), group)
        if whole is None or wave is None:
            return "the capped nodes of a source were not found"
        runs.end[at], runs.defaults[at], runs.first[at] = whole.end, whole.fallen, wave.end
        core, rest = _suffered(above, whole.desks, group)
        runs.suffered[parts.core] += core
        runs.suffered[parts.rest] += rest
    runs.suffered[started] = 0.0
    return runs


@dataclass(frozen=True, eq=False)
class _Asked:
    """Sources by their number among the core nodes or among the accounts."""

    number: Ints
    in_core: Bools
    shock: Floats

    @classmethod
    def of(cls, parts: System, sources: Ints, shock: Floats) -> _Asked:
        core = np.zeros(parts.size, dtype=bool)
        core[parts.core] = True
        number = np.where(core, np.cumsum(core) - 1, np.cumsum(~core) - 1)
        return cls(number[sources], core[sources], shock)

    def only(self, at: Ints) -> _Asked:
        return _Asked(self.number[at], self.in_core[at], self.shock[at])


def _words(explosive: int) -> str:
    words = "solved on the core of assets and protocols, accounts taken out beforehand"
    if not explosive:
        return words
    return f"{words}, above the state to which {explosive} component{'s' * (explosive > 1)} with λ₁ ≥ 1 drive the book"


# -- the answers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Sums:
    """What is summed over nodes, cut into core and accounts."""

    book: CoreBook
    inner: Floats
    outer: Floats
    fell_core: Bools
    fell: Bools
    total: Floats

    @classmethod
    def of(cls, parts: System, book: CoreBook, weights: Floats, fell: Bools) -> _Sums:
        inner, outer = np.ascontiguousarray(weights[parts.core]), np.ascontiguousarray(weights[parts.rest])
        total = np.asarray(book.pull.sum(axis=1), dtype=np.float64).ravel()
        return cls(book, inner, outer, fell[parts.core], fell[parts.rest], total)

    def answers(self, floor: Floor, hears: bool, like: Answers | None) -> Answers:
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
            near=near,
            linear=np.ascontiguousarray(linear),
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


@dataclass(frozen=True, eq=False)
class _Answered:
    """What a group of sources does: weighted sums, defaults, and what the lanes have added up."""

    end: Floats
    fallen: Ints
    desks: list[Desk]


def _answer(answers: Answers, asked: _Asked) -> _Answered | None:
    """Answer a group of sources on all cores, lane by lane; None where the capped nodes of one were not found."""
    k, width = len(asked.number), answers.inner.shape[1]

    def lane(part: slice) -> _Answered:
        number = asked.number[part]
        end, fallen = np.zeros((len(number), width)), np.zeros(len(number), dtype=np.int64)
        scratch = desk(len(answers.room_core), len(answers.room))
        answer_each(answers, scratch, number, asked.in_core[part], asked.shock[part], end, fallen)
        return _Answered(end, fallen, [scratch])

    end, fallen, desks = np.zeros((k, width)), np.zeros(k, dtype=np.int64), []
    for first, done in enumerate(by_lane(lane, k)):
        if (done.fallen < 0).any():
            return None
        end[first::LANES], fallen[first::LANES] = done.end, done.fallen
        desks += done.desks
    return _Answered(end, fallen, desks)


def _suffered(answers: Answers, desks: list[Desk], asked: _Asked) -> tuple[Floats, Floats]:
    """Sum the distress of core nodes and accounts over the sources that are not the node itself."""
    inner, outer = answers.room_core, answers.room
    moves, own = sum_of((one.moves for one in desks), inner), sum_of((one.own for one in desks), inner)
    moves = moves + answers.inverse.T @ sum_of((one.pushed for one in desks), inner)
    missed = sum_of((one.missed for one in desks), outer)
    shape = len(outer), len(inner)
    pull = sparse.csr_array((answers.pull.val, answers.pull.idx, answers.pull.ptr), shape=shape)
    heard = np.asarray(pull @ moves, dtype=np.float64)
    number, in_core, k = asked.number, asked.in_core, len(asked.number)
    often_core = k - np.bincount(number[in_core], minlength=len(inner))
    often = k - np.bincount(number[~in_core], minlength=len(outer))
    core = often_core * (1.0 - inner) + moves - own
    rest = often * (1.0 - outer) + np.where(outer > 0.0, heard, 0.0) - missed
    return core, rest
