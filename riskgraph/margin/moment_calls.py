"""The margin calls of one moment, and who pays them: every wallet's competition in full (METHODS 5.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools
from riskgraph.margin.account_health import MarginAccounts, check_told, formed, liquidatable
from riskgraph.margin.call_desk import CallDesk
from riskgraph.margin.calling_terms import CallTerms, call_terms
from riskgraph.margin.cascade_book import CascadeBook
from riskgraph.margin.cascade_slots import with_call_slots
from riskgraph.margin.moment_frames import Moment
from riskgraph.margin.moment_results import MarginCalls
from riskgraph.margin.recovery import due_in_recovery
from riskgraph.provenance import Provenance
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["margin_calls"]


def margin_calls(
    snap: Snapshot,
    shock: Mapping[str, float] | None = None,
    *,
    call_sharing: str | Sequence[str] = "pro_rata",
    follow: str = "backing",
    correlation: pd.DataFrame | None = None,
    topup: str | None = None,
) -> MarginCalls:
    r"""Make the margin calls of one moment, and let every owner pay them from one wallet.

    .. math:: s = T \cdot D - W, \qquad n_m = \frac{s_m}{\lambda_m}, \qquad
              \text{paid}_m = n_m \min\Big(1, \frac{\text{wallet}}{\sum_m n_m}\Big)

    with debt D, weighted collateral W and target health T; a dollar cures λ = T where it repays debt, else the token's
    liquidation threshold at the protocol that calls. The owner's wallet pays first, token after token; then what the
    owner's margin accounts without a call have beyond their own target. Longs, shorts and portfolios lack
    s = T · maintenance − equity, and λ = 1 − haircut. *Every* margin account below its protocol's call level is called,
    those too that may be liquidated at once: it is the moment before anybody comes.

    Parameters
    ----------
    snap : Snapshot
        Calls are made where ``protocols.call_level`` is given (health); they ask for ``protocols.target_health``, where
        that is given.
    shock : mapping of asset to float, optional
        Price moves first (above -1; -0.3 is a fall of 30 %). Every oracle has shown them when calls are made: lags and
        deviations belong to :func:`riskgraph.liquidation_cascade`.
    call_sharing : "pro_rata" or sequence of protocols
        How a wallet is shared by its calls: in proportion to what they need, or each in full, in this order (protocols
        not named come after, by label).
    follow : {"backing", "family", "none", "correlation"}
        Who else a shock moves (see :meth:`Snapshot.with_shock`).
    correlation : DataFrame, optional
        For ``follow="correlation"``.
    topup : {"first", "never"}, optional
        With ``"never"`` an account that its rule may liquidate, and to which its protocol gives no grace, is not asked:
        it has its row, is paid nothing, and its outcome is ``liquidatable``. Otherwise all are asked.

    Returns
    -------
    MarginCalls
        ``.to_frame()`` a row a call, ``.payments``, ``.wallets``, ``.tokens`` (what every token in a called owner's
        wallet was used for, or why it was not), ``.donors``.

    Raises
    ------
    InputError
        The shock, ``call_sharing``, ``follow`` or ``topup`` is not as said; a target health is below its call level or
        stands without one; health cannot be told.

    Examples
    --------
    150 of debt against 180 at a threshold of 0.8: weighted 144. Health 1.1 asks for 1.1 · 150 − 144 = 21, or
    21/1.1 = 19.0909 of repayment. The wallet has 12 USDC.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann"] * 3, "protocol": ["lend", "lend", ""], "asset": ["ETH", "USDC", "USDC"],
    ...         "side": ["collateral", "debt", "wallet"], "amount": [0.1, 150.0, 12.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1800.0, 1.0]}),
    ...     protocols=pd.DataFrame({"protocol": ["lend"], "kind": ["lending"], "call_level": [1.1]}),
    ...     markets=pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.8]}))
    >>> margin_calls(snap).to_frame()[["account", "required_usd", "paid_usd", "unmet_usd"]].round(4).to_dict("records")
    [{'account': 'ann', 'required_usd': 19.0909, 'paid_usd': 12.0, 'unmet_usd': 7.0909}]
    """
    check_snapshot(snap)
    moved = snap if shock is None else snap.with_shock(shock, follow, correlation=correlation)
    terms = call_terms(moved, call_sharing, topup)
    moment = _moment(moved, terms, everybody=topup != "never")
    arguments: dict[str, Any] = {
        "shock": None if shock is None else dict(shock),
        "call_sharing": call_sharing if isinstance(call_sharing, str) else list(call_sharing),
        "follow": follow,
        "topup": topup,
    }
    return MarginCalls(moment, tuple(moved.assumptions), Provenance("margin_calls", snap.digest, arguments))


def _moment(snap: Snapshot, terms: CallTerms, everybody: bool) -> Moment:
    """Make the calls, have them paid, and form health again."""
    book = CascadeBook(with_call_slots(snap, terms.level, terms.accepts))
    before, below = _looked_at(book)
    check_told(book.snap, before)
    desk = CallDesk(book, replace(terms, first=np.full(len(terms.first), everybody)))
    made = desk.make(0, before, below)
    held = book.amount.copy()
    if made.paid is not None:
        book.add(*made.paid.movements)
    after, still = _looked_at(book)
    unasked = np.setdiff1d(desk.below(before), made.calls.margin)
    return Moment(book, desk, made, before, after, still & (after.collateral > 0.0), held, unasked)


def _looked_at(book: CascadeBook) -> tuple[MarginAccounts, Bools]:
    """Form health as the book stands; say of whom the rule's own test holds."""
    view = book.view()
    margins = formed(view)
    due = np.zeros(len(margins.health), dtype=np.bool_)
    due[margins.low[liquidatable(view, margins)]] = True
    due[due_in_recovery(view, margins.collateral, margins.debt)] = True
    return margins, due
