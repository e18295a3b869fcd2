"""Liquidation cascades: margin calls, liquidations, forced sales, and prices that carry them on (METHODS 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats
from riskgraph.errors import InputError
from riskgraph.margin.call_desk import CallDesk
from riskgraph.margin.calling_terms import call_terms
from riskgraph.margin.cascade_book import CascadeBook
from riskgraph.margin.cascade_markets import Markets
from riskgraph.margin.cascade_notes import notes_of
from riskgraph.margin.cascade_results import Cascade
from riskgraph.margin.cascade_round import Terms
from riskgraph.margin.cascade_run import CascadeRun
from riskgraph.margin.cascade_slots import with_call_slots
from riskgraph.margin.price_curves import curves_of
from riskgraph.margin.venue_slots import with_claim_slots, with_position_slots
from riskgraph.provenance import Provenance
from riskgraph.snapshot.shocks import price_moves
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["liquidation_cascade"]

MOST_ROUNDS = 10_000


def liquidation_cascade(
    snap: Snapshot,
    shock: Mapping[str, float],
    *,
    calls: bool = True,
    call_sharing: str | Sequence[str] = "pro_rata",
    topup: str | None = None,
    closeout: bool = False,
    liquidators: str = "profitable",
    follow: str = "backing",
    correlation: pd.DataFrame | None = None,
    cross_impact: pd.DataFrame | None = None,
    buy_impact: bool = False,
    recovery: float = 0.0,
    dust_usd: float = 1.0,
    round_seconds: float = 600.0,
    tol: float = 1e-9,
    max_rounds: int | None = None,
) -> Cascade:
    r"""Play what happens when prices fall: margin calls, liquidations, forced sales, and the prices that they make.

    A round: oracles show market prices, late or rounded to moves above a deviation; accounts below a call level are
    called and pay from wallets and from what their owners have free elsewhere; whoever the rule's own test finds
    liquidatable is called at these prices, again and again, until it is healthy or nothing is left; every market clears
    once, at one average price for all who sell in it; who closes without collateral leaves a loss for reserve, lenders
    or deficit; sales move prices for the next round,

    .. math:: p = p_{base}\, g\Big(\frac{q_{total}\, p_0}{D}\Big)

    and what a token backs moves with it. It ends with the round that brings nothing, when every oracle shows its last
    price and no grace period or auction is open.

    Parameters
    ----------
    snap : Snapshot
        The book. ``liquidity`` gives markets their depth (none: prices do not move), ``protocols`` call levels, grace,
        oracles and reserves, wallets are rows without a protocol.
    shock : mapping of asset to float
        Relative moves above -1, -0.3 is a fall of 30 %.
    calls : bool
        Whether margin calls are made, where a protocol has a ``call_level``.
    call_sharing : "pro_rata" or sequence of str
        How calls share a wallet: in proportion to what each needs, or in the order of these protocols.
    topup : {"first", "never"}, optional
        Whether calls without grace are paid before liquidation; by default as ``protocols.topup`` says.
    closeout : bool
        Whether accounts that are called and do not pay in time are closed out, up to their call level, although they
        are not liquidatable. Compound v3, Maker and Liquity take accounts by their own test alone.
    liquidators : {"profitable", "always"}
        Whether a call is made only where its bonus, after fees, covers what the sale loses on the way.
    follow : {"backing", "family", "none", "correlation"}
        Who moves with the named assets (:meth:`Snapshot.with_shock`); ``correlation`` then gives correlations by asset.
    cross_impact : DataFrame, optional
        κ by asset: how much sales of the column move the price of the row, in units of its own; 1 on the diagonal.
    buy_impact : bool
        Whether what liquidators repay is bought in its market and moves its price.
    recovery : float
        Share of the impact that wears off before the next round, 0 to 1.
    dust_usd : float
        Debts below are taken in full, parts of calls below are not made.
    round_seconds : float
        How long a round lasts, for auctions.
    tol : float
        Largest relative move of a price that counts as none.
    max_rounds : int, optional
        Rounds after which the cascade is given up, 10,000 by default.

    Returns
    -------
    Cascade
        Prices, rounds, calls, liquidations, losses, accounts and triggers; amounts are not rounded to the tokens'
        decimals.

    Raises
    ------
    InputError
        An asset is unknown, a move is at or below -1, an argument or a term that a rule needs is missing or wrong.
    ConvergenceError
        ``max_rounds`` ran out while something still happened.

    References
    ----------
    .. [1] Cont, Schaanning (2017), Fire sales, indirect contagion and systemic stress testing, Norges Bank WP 2/2017.
    .. [2] Perez, Werner, Xu, Livshits (2021), Liquidations: DeFi on a knife-edge, Financial Cryptography.

    Examples
    --------
    100 ETH at 1 against a debt of 78, threshold 0.85, bonus 5 %, half may be repaid, a linear market of depth 1,000. A
    fall of 10 % leaves 76.5 against 78: 39 are repaid for 39 · 1.05 / 0.9 = 45.5 ETH, sold at 0.879525 on average.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann"], "protocol": ["lend", "lend"], "asset": ["ETH", "USDC"],
    ...         "side": ["collateral", "debt"], "amount": [100.0, 78.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1.0, 1.0]}),
    ...     markets=pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.85],
    ...                           "liquidation_bonus": [0.05]}),
    ...     liquidity=pd.DataFrame({"asset": ["ETH"], "model": ["linear"], "depth_usd": [1000.0]}))
    >>> fall = rg.liquidation_cascade(snap, {"ETH": -0.1})
    >>> fall.prices["ETH"].round(5).tolist()
    [1.0, 0.9, 0.85905]
    >>> fall.bearers["change_usd"].round(7).to_dict()["liquidators"], round(fall.amplification, 8)
    (1.0183875, 1.31633875)
    """
    check_snapshot(snap)
    moves = price_moves(snap, shock, follow, correlation=correlation)
    terms = _terms(liquidators, closeout, dust_usd, tol, round_seconds, max_rounds)
    if not 0.0 <= recovery <= 1.0:
        raise InputError(f"recovery: expected a share from 0 to 1, got {recovery!r}")
    rules = call_terms(snap, call_sharing, topup) if calls else None
    slotted = with_claim_slots(with_position_slots(snap))
    slotted = slotted if rules is None else with_call_slots(slotted, rules.level, rules.accepts)
    book = CascadeBook(slotted)
    asks = rules is not None and not np.isnan(rules.level).all()
    desk = CallDesk(book, rules, closeout=closeout) if rules is not None and asks else None
    markets = Markets(
        book,
        moves,
        curves_of(snap),
        buy_impact=buy_impact,
        recovery=recovery,
        cross_impact=_cross_impact(snap, cross_impact),
    )
    run = CascadeRun(book, markets, terms, desk)
    run.play()
    arguments: dict[str, Any] = {
        "shock": dict(shock), "calls": calls, "call_sharing": call_sharing, "topup": topup, "closeout": closeout,
        "liquidators": liquidators, "follow": follow, "correlation": correlation is not None,
        "cross_impact": cross_impact is not None, "buy_impact": buy_impact, "recovery": recovery, "dust_usd": dust_usd,
        "round_seconds": round_seconds, "tol": tol, "max_rounds": max_rounds,
    }  # fmt: skip
    told = {name: value for name, value in arguments.items() if name == "shock" or value != _DEFAULTS.get(name)}
    return Cascade(run, notes_of(run), Provenance("liquidation_cascade", snap.digest, told))


_DEFAULTS: dict[str, Any] = {
    "calls": True, "call_sharing": "pro_rata", "topup": None, "closeout": False, "liquidators": "profitable",
    "follow": "backing", "correlation": False, "cross_impact": False, "buy_impact": False, "recovery": 0.0,
    "dust_usd": 1.0, "round_seconds": 600.0, "tol": 1e-9, "max_rounds": None,
}  # fmt: skip


def _terms(
    liquidators: str, closeout: bool, dust_usd: float, tol: float, round_seconds: float, max_rounds: int | None
) -> Terms:
    if liquidators not in ("profitable", "always"):
        raise InputError(f"liquidators: expected 'profitable' or 'always', got {liquidators!r}")
    for name, value, low in (("dust_usd", dust_usd, 0.0), ("tol", tol, 0.0), ("round_seconds", round_seconds, 0.0)):
        if not (np.isfinite(value) and value >= low):
            raise InputError(f"{name}: expected a finite number of at least {low:g}, got {value!r}")
    if max_rounds is not None and max_rounds < 1:
        raise InputError(f"max_rounds: expected at least 1, got {max_rounds!r}")
    return Terms(liquidators == "profitable", closeout, dust_usd, tol, round_seconds, max_rounds or MOST_ROUNDS)


def _cross_impact(snap: Snapshot, given: pd.DataFrame | None) -> Floats | None:
    """Matrix κ of assets, in the order of labels; 1 on the diagonal, 0 where nothing is given."""
    if given is None:
        return None
    names = snap.labels("asset").to_pylist()
    unknown = [str(name) for name in (*given.index, *given.columns) if name not in names]
    if unknown:
        raise InputError(f"cross_impact: expected assets of the snapshot, got {', '.join(unknown[:5])}")
    whole = given.reindex(index=names, columns=names).fillna(0.0).to_numpy(dtype=np.float64, copy=True)
    np.fill_diagonal(whole, 1.0)
    if not (np.isfinite(whole).all() and (whole >= 0.0).all()):
        raise InputError("cross_impact: expected numbers of at least 0, got others")
    return whole
