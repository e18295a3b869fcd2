"""Frames of the margin calls of one moment, made from bare arrays when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.margin.account_health import MarginAccounts
from riskgraph.margin.cascade_book import COLLATERAL, DEBT, WALLET

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.margin.call_desk import CallDesk, CallRound
    from riskgraph.margin.cascade_book import CascadeBook

__all__ = ["Moment", "calls_frame", "donors_frame", "payments_frame", "tokens_frame", "wallets_frame"]

_MET = 1e-9  # share of what is asked below which what is unmet is rounding


@dataclass(frozen=True, eq=False)
class Moment:
    """Calls and payments as bare arrays; the book stands as the payments left it.

    ``before`` and ``after`` are margin accounts before and after payments, ``due`` says which of them their rule may
    liquidate afterwards, ``held`` what every row held before, ``unasked`` numbers margin accounts below their call
    level that are not asked.
    """

    book: CascadeBook
    desk: CallDesk
    made: CallRound
    before: MarginAccounts
    after: MarginAccounts
    due: Bools
    held: Floats
    unasked: Ints

    def labels(self, domain: str, codes: Ints) -> Any:
        """Labels of codes as a categorical; no bucket is the empty label, which is the last."""
        import pandas as pd

        dtype = self.book.snap.categories[domain]
        codes = np.where(codes < 0, len(dtype.categories) - 1, codes) if domain == "bucket" else codes
        return pd.Categorical.from_codes(codes, dtype=dtype)

    def names(self, margin: Ints) -> dict[str, Any]:
        """Account, protocol and bucket of margin accounts, as columns."""
        rows = self.book.rows
        codes = {"account": rows.margin_account, "protocol": rows.margin_protocol, "bucket": rows.margin_bucket}
        return {name: self.labels(name, of[margin]) for name, of in codes.items()}

    @property
    def paid_usd(self) -> Floats:
        """USD of every payment, as the protocol that called counts it."""
        paid = self.made.paid
        if paid is None:
            return np.zeros(0)
        return np.asarray(paid.units * self.book.pair_price[self.book.rows.pair[paid.taker]])

    @property
    def from_wallet(self) -> Bools:
        """Which payments come from a wallet."""
        paid = self.made.paid
        return np.zeros(0, dtype=np.bool_) if paid is None else np.asarray(self.book.rows.side[paid.giver] == WALLET)

    def by_call(self, which: Bools) -> Floats:
        """USD that some of the payments brought every call."""
        n, paid = len(self.made.calls), self.made.paid
        if paid is None:
            return np.zeros(n)
        return np.bincount(paid.call[which], weights=self.paid_usd[which], minlength=n).astype(np.float64)


def calls_frame(moment: Moment) -> pd.DataFrame:
    """Give a row a call, by account, protocol and bucket."""
    import pandas as pd

    made, desk = moment.made, moment.desk
    at = np.append(made.calls.margin, moment.unasked)
    wallet, excess = (_padded(moment, moment.by_call(which)) for which in (moment.from_wallet, ~moment.from_wallet))
    shortfall, required, each = desk.asked(moment.before, at)
    lacking = shortfall if made.paid is None else np.append(made.paid.unmet, shortfall[len(made.calls) :])
    lacking = np.where(lacking > _MET * shortfall, lacking, 0.0)
    grace = desk.terms.grace[moment.book.rows.margin_protocol[at]]
    words = np.select(
        [lacking <= 0.0, grace > 0, moment.due[at]], ["cured", "called", "liquidatable"], "restricted"
    ).astype(object)
    frame = pd.DataFrame(
        {
            **moment.names(at),
            "health": moment.before.health[at],
            "target": desk.target[at],
            "required_usd": required,
            "paid_usd": wallet + excess,
            "from_wallet_usd": wallet,
            "from_excess_usd": excess,
            "unmet_usd": lacking / each,
            "health_after": moment.after.health[at],
            "outcome": words,
        }
    )
    return frame.iloc[np.argsort(at, kind="stable")].reset_index(drop=True)


def _padded(moment: Moment, values: Floats) -> Floats:
    return np.append(values, np.zeros(len(moment.unasked)))


def payments_frame(moment: Moment) -> pd.DataFrame:
    """Give a row a payment."""
    import pandas as pd

    paid, rows = moment.made.paid, moment.book.rows
    none = np.zeros(0, dtype=np.int64)
    call, giver, units, repays = (
        (none, none, np.zeros(0), none) if paid is None else (paid.call, paid.giver, paid.units, paid.repays)
    )
    names = np.append(moment.book.snap.labels("protocol").to_numpy(zero_copy_only=False), "wallet")
    buckets = np.append(moment.book.snap.labels("bucket").to_numpy(zero_copy_only=False), "")
    donor = rows.margin[giver]
    bucket = np.where(donor < 0, -1, rows.margin_bucket[donor]) if len(giver) else none
    frame = pd.DataFrame(
        {
            **moment.names(moment.made.calls.margin[call]),
            "token": moment.labels("asset", rows.asset[giver]),
            "source": names[rows.protocol[giver]],
            "source_bucket": buckets[bucket],
            "use": np.where(repays, "repays debt", "posted").astype(object),
            "units": units,
            "usd": moment.paid_usd,
        }
    )
    order = np.lexsort((rows.asset[giver], rows.protocol[giver], call))
    return frame.iloc[order].reset_index(drop=True)


def _wallet_rows(moment: Moment) -> Ints:
    """Rows in the wallets of owners who are called."""
    rows = moment.book.rows
    called = np.zeros(len(moment.book.snap.labels("account")), dtype=np.bool_)
    called[rows.margin_account[moment.made.calls.margin]] = True
    return np.flatnonzero((rows.side == WALLET) & called[rows.account] & (moment.held > 0.0))


def tokens_frame(moment: Moment) -> pd.DataFrame:
    """Give a row a token in the wallet of an owner who is asked."""
    import pandas as pd

    book, rows = moment.book, moment.book.rows
    at = _wallet_rows(moment)
    units, price = moment.held[at], book.pair_price[rows.pair[at]]
    left = book.amount[at]
    taken = _takes(moment)[np.searchsorted(_owners(moment), rows.account[at]), rows.asset[at]]
    reason = np.select([~taken, left > 0.0], ["not accepted", "not needed"], "").astype(object)
    return pd.DataFrame(
        {
            "account": moment.labels("account", rows.account[at]),
            "token": moment.labels("asset", rows.asset[at]),
            "units": units,
            "usd": units * price,
            "paid_units": units - left,
            "paid_usd": (units - left) * price,
            "left_usd": left * price,
            "reason": reason,
        }
    )


def _owners(moment: Moment) -> Ints:
    return np.unique(moment.book.rows.margin_account[moment.made.calls.margin])


def _takes(moment: Moment) -> Bools:
    """Whether some call on an owner takes an asset, to repay or to be posted; shape (n_owners, n_assets)."""
    book, rows = moment.book, moment.book.rows
    of_call, place = book.rows_of(moment.made.calls.margin)
    owner = np.searchsorted(_owners(moment), rows.margin_account[moment.made.calls.margin])[place]
    side = rows.side[of_call]
    takes = ((side == DEBT) & (moment.held[of_call] > 0.0)) | (
        (side == COLLATERAL) & (moment.desk.posted[of_call] > 0.0)
    )
    found = np.zeros((len(_owners(moment)), book.shape[1]), dtype=np.bool_)
    found[owner[takes], rows.asset[of_call[takes]]] = True
    return found


def wallets_frame(moment: Moment, tokens: pd.DataFrame) -> pd.DataFrame:
    """Give a row an owner who is asked."""
    import pandas as pd

    owners, n = _owners(moment), len(_owners(moment))
    place = np.searchsorted(owners, moment.book.rows.account[_wallet_rows(moment)])
    rows = moment.made.calls.margin
    of_call = np.searchsorted(owners, moment.book.rows.margin_account[rows])

    def whole(values: Any, at: Ints) -> Floats:
        return np.bincount(at, weights=np.asarray(values, dtype=np.float64), minlength=n).astype(np.float64)

    shortfall, required, each = moment.desk.asked(moment.before, rows)
    lacking = shortfall if moment.made.paid is None else moment.made.paid.unmet
    refused = np.where(tokens["reason"] == "not accepted", tokens["left_usd"], 0.0)
    return pd.DataFrame(
        {
            "account": moment.labels("account", owners),
            "wallet_usd": whole(tokens["usd"], place),
            "calls": np.bincount(of_call, minlength=n),
            "required_usd": whole(required, of_call),
            "paid_usd": whole(tokens["paid_usd"], place),
            "left_usd": whole(tokens["left_usd"], place),
            "not_accepted_usd": whole(refused, place),
            "from_excess_usd": whole(moment.by_call(~moment.from_wallet), of_call),
            "unmet_usd": whole(np.where(lacking > _MET * shortfall, lacking, 0.0) / each, of_call),
        }
    )


def donors_frame(moment: Moment) -> pd.DataFrame:
    """Give a row a margin account that gave."""
    import pandas as pd

    paid, rows = moment.made.paid, moment.book.rows
    giver = np.zeros(0, dtype=np.int64) if paid is None else rows.margin[paid.giver][~moment.from_wallet]
    margin, place = np.unique(giver, return_inverse=True)
    usd = np.bincount(place, weights=moment.paid_usd[~moment.from_wallet], minlength=len(margin))
    return pd.DataFrame(
        {
            **moment.names(margin),
            "given_usd": usd.astype(np.float64),
            "health": moment.before.health[margin],
            "health_after": moment.after.health[margin],
        }
    )
