"""What the margin calls of one moment give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from riskgraph.margin import moment_frames as frames
from riskgraph.margin.moment_frames import Moment
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["MarginCalls"]


@dataclass(frozen=True, eq=False)
class MarginCalls(Showing):
    """The margin calls of one moment: what each asks for, who pays it from where, and what stays unmet.

    ``assumptions`` is what the book assumed, ``moment`` the bare arrays; frames are made when they are asked for.
    """

    moment: Moment
    assumptions: tuple[str, ...]
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Give the calls, a row each."""
        return self.calls

    @cached_property
    def calls(self) -> pd.DataFrame:
        """A row a call, by account, protocol and bucket.

        ``health``, ``target`` and ``health_after`` (payments made); ``required_usd`` is the least repayment that cures
        (with positions: the margin that is lacking), ``paid_usd`` what came from the wallet and from excess elsewhere,
        ``unmet_usd`` what is still lacking, as a repayment: what is posted cures less than a dollar a dollar, so that
        paid and unmet may add up to more than required. ``outcome``: ``cured``, ``called`` (grace runs),
        ``liquidatable``, or ``restricted`` (below the call level, which its rule does not liquidate for).
        """
        return frames.calls_frame(self.moment)

    @cached_property
    def payments(self) -> pd.DataFrame:
        """A row a payment: whose call, which token, from ``wallet`` or which protocol (and bucket), for what use.

        ``usd`` is what the protocol that called counts it for.
        """
        return frames.payments_frame(self.moment)

    @cached_property
    def tokens(self) -> pd.DataFrame:
        """A row a token in the wallet of an owner who is asked: units and USD there, paid and left, and why it is left.

        ``reason``: ``not accepted`` (no protocol that calls takes it), ``not needed``, or empty where nothing is left.
        USD at market prices.
        """
        return frames.tokens_frame(self.moment)

    @cached_property
    def wallets(self) -> pd.DataFrame:
        """A row an owner who is asked: USD in the wallet before, calls, what they ask for, what was paid and is left.

        ``not_accepted_usd`` is the part of ``left_usd`` that no protocol that calls takes, ``from_excess_usd`` what
        other margin accounts of the owner gave.
        """
        return frames.wallets_frame(self.moment, self.tokens)

    @cached_property
    def donors(self) -> pd.DataFrame:
        """A row a margin account that gave: USD given, health before and after."""
        return frames.donors_frame(self.moment)

    def summary(self) -> str:
        """Say in a line who is called and what is paid."""
        calls, wallets = self.calls, self.wallets
        n, asked = len(calls), len(calls) - len(self.moment.unasked)
        said = (
            f"{counted(n, 'call')} on {counted(calls['account'].nunique(), 'account')}: "
            f"${calls['required_usd'].sum():,.2f} required, "
            f"${calls['from_wallet_usd'].sum():,.2f} paid from wallets, ${calls['from_excess_usd'].sum():,.2f} from "
            f"excess elsewhere, ${calls['unmet_usd'].sum():,.2f} unmet; {(calls['outcome'] == 'cured').sum():,} cured"
        )
        if asked < n:
            said += f"; {n - asked:,} not asked"
        refused = float(wallets["not_accepted_usd"].sum())
        return said + (f"; ${refused:,.2f} in wallets not accepted" if refused else "")

    def plot(self, ax: Axes | None = None, *, top: int = 12) -> Axes:
        """Draw the largest calls: what is paid from the wallet, from excess elsewhere, and what is not."""
        from riskgraph.view.figures.charts import stacked

        told = self.calls.sort_values("required_usd", ascending=False, kind="stable").head(top)
        names = [f"{who} at {where}" for who, where in zip(told["account"], told["protocol"], strict=True)]
        columns = {"wallet": "from_wallet_usd", "excess": "from_excess_usd", "unmet": "unmet_usd"}
        parts = {name: told[column].tolist() for name, column in columns.items()}
        return stacked(names, parts, ax=ax, title="Margin calls", source=str(self.provenance))

    def __repr__(self) -> str:
        return f"<MarginCalls: {self.summary()}>"
