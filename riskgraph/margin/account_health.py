"""Health of every margin account: one number, with 1 the liquidation point (METHODS 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, Places, read_only
from riskgraph.errors import Faults
from riskgraph.margin.close_calls import BAND, cancelling, settle
from riskgraph.margin.derivatives import DerivativeMargins, derivative_margins
from riskgraph.margin.recovery import due_in_recovery
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.margin.standings import MET, Standing
from riskgraph.margin.sums import Sums, sums_of
from riskgraph.snapshot.frames import protocol_terms
from riskgraph.snapshot.requirements import note_unmargined
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = [
    "STATUSES",
    "MarginAccounts",
    "at_equality",
    "call_levels",
    "check_told",
    "formed",
    "health",
    "liquidatable",
    "margin_accounts",
    "margin_names",
    "status_codes",
]

STATUSES = ("insolvent", "liquidatable", "called", "healthy")


@dataclass(frozen=True, eq=False)
class MarginAccounts:
    """Collateral, debt and health of every margin account, arrays of shape (n_margins,), USD.

    ``weighted`` is Σ value · threshold (NaN where a threshold is missing on collateral), ``burden`` Σ debt ÷ borrow
    factor. Every comparison of ``health`` with 1 or a call level is exact. ``low`` numbers the accounts that may be
    below one of these levels, or whose health cannot be told (NaN); ``short`` says of each of those whether it is worth
    less than it owes.
    """

    collateral: Floats
    weighted: Floats
    debt: Floats
    burden: Floats
    health: Floats
    low: Ints
    short: Bools
    derivatives: DerivativeMargins | None

    @property
    def looked_at(self) -> None:
        """All are formed anew."""

    @property
    def resting_usd(self) -> float:
        """Nobody who is below rests."""
        return 0.0

    def below(self, level: Floats) -> Ints:
        """Margin accounts whose health is below ``level`` (by margin account) by more than rounding."""
        return self.low[self.health[self.low] < level[self.low] * (1.0 - MET)]

    def still_below(self, margins: Ints, level: Floats) -> Bools:
        """Which of some of them are."""
        return np.asarray(self.health[margins] < level[margins] * (1.0 - MET))

    def standing(self, margins: Ints) -> Standing:
        """Give sums and health of some of them."""
        every = (self.collateral, self.weighted, self.debt, self.burden, self.health)
        return Standing(*(values[margins] for values in every))


def margin_accounts(snap: Snapshot) -> MarginAccounts:
    """Sum rows over margin accounts and form health; nothing is refused here (NaN where it cannot be told)."""
    margins = formed(snap)
    for array in (margins.collateral, margins.weighted, margins.debt, margins.burden, margins.health):
        read_only(array)
    return margins


def at_equality(rule: str) -> bool:
    """Whether a rule liquidates at a health of 1 already; every other rule does below 1."""
    return rule_named(rule).at_equality


def liquidatable(snap: Snapshot, margins: MarginAccounts) -> Bools:
    """Which of the margin accounts ``margins.low`` their rule's own test finds liquidatable."""
    value = margins.health[margins.low]
    early = np.array([at_equality(rule) for rule in protocol_terms(snap)[1]], dtype=bool)
    found: Bools = (value < 1.0) | ((value == 1.0) & early[snap.book.margin_protocol[margins.low]])
    return found


def formed(snap: Snapshot) -> MarginAccounts:
    """Form :func:`margin_accounts` in arrays that nobody else holds."""
    book, level = snap.book, call_levels(snap)
    enough = float(np.nanmax(np.append(level, 1.0))) * (1.0 + BAND)
    value = np.empty(len(book.margin_account))
    low_of_run: dict[int, Ints] = {}

    def step(at: slice, sums: Sums) -> None:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            here = np.where(sums.debt > 0.0, sums.weighted / sums.burden, np.inf)
        value[at] = here
        low_of_run[at.start] = at.start + np.flatnonzero(~(here >= enough))

    sums = sums_of(book, step)
    low = np.concatenate([np.zeros(0, dtype=np.int64), *(low_of_run[start] for start in sorted(low_of_run))])
    derivatives = derivative_margins(snap, sums.collateral, sums.debt) if book.trades.any() else None
    odd = cancelling(book, derivatives)
    if odd is not None:
        low = np.union1d(low, np.flatnonzero(odd))
    short = sums.collateral[low] < sums.debt[low]
    if derivatives is not None:
        traded = derivatives.positions > 0
        value[traded] = _traded_health(derivatives)[traded]
        short = np.where(traded[low], derivatives.equity[low] < 0.0, short)
    settle(snap, sums, derivatives, level, value, low, short)
    return MarginAccounts(sums.collateral, sums.weighted, sums.debt, sums.burden, value, low, short, derivatives)


def _traded_health(derivatives: DerivativeMargins) -> Floats:
    equity, required = derivatives.equity, derivatives.maintenance
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(required > 0.0, equity / required, np.where(equity < 0.0, -np.inf, np.inf))


def call_levels(snap: Snapshot) -> Floats:
    """Health below which each protocol makes a margin call, NaN where it makes none."""
    level = np.full(len(snap.labels("protocol")), np.nan)
    protocols = snap.table("protocols")
    level[protocols.code("protocol")] = protocols.number("call_level")
    return level


