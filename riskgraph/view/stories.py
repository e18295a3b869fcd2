"""What a map plays: the rounds of a cascade, or falls of one asset, as states of nodes and figures frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import InputError
from riskgraph.view.style import money, moved, moves_told

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.cascade_results import Cascade
    from riskgraph.view.what_if import WhatIf

__all__ = ["STATES", "Story", "cascade_story", "what_if_stories"]

# Of an asset by its fall, of an account by what was done to it, of a protocol by who bears its losses.
STATES = ("unchanged", "under strain", "hit", "ruined")
STRAIN, HIT, RUINED = 1, 2, 3
FALLS = (0.01, 0.10, 0.50)  # from which an asset is in each of the three
BEARERS = {"lenders": RUINED, "outside": RUINED}  # whose loss ruins a protocol; any other is a hit
PRICES = 3  # of assets that stand among the figures
MARGIN = ("account", "protocol", "bucket")  # what names a margin account
LIQUIDATED = "Margin accounts liquidated"


@dataclass(frozen=True, eq=False)
class Story:
    """Frames, and the nodes that change their state from one on.

    Attributes
    ----------
    kind, name : str
        ``cascade`` or ``what-if``, and what a reader chooses it by.
    frames : tuple of (str, tuple of (str, str))
        Label of each frame and its figures, written for people.
    node, frame, state : ndarray of int, shape (n_events,)
        Node (as the map numbers them) that is in a state from a frame on; sorted by frame, then node.
    why : tuple of tuples
        Of a cascade, one a node: node, round, asset (node), fall, cause, seller (node); -1 where there is none.
    """

    kind: str
    name: str
    frames: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    node: Ints
    frame: Ints
    state: Ints
    why: tuple[tuple[int, int, int, float, str, int], ...] = ()


def cascade_story(cascade: Cascade, places: Mapping[str, int]) -> Story:
    """Tell a cascade: before, after the shock, and after each round with sales, calls or payments.

    Accounts are under strain from their first margin call on, hit once something of theirs is seized, ruined where
    their debt is more than was left; protocols are under strain when somebody is liquidated there, hit where a reserve
    or an own deficit bears a loss, ruined where lenders do. Neither is ever better again; assets are, when their prices
    come back.
    """
    prices = cascade.prices
    start = prices.iloc[0]
    falls = 1.0 - prices.div(start.where(start > 0.0), axis=1).fillna(1.0)
    accounts, losses = _plain(cascade.accounts), _plain(cascade.losses)
    done = _plain(cascade.liquidations[["round", *MARGIN]])
    last = len(prices) - 1
    ended = done.groupby(list(MARGIN))["round"].max()
    bad = accounts[accounts["bad_debt_usd"] > 0.0].set_index(list(MARGIN))
    at_end = ended.reindex(bad.index).fillna(last - 2).astype(int) + 2
    called = _plain(cascade.calls[["round", "account"]]) if len(cascade.calls) else done.iloc[:0][["round", "account"]]
    hit = done[["round", "account", "protocol"]].drop_duplicates()
    borne = [BEARERS.get(str(bearer), HIT) for bearer in losses["bearer"]]
    by_protocol = at_end.groupby("protocol").max() if len(at_end) else at_end
    when = [int(by_protocol.get(name, last)) for name in losses["protocol"]]
    events = [
        *(("account:" + who, int(t) + 2, STRAIN) for t, who in called.itertuples(index=False)),
        *(("account:" + who, int(t) + 2, HIT) for t, who, _ in hit.itertuples(index=False)),
        *(("protocol:" + p, int(t) + 2, STRAIN) for t, _, p in hit.itertuples(index=False)),
        *((f"account:{pair[0]}", int(t), RUINED) for pair, t in zip(at_end.index.tolist(), at_end, strict=True)),
        *(("protocol:" + p, int(t), state) for p, t, state in zip(losses["protocol"], when, borne, strict=True)),
    ]
    node, frame, state = _sorted([*_asset_events(falls), *_never_better(events)], places)
    first = done.groupby(list(MARGIN))["round"].min().to_numpy(np.int64)
    figures = _cascade_figures(
        cascade, falls, first, np.array(at_end, dtype=np.int64), bad["bad_debt_usd"].to_numpy(np.float64)
    )
    names = ["before", "after the shock", *(f"after round {t}" for t in range(last - 1))]
    told = cascade.provenance.arguments.get("shock")
    moves = moves_told(told) if isinstance(told, Mapping) else str(told)
    frames = tuple(zip(names, figures, strict=True))
    return Story("cascade", f"Cascade: {moves}", frames, node, frame, state, _why(cascade.triggers, places))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({name: object for name in frame.columns if frame[name].dtype == "category"})


def _never_better(events: Iterable[tuple[str, int, int]]) -> Iterable[tuple[str, int, int]]:
    """Only the events that make a node worse than it was, in the order of frames."""
    worst: dict[str, int] = {}
    for label, frame, state in sorted(events, key=lambda event: event[1:]):
        if state > worst.get(label, 0):
            worst[label] = state
            yield label, frame, state


def _asset_events(falls: pd.DataFrame) -> Iterable[tuple[str, int, int]]:
    for asset in falls.columns:
        states = np.searchsorted(FALLS, falls[asset].to_numpy(dtype=np.float64) + 1e-12, side="right")
        for at in np.flatnonzero(np.diff(states, prepend=0)):
            yield f"asset:{asset}", int(at), int(states[at])


def _sorted(events: Sequence[tuple[str, int, int]], places: Mapping[str, int]) -> tuple[Ints, Ints, Ints]:
    """Events of nodes on the map, by frame and node; of several in one frame the last one holds, else the worst."""
    known = sorted((frame, places[label], state) for label, frame, state in events if label in places)
    table = np.array(known, dtype=np.int64).reshape(-1, 3)
    return table[:, 1], table[:, 0], table[:, 2]


def _cascade_figures(
    cascade: Cascade, falls: pd.DataFrame, first: Ints, ruined: Ints, bad_debt: Floats
) -> list[tuple[tuple[str, str], ...]]:
    """Tell prices of the hardest hit, what the book is worth less, who was liquidated, what is not repaid."""
    rounds, prices = cascade.rounds, cascade.prices
    book = cascade.run.book.snap.book
    sign = np.where(book.rows("debt", "short"), -1.0, 1.0)
    units = np.bincount(book.asset, weights=sign * book.usd, minlength=prices.shape[1])
    hardest = falls.max().sort_values(ascending=False, kind="stable").head(PRICES)
    worst = [name for name, fall in hardest.items() if fall > 0.0]
    repaid = dict(zip(rounds["round"], rounds["repaid_usd"], strict=True)) if len(rounds) else {}
    figures, sum_repaid = [], 0.0
    for at in range(len(prices)):
        sum_repaid += float(repaid.get(at - 2, 0.0))
        figures.append(
            (
                ("Book worth less by", money(float(units @ falls.iloc[at].to_numpy(dtype=np.float64)))),
                (LIQUIDATED, f"{int((first + 2 <= at).sum()):,}"),
                ("Repaid", money(sum_repaid)),
                ("Bad debt", money(float(bad_debt[ruined <= at].sum()))),
                *((f"Price of {name}", _price(prices[name].iloc[at], falls[name].iloc[at])) for name in worst),
            )
        )
    return figures


def _price(price: float, fall: float) -> str:
    return f"{money(price)} ({moved(-fall, 1)})" if fall else money(price)


def _why(triggers: pd.DataFrame, places: Mapping[str, int]) -> tuple[tuple[int, int, int, float, str, int], ...]:
    """Give the first trigger of every account that is on the map."""
    told = _plain(triggers).drop_duplicates("account")
    rows = []
    for row in told.itertuples():
        who = places.get(f"account:{row.account}", -1)
        if who >= 0:
            asset, seller = places.get(f"asset:{row.asset}", -1), places.get(f"account:{row.seller}", -1)
            fall = float(f"{row.fall:.6g}")
            rows.append((who, int(str(row.round)), asset, fall, str(row.cause), seller))
    return tuple(sorted(rows))


def what_if_stories(grid: WhatIf, places: Mapping[str, int]) -> list[Story]:
    """Tell a grid of falls: one story an asset, one frame a fall, each the end of its own cascade."""
    stories = []
    for asset, cascades in grid.cascades.items():
        events: list[tuple[str, int, int]] = []
        figures = []
        for at, (fall, cascade) in enumerate(zip(grid.falls, cascades, strict=True)):
            states, told = _end(cascade) if cascade is not None else ({}, _nothing())
            figures.append((f"{asset} {moved(-fall)}" if fall else f"{asset} as it is", told))
            before = {label: state for label, frame, state in events}
            changed = sorted(set(states) | {name for name, state in before.items() if state})
            events += [
                (label, at, states.get(label, 0)) for label in changed if states.get(label, 0) != before.get(label, 0)
            ]
        node, frame, state = _sorted(events, places)
        stories.append(Story("what-if", f"What if {asset} falls", tuple(figures), node, frame, state))
    _check_given(grid, stories)
    return stories


def _check_given(grid: WhatIf, stories: list[Story]) -> None:
    if not stories or not grid.falls:
        raise InputError("what_if: expected at least one asset and one fall, got none")


def _nothing() -> tuple[tuple[str, str], ...]:
    return (("Loss", "$0"), (LIQUIDATED, "0"), ("Bad debt", "$0"))


def _end(cascade: Cascade) -> tuple[dict[str, int], tuple[tuple[str, str], ...]]:
    """States of nodes at the end of a cascade, and its figures."""
    prices, accounts, losses = cascade.prices, _plain(cascade.accounts), _plain(cascade.losses)
    start = prices.iloc[0]
    falls = (1.0 - prices.iloc[-1].div(start.where(start > 0.0))).fillna(0.0)
    states = {
        f"asset:{asset}": int(np.searchsorted(FALLS, fall + 1e-12, side="right"))
        for asset, fall in falls.items()
        if fall >= FALLS[0]
    }
    hit = accounts[(accounts["seized_usd"] > 0.0) | (accounts["bad_debt_usd"] > 0.0)]
    reached = [
        *(
            (f"account:{who}", RUINED if bad > 0.0 else HIT)
            for who, bad in zip(hit["account"], hit["bad_debt_usd"], strict=True)
        ),
        *((f"protocol:{name}", STRAIN) for name in hit["protocol"]),
        *(
            (f"protocol:{name}", BEARERS.get(str(who), HIT))
            for name, who in zip(losses["protocol"], losses["bearer"], strict=True)
        ),
    ]
    for label, state in reached:
        states[label] = max(states.get(label, 0), state)
    worst = str(falls.idxmax())
    figures = (
        ("Loss", money(cascade.loss_usd)),
        (LIQUIDATED, f"{int((accounts['seized_usd'] > 0.0).sum()):,}"),
        ("Bad debt", money(cascade.bad_debt_usd)),
        (f"Price of {worst}", _price(float(prices[worst].iloc[-1]), float(falls[worst]))),
    )
    return states, figures
