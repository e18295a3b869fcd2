"""What a cascade assumed beyond what the snapshot says, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Ints, rising, stretches, summed
from riskgraph.margin.cascade_book import WALLET
from riskgraph.margin.rules.position_rule import PositionRule
from riskgraph.margin.rules.rule import PairRule
from riskgraph.margin.rules.shelf import rule_named

if TYPE_CHECKING:
    from riskgraph.margin.cascade_run import CascadeRun

__all__ = ["notes_of"]


def notes_of(run: CascadeRun) -> tuple[str, ...]:
    """Say what was assumed, a sentence each, only where it mattered."""
    lines = [
        *_without_depth(run),
        *_beyond_tables(run),
        *_supply_assumed(run),
        *_not_accepted(run),
        *_unrounded(run),
        *_not_closed_out(run),
        *run.notes,
    ]
    return tuple(lines)


def _names(run: CascadeRun, domain: str, codes: Iterable[int]) -> str:
    labels = run.book.snap.labels(domain)
    names = [labels[int(code)].as_py() for code in codes]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _without_depth(run: CascadeRun) -> list[str]:
    """Assets that were sold although nobody says how deep their market is."""
    sold = run.book.market * run.book.start_price
    flat = np.flatnonzero((sold > 0.0) & ~np.isfinite(run.markets.curves.depth))
    if not len(flat):
        return []
    return [
        f"liquidity: infinite depth (no price impact) for {_names(run, 'asset', flat)}; ${sold[flat].sum():,.0f} of "
        "them were sold, at snapshot prices"
    ]


def _beyond_tables(run: CascadeRun) -> list[str]:
    far = np.flatnonzero(run.markets.curves.extrapolated(run.markets.most))
    if not len(far):
        return []
    return [
        f"liquidity: more was sold than was ever measured for {_names(run, 'asset', far)}; the price goes on falling "
        "as between the last two points (extrapolated)"
    ]


def _supply_assumed(run: CascadeRun) -> list[str]:
    """Reserves that wrote lenders down although nobody says how much all lenders own."""
    pairs = run.losses.assumed
    if not len(pairs):
        return []
    where = np.unique(run.book.rows.pair_protocol[pairs])
    return [
        "protocols.supply_usd: losses were spread over the larger of claims and debts in the snapshot, where no supply "
        f"is published or several assets are lent, at {_names(run, 'protocol', where)}"
    ]


def _not_accepted(run: CascadeRun) -> list[str]:
    """Tokens in wallets of called owners that none of the protocols that called them takes."""
    desk, rows = run.desk, run.book.rows
    if desk is None:
        return []
    margins = _called(run)
    if not len(margins):
        return []
    owner, venue = rows.margin_account[margins], rows.margin_protocol[margins]
    wallet = np.flatnonzero((rows.side == WALLET) & np.isin(rows.account, owner) & (rows.amount > 0.0))
    taken = _takes(run, owner, venue, wallet)
    left = wallet[~taken]
    if not len(left):
        return []
    usd = summed(rows.asset[left], rows.amount[left] * run.book.start_price[rows.asset[left]], run.book.shape[1])
    tokens = np.flatnonzero(usd > 0.0)
    return [
        f"positions.side wallet: no protocol that called takes {_names(run, 'asset', tokens)} "
        f"(${usd.sum():,.0f} in wallets of called owners)"
    ]


def _not_closed_out(run: CascadeRun) -> list[str]:
    """Protocols that called somebody, and whose rule takes accounts by its own test alone."""
    if not run.terms.closeout:
        return []
    rules, reached = run.book.snap.venues.rule, (PairRule, PositionRule)
    called = np.unique(run.book.rows.margin_protocol[_called(run)]).tolist()
    own = [protocol for protocol in called if not isinstance(rule_named(rules[protocol]), reached)]
    if not own:
        return []
    return [
        f"closeout: does not reach {_names(run, 'protocol', own)}, whose rule takes accounts by its own test alone; "
        "who is called there, expired and not liquidatable stays restricted"
    ]


def _called(run: CascadeRun) -> Ints:
    parts = [done.calls.calls.margin for done in run.rounds if done.calls is not None]
    return rising(np.concatenate([np.zeros(0, dtype=np.int64), *parts]))


def _takes(run: CascadeRun, owner: Ints, venue: Ints, wallet: Ints) -> np.ndarray:
    """Whether some protocol that called its owner takes the token of each wallet row, as repayment or collateral."""
    assert run.desk is not None
    rows, accepts = run.book.rows, run.desk.terms.accepts > 0.0
    owed = np.zeros(run.book.shape, dtype=np.bool_)
    debts = rows.rows("debt")
    owed[rows.protocol[debts], rows.asset[debts]] = True
    order = np.argsort(owner, kind="stable")
    first, last = (np.searchsorted(owner[order], rows.account[wallet], side=side) for side in ("left", "right"))
    at, which = stretches(first, last - first)
    at = order[at]
    fine = (accepts | owed)[venue[at], rows.asset[wallet[which]]]
    return np.asarray(np.bincount(which[fine], minlength=len(wallet)) > 0)


def _unrounded(run: CascadeRun) -> list[str]:
    if not np.isfinite(run.book.snap.table("assets").number("decimals")).any() or not run.played:
        return []
    return ["assets.decimals: not used, amounts in a cascade are not rounded to the tokens' smallest units"]
