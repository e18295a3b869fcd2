r"""Greatest and least clearing shares: the fictitious-default algorithm, exact and finite, both ways round.

The unknown is z, the share that a bank pays of its debts to other banks. With W (creditor rows) what is owed, a = W z
comes in. A bank with :math:`e + a \ge \bar p` pays in full, z = 1; a defaulter pays

.. math:: z = \mathrm{clip}(o + g\,a, 0, 1)

- external debts equal:  :math:`o = \alpha e/\bar p, \; g = \beta/\bar p`;
- external debts x senior:  :math:`o = (\alpha e - x)/l, \; g = \beta/l` (l its debts to banks; below 0 nothing is left
  for them);
- external debts junior:  :math:`o = \alpha e/l, \; g = \beta/l` (above 1 the other banks are paid in full).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.contagion.shares import Solved, solved

__all__ = ["TOLERANCE", "Debts", "Settled", "greatest", "least"]

TOLERANCE = 1e-12  # of debts and assets at face value: a bank that lacks less than that pays in full


@dataclass(frozen=True, eq=False)
class Debts:
    """What a clearing is computed from, USD; every array has shape (n,)."""

    claims: sparse.csr_array  # W, shape (n, n): row i is owed, column j owes
    cash: Floats  # e, external assets
    face: Floats  # what comes in if everybody pays in full
    owed: Floats  # p̄, all debts
    gain: Floats  # g, per USD; 0 where nothing is owed to banks
    offset: Floats  # o
    slack: Floats  # USD below which a bank's lack of cash is rounding
    clipped: bool  # whether the clip can bind for a bank that lacks cash: external debts senior or junior

    def lacking(self, incoming: Floats) -> Bools:
        """Banks whose cash and what comes in do not cover what they owe."""
        short: Bools = self.owed - self.cash - incoming > self.slack
        return short

    def payable(self, incoming: Floats) -> Floats:
        """Give o + g a, the share that a defaulter would pay, not yet clipped."""
        return self.offset + self.gain * incoming

    @cached_property
    def rounding(self) -> Floats:
        """Differences of a bank's share that are rounding."""
        return TOLERANCE * (1.0 + np.abs(self.offset) + self.gain * self.face)

    def solved(self, unknown: Bools, share: Floats, enough: Callable[[Floats, float], bool] | None = None) -> Solved:
        """Shares of the unknown by o + g a, the others held."""
        return solved(self.claims, self.gain, self.offset, unknown, share, enough)


@dataclass(frozen=True, eq=False)
class Settled:
    """A clearing vector: what comes in at every bank, who defaults, and in which round that was known."""

    incoming: Floats
    defaulted: Bools
    level: Ints  # greatest: round in which a defaulter fell; least: in which a payer proved good; −1 elsewhere
    rounds: int


def greatest(debts: Debts) -> Settled:
    """Let banks default round after round, down from payment in full; the set of defaulters only grows.

    In each round the defaulters' payments are solved with all others paying in full. What comes in only falls, so
    whoever lacks cash on the way down lacks it in every clearing vector. A set of defaulters that owed only itself
    would have to lack cash although all that it pays comes back to it: no round meets a singular system. A round
    ends as soon as it is certain who defaults next; the last one is carried to rounding.
    """
    n = len(debts.owed)
    defaulted, level = np.zeros(n, dtype=bool), np.full(n, -1, dtype=np.int64)
    now = Solved(np.ones(n), debts.face, 0.0)
    rounds = 0
    while True:
        fell = debts.lacking(now.incoming) & ~defaulted
        if not fell.any():
            return Settled(now.incoming, defaulted, level, rounds)
        level[fell] = rounds
        rounds += 1
        defaulted = defaulted | fell
        now = _downwards(debts, defaulted, now)


def least(debts: Debts) -> Settled:
    """Let banks prove good round after round, up from no payment at all; the set of payers in full only grows.

    Each round takes the least payments of all others as defaulters. Whoever then has enough (exactly enough counts)
    pays in full in every clearing vector; where nobody is added the payments are a clearing vector, hence the least.
    Plain iteration from zero would stop short of it at a bank that comes to have exactly what it owes.
    """
    level = np.full(len(debts.owed), -1, dtype=np.int64)
    good = debts.owed - debts.cash <= debts.slack
    level[good] = 0
    rounds = 0
    while True:
        now = _least_of(debts, ~good, np.ones(len(good)))
        proved = ~debts.lacking(now.incoming) & ~good
        if not proved.any():
            return Settled(now.incoming, ~good, level, rounds)
        rounds += 1
        level[proved] = rounds
        good = good | proved


