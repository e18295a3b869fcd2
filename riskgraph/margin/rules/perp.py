"""Perpetuals: an order for a part, then for all; a backstop that takes all; an insurance fund; auto-deleveraging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from riskgraph.arrays import Bools, Ints
from riskgraph.errors import InputError
from riskgraph.margin.rounding import Amounts
from riskgraph.margin.rules.position_rule import Order, PositionRule, refuse_unmargined
from riskgraph.margin.terms import Terms
from riskgraph.snapshot.requirements import unrealised_pnl

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.ledger import Request
    from riskgraph.margin.position_ledger import PositionLedger
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Perp", "adl_order"]

_ROUNDING = 1e-9  # share of what an account holds by which float64 may err on its value


class Perp(PositionRule):
    r"""Liquidation of margin accounts with longs and shorts, as Hyperliquid does it; every number is a parameter.

    Liquidatable while :math:`\text{equity} < MM`, cross (no bucket) and isolated (a bucket) alike. One call does what
    the account's state asks for:

    1. ``backstop``, where :math:`\text{equity} < \text{backstop_share} \cdot MM`: the account with the protocol's own
       label takes all positions, at the mark, and all margin. With a ``backstop_share`` of 0 there is none.
    2. Otherwise an order for one position, the one named by ``collateral_asset`` or else the largest by notional (ties
       by label, then long before short): ``partial`` closes ``partial_share`` of it where its notional is above
       ``partial_above_usd`` and no ``partial_orders`` were sent before; else ``full`` closes all of it. The fund,
       ``reserve_usd``, gets ``liquidation_fee`` of what is closed, at most the account's equity.
    3. ``insurance``, where the account is worth less than nothing: all positions are closed and all margin is taken;
       the fund pays the shortfall.
    4. ``adl``, where the fund does not suffice: positions on the opposite side, in the order of ``adl_rank``, are
       closed at bankruptcy prices until the size is matched (:func:`riskgraph.margin.deleveraging.deleverage`). What
       they do not pay is ``deficit_usd``.

    Time does not pass between calls: a second call on an account that got a partial order falls in its cooldown.

    References
    ----------
    .. [1] Hyperliquid documentation, "Liquidations", "Margin tiers", "Auto-deleveraging".
    .. [2] Binance support, FAQ 360033525471 (ADL rank); OKX help, ADL; dYdX v4-chain, ``liquidations.go`` (a fee that
       leaves no account below zero, bankruptcy prices by maintenance requirement).
    """

    name: ClassVar[str] = "perp"
    beyond_fund: ClassVar[str] = "adl"
    takes: ClassVar[tuple[str, ...]] = ("long", "short")

    def touched(self, snap: Snapshot, protocol: int, wanted: Ints) -> Ints:
        """Give the accounts called, the backstop's, and the counterparties of those worth less than nothing."""
        book = snap.book
        own = snap.labels("account").index(str(snap.labels("protocol")[protocol])).as_py()
        backstop = np.flatnonzero((book.margin_protocol == protocol) & (book.margin_account == own))
        return np.unique(np.concatenate([wanted, backstop, _opposite(snap, protocol, wanted)]))

    def margin_rates(self, ledger: PositionLedger) -> tuple[Amounts, Amounts]:
        """Rates and deductions of ``tiers``, else the rate of ``markets.maintenance_margin``."""
        from riskgraph.margin.ladders import deductions_of, tier_grid
        from riskgraph.snapshot.options import option_rows

        grid = tier_grid(ledger.snap, ledger.terms.protocol)
        options = np.append(option_rows(ledger.snap), False)[ledger.row]
        refuse_unmargined(ledger, ledger.traded & (np.isnan(grid[0][ledger.asset, 0]) | options))
        used, place = np.unique(np.where(ledger.traded, ledger.asset, -1), return_inverse=True)
        tiers = (np.where(used[:, None] >= 0, part[used], np.nan) for part in grid)
        rates, deductions = deductions_of(*(ledger.numbers(part.ravel()).reshape(part.shape) for part in tiers))
        return rates[place], deductions[place]

    def order(self, ledger: PositionLedger, request: Request, liquidatable: Bools) -> Order:
        """Close one position or a part of it, or leave everything to the backstop; note whose cooldown begins."""
        margin = request.margin
        equity, required = ledger.equity(margin), ledger.maintenance(margin)
        share, above, part = (ledger.numbers(np.array([ledger.terms.number(name)])) for name in
                              ("backstop_share", "partial_above_usd", "partial_share"))  # fmt: skip
        taken_over = liquidatable & np.asarray((equity < share * required) & (share > 0), dtype=np.bool_)
        taken_over &= margin != ledger.backstop  # it cannot take over from itself
        row = ledger.position_of(margin, request.collateral_asset)
        ordered = liquidatable & ~taken_over & (row >= 0)
        partial = ordered & np.asarray(ledger.notional(row) > above, dtype=np.bool_)
        partial = _first_partial(ledger, margin, partial)
        units = np.where(partial, ledger.amount[row] * part, ledger.amount[row])
        every = ledger.open_rows(margin[taken_over])
        stage = np.select([taken_over, partial, ordered], ["backstop", "partial", "full"], "")
        rows, closed = np.append(every, row[ordered]), np.append(ledger.amount[every], units[ordered])
        return Order(rows, closed, stage.astype(object))

    def deleverage(self, ledger: PositionLedger, rows: Ints, usd: Any) -> tuple[Any, Any]:
        """Close against the opposite side in the order of ``adl_rank``."""
        from riskgraph.margin.deleveraging import deleverage

        return deleverage(ledger, rows, usd, ledger.terms.word("adl_rank"))