def health(snap: Snapshot) -> pd.DataFrame:
    r"""Health of every margin account (account × protocol, or × bucket where isolated).

    .. math:: HF = \frac{\sum_c V_c \, LT_c}{\sum D} \quad\text{(lending, CDP)}, \qquad
              \frac{\text{equity}}{\text{maintenance margin}} \quad\text{(perpetuals)}

    An account's own threshold, where given, counts for all its collateral; an e-mode category goes before the market.
    Where a CDP gives a liquidation ratio, LT is 1 ÷ it; where a market gives a borrow factor, its debt counts as
    D ÷ factor. No debt and no position: +inf. Collateral without value and debt above 0: 0.

    Whether health is below, at or above 1 or a call level is decided exactly, on the decimals that were written: 3
    tokens at 0.1 against a debt of 0.3 have a health of 1, whatever rounding makes of it.

    Parameters
    ----------
    snap : Snapshot
        Needs a liquidation threshold for all collateral that stands against debt.

    Returns
    -------
    DataFrame
        A row a margin account: account, protocol, bucket, collateral_usd, debt_usd, health, status: ``insolvent``
        (health below 1 and collateral worth less than the debt), ``liquidatable`` (by the rule's own test), ``called``
        (below the protocol's call level), ``healthy``.

    Raises
    ------
    InputError
        A threshold or a maintenance margin is missing (names protocol and asset); nobody guesses them.

    References
    ----------
    .. [1] Aave protocol, ``GenericLogic.calculateUserAccountData``.

    Examples
    --------
    10 ETH at 1,500 with a threshold of 0.8 against a debt of 9,000: 15,000 · 0.8 / 9,000 = 1.3333.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann"], "protocol": ["lend", "lend"], "asset": ["ETH", "USDC"],
    ...         "side": ["collateral", "debt"], "amount": [10.0, 9000.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1500.0, 1.0]}),
    ...     markets=pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.8]}))
    >>> health(snap)[["account", "health", "status"]].round(4).to_dict("records")
    [{'account': 'ann', 'health': 1.3333, 'status': 'healthy'}]
    """
    import pandas as pd

    check_snapshot(snap)
    margins = formed(snap)
    check_told(snap, margins)
    status = pd.Categorical.from_codes(
        status_codes(snap, margins), dtype=pd.CategoricalDtype(list(STATUSES)), validate=False
    )
    return pd.DataFrame(
        {
            **margin_names(snap),
            "collateral_usd": margins.collateral,
            "debt_usd": margins.debt,
            "health": margins.health,
            "status": status,
        },
        copy=False,
    )


def status_codes(snap: Snapshot, margins: MarginAccounts) -> Ints:
    """Give the place in ``STATUSES`` of every margin account, int8."""
    low, level = margins.low, call_levels(snap)
    value, due = margins.health[low], liquidatable(snap, margins)
    called = value < level[snap.book.margin_protocol[low]]  # NaN: no calls
    codes = np.full(len(margins.health), 3, dtype=np.int8)
    codes[low] = np.where(due, np.where(margins.short & (value < 1.0), 0, 1), np.where(called, 2, 3))
    more = due_in_recovery(snap, margins.collateral, margins.debt)
    codes[more] = np.minimum(codes[more], 1)
    return codes


def check_told(snap: Snapshot, margins: MarginAccounts) -> None:
    """Refuse a book in which health cannot be told, and name what is missing."""
    book, faults = snap.book, Faults()
    unknown = margins.low[np.isnan(margins.health[margins.low])]
    if len(unknown):  # collateral that nothing is said of stands against debt
        blind = np.zeros(len(margins.health), dtype=bool)
        blind[unknown] = True
        rows = np.flatnonzero(blind[book.pledged.margin] & np.isnan(book.pledged.weight))
        if len(rows):
            faults.add(
                "markets.liquidation_threshold",
                "expected a value for all collateral that stands against debt (in markets, emodes or accounts)",
                f"none for {_pairs(snap, book.pledged.pair[rows])}",
            )
        blind[book.pledged.margin[rows]] = False  # what is left holds nothing but a remainder
        if blind.any():
            labels = snap.labels("account")
            names = ", ".join(labels[int(code)].as_py() for code in book.margin_account[blind][:5])
            faults.add(
                "accounts.liquidation_threshold",
                "expected a value for accounts whose collateral is a published remainder alone",
                f"none for {names}",
            )
    if margins.derivatives is not None:
        note_unmargined(snap, margins.derivatives.unmargined, faults)
    faults.raise_if_any()


def _pairs(snap: Snapshot, pairs: Ints | Places) -> str:
    book, assets, protocols = snap.book, snap.labels("asset"), snap.labels("protocol")
    named = [
        f"{assets[int(book.pair_asset[pair])]} at {protocols[int(book.pair_protocol[pair])]}"
        for pair in np.unique(pairs)
    ]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")


def margin_names(snap: Snapshot) -> dict[str, pd.Categorical]:
    """Account, protocol and bucket of every margin account, as columns of a frame."""
    import pandas as pd

    book, categories = snap.book, snap.categories
    cross = len(snap.labels("bucket"))  # the empty label is the last
    bucket = np.where(book.margin_bucket < 0, cross, book.margin_bucket) if cross else np.zeros_like(book.margin_bucket)
    codes = {"account": book.margin_account.copy(), "protocol": book.margin_protocol, "bucket": bucket}
    return {name: pd.Categorical.from_codes(codes[name], dtype=categories[name]) for name in codes}