def _downwards(debts: Debts, defaulted: Bools, before: Solved) -> Solved:
    """One round of ``greatest``, from the shares of the round before, which are too large."""
    share = np.where(defaulted, np.clip(debts.payable(before.incoming), 0.0, before.share), 1.0)
    if not debts.clipped:

        def who_falls_is_certain(incoming: Floats, error: float) -> bool:
            short = (debts.owed - debts.cash - incoming)[~defaulted]
            doubt = (error * incoming + debts.slack)[~defaulted]
            return bool((short > doubt).any() and (np.abs(short) > doubt).all())

        return debts.solved(defaulted, share, who_falls_is_certain)
    if not (debts.offset[defaulted] < 0.0).any():
        return _capped(debts, defaulted, share)
    return _least_of(debts, defaulted, share)  # each round's shares are unique, so its least are its greatest


def _least_of(debts: Debts, defaulted: Bools, upper: Floats) -> Solved:
    """Least shares with z = clip(o + g a, 0, 1) for the defaulters and 1 for the others, all at most ``upper``.

    Up from nothing: only banks that cash reaches are opened. A set of banks that owed only itself opens with more cash
    than it must pay out (never as much, or one of them would still be closed), so that one of them reaches its cap.
    """
    if not (debts.offset[defaulted] < 0.0).any():
        opened = _reached(debts, defaulted)
        return _capped(debts, opened, np.where(opened, upper, ~defaulted))
    opened = np.zeros_like(defaulted)
    share = np.where(defaulted, 0.0, 1.0)
    now = Solved(share, debts.claims @ share, 0.0)
    while True:
        more = _lifted(debts, defaulted, opened, now)
        if not more.any():
            return now
        now = _capped(debts, opened | more, np.where(opened | more, upper, share))
        opened = opened | more


def _reached(debts: Debts, defaulted: Bools) -> Bools:
    """Defaulters that have cash or are owed, at any remove, by somebody who pays: the others pay exactly nothing."""
    opened = np.zeros_like(defaulted)
    while True:
        paying = (~defaulted | opened).astype(np.float64)
        more = defaulted & ~opened & (debts.payable(debts.claims @ paying) > 0.0)
        if not more.any():
            return opened
        opened |= more


def _lifted(debts: Debts, defaulted: Bools, opened: Bools, now: Solved) -> Bools:
    """Find closed defaulters whom plain rounds of payment up from these shares leave something, until none is new."""
    found = np.zeros_like(defaulted)
    incoming = now.incoming
    while True:
        payable = debts.payable(incoming)
        more = defaulted & ~opened & ~found & (payable > debts.rounding)
        if not more.any():
            return found
        found |= more
        share = np.where(defaulted, np.clip(payable, 0.0, 1.0), 1.0)
        incoming = debts.claims @ share


def _capped(debts: Debts, opened: Bools, upper: Floats) -> Solved:
    """Shares z = min(o + g a, 1) of the opened, the others held, down from shares that are too large.

    Whoever falls below 1 is cut loose from the cap for good, round after round: a fictitious default once more.
    """
    cut = np.zeros_like(opened)
    now = Solved(upper, debts.claims @ upper, 0.0)

    def who_is_cut_is_certain(incoming: Floats, error: float) -> bool:
        below = (1.0 - debts.payable(incoming))[opened & ~cut]
        doubt = (error * debts.gain * incoming + debts.rounding)[opened & ~cut]
        return bool((below > doubt).any() and (np.abs(below) > doubt).all())

    while True:
        payable = debts.payable(now.incoming)
        more = opened & ~cut & (1.0 - payable > debts.rounding)
        if not more.any():
            return now
        cut = cut | more
        now = debts.solved(cut, np.where(cut, np.maximum(payable, 0.0), now.share), who_is_cut_is_certain)