def _first_partial(ledger: PositionLedger, margin: Ints, large: Bools) -> Bools:
    """Which orders are partial: the first large one of each owner who is in no cooldown yet; note that he is then."""
    owner = ledger.place(margin)["account"]
    sent = ledger.terms.of_margins("partial_orders", ledger.margins[margin])
    since = [of for _, name, of in ledger.changed if name == "partial_orders"]
    partial = np.zeros(len(margin), dtype=np.bool_)
    free = np.flatnonzero(large & ~(sent > 0.0) & ~np.isin(owner, since))
    partial[free[np.unique(owner[free].astype(str), return_index=True)[1]]] = True
    for name in owner[partial]:
        ledger.change("accounts", "partial_orders", 1, of=name)
    return partial


def _opposite(snap: Snapshot, protocol: int, wanted: Ints) -> Ints:
    """Accounts with positions opposite to those of the wanted accounts that may be worth less than nothing."""
    book = snap.book
    pnl = unrealised_pnl(snap)
    called = np.isin(book.margin, wanted)
    usd = np.where(book.rows("collateral"), book.usd, np.where(book.rows("debt"), -book.usd, pnl))
    worth = book.by_margin(usd, called)
    held = book.by_margin(book.usd + np.abs(pnl), called)
    fund = np.nan_to_num(Terms(snap, protocol, Perp.name).given("reserve_usd"))
    if np.maximum(-worth, 0.0).sum() + _ROUNDING * held.sum() < fund:
        return np.zeros(0, dtype=np.int64)  # the fund pays, and nobody is deleveraged
    lost = called & (worth < _ROUNDING * held)[book.margin] & book.rows("long", "short")
    longs, shorts = (np.unique(book.asset[lost & book.rows(side)]) for side in ("long", "short"))
    facing = (book.rows("short") & np.isin(book.asset, longs)) | (book.rows("long") & np.isin(book.asset, shorts))
    found: Ints = book.margin[facing & (book.protocol == protocol)]
    return found


def adl_order(snap: Snapshot, protocol: str, asset: str, side: str) -> pd.DataFrame:
    """Give the order in which auto-deleveraging would close positions in an asset on a side.

    Parameters
    ----------
    snap : Snapshot
    protocol : str
        One with rule ``perp``; its ``adl_rank`` says how positions are ranked.
    asset : str
    side : {"long", "short"}
        The side that is closed out: opposite to the account that is worth less than nothing.

    Returns
    -------
    DataFrame
        A row a position, the first to be closed first: account, bucket, amount (units), notional_usd, entry_price (the
        mark where none is known), pnl_usd, account_value_usd, leverage (notional ÷ account value) and score.

    Raises
    ------
    InputError
        Protocol, asset or side is unknown, or the protocol has another rule.

    References
    ----------
    .. [1] Hyperliquid documentation, "Auto-deleveraging".

    Examples
    --------
    A mark of 100. Ann entered at 80 and has 10 USD of margin: 100/80 · 100/(10 + 20) = 4.1667. Bob entered at 50 and
    has 100 USD: 100/50 · 100/(100 + 50) = 1.3333.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann", "bob", "bob"], "protocol": "perps", "asset": ["BTC", "USDC"] * 2,
    ...         "side": ["long", "collateral"] * 2, "amount": [1.0, 10.0, 1.0, 100.0],
    ...         "entry_price": [80.0, None, 50.0, None]}),
    ...     assets=pd.DataFrame({"asset": ["BTC", "USDC"], "price": [100.0, 1.0]}),
    ...     markets=pd.DataFrame({"protocol": ["perps"], "asset": ["BTC"], "maintenance_margin": [0.05]}))
    >>> adl_order(snap, "perps", "BTC", "long")[["account", "leverage", "score"]].round(4).to_dict("records")
    [{'account': 'ann', 'leverage': 3.3333, 'score': 4.1667}, {'account': 'bob', 'leverage': 0.6667, 'score': 1.3333}]
    """
    import pandas as pd

    from riskgraph.margin.deleveraging import counterparties
    from riskgraph.margin.rounding import plain
    from riskgraph.snapshot.schema import SIDES

    if side not in Perp.takes:
        raise InputError(f"side: expected one of {', '.join(Perp.takes)}, got {side!r}")
    codes = [int(snap.labels(name).index(label).as_py()) for name, label in (("protocol", protocol), ("asset", asset))]
    for name, label, code in zip(("protocol", "asset"), (protocol, asset), codes, strict=True):
        if code < 0:
            raise InputError(f"{name}: expected one of the snapshot, got {label!r}")
    if snap.venues.rule[codes[0]] != Perp.name:
        raise InputError(f"protocol: expected one with rule perp, got {protocol!r} ({snap.venues.rule[codes[0]]})")
    book = snap.book
    held = (book.protocol == codes[0]) & (book.asset == codes[1]) & book.rows(side)
    ledger = Perp().open_ledger(snap, codes[0], np.unique(book.margin[held]))
    at, score = counterparties(ledger, codes[1], SIDES.index(side), ledger.terms.word("adl_rank"))
    place = ledger.place(ledger.margin[at.rows])
    numbers = {
        "amount": at.amount,
        "notional_usd": at.notional,
        "entry_price": at.entry,
        "pnl_usd": at.gain * at.amount,
        "account_value_usd": at.value,
        "leverage": at.notional / at.value,
        "score": score,
    }
    columns = {name: plain(values) for name, values in numbers.items()}
    return pd.DataFrame({"account": place["account"], "bucket": place["bucket"], **columns})
