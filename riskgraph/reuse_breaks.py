"""What the break of one token costs everybody who holds it, or what stands on it (METHODS 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats
from riskgraph.errors import InputError
from riskgraph.graph.holdings import Worth
from riskgraph.margin.venue_frames import uncovered_usd
from riskgraph.provenance import Provenance
from riskgraph.reuse_matching import sums
from riskgraph.showing import Showing
from riskgraph.snapshot.options import stands_for
from riskgraph.snapshot.shocks import price_moves

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from riskgraph.margin.cascade_results import Cascade
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["Break", "broken"]


@dataclass(frozen=True, eq=False, repr=False)
class Break(Showing):
    """What a token's break costs everybody who holds it or what stands on it, before anything is liquidated.

    Attributes
    ----------
    snap : Snapshot
    token, fall : str, float
    assets : DataFrame
        Assets that fall: fall, held_usd, loss_usd (receipts and the deposits that they stand for counted once).
    protocols : DataFrame
        Value lost on the collateral and the deposits that stand at each protocol, USD.
    holders : DataFrame
        By account: loss_usd on what it holds, relief_usd on what it owes in falling assets, net_usd, equity_usd
        before, share (net ÷ equity; NaN where there was none), wiped_out.
    """

    snap: Snapshot
    token: str
    fall: float
    assets: pd.DataFrame
    protocols: pd.DataFrame
    holders: pd.DataFrame

    @property
    def provenance(self) -> Provenance:
        """Version, data and call."""
        return Provenance("break_", self.snap.digest, {"token": self.token, "fall": self.fall})

    @property
    def loss_usd(self) -> float:
        """USD that holders lose on what they hold."""
        return float(self.holders["loss_usd"].sum())

    @property
    def net_usd(self) -> float:
        """USD that they lose after what their debts in falling assets become cheaper by."""
        return float(self.holders["net_usd"].sum())

    def cascade(self, **options: Any) -> Cascade:
        """Play the same fall on: margin calls, liquidations, sales and losses to their end.

        Parameters
        ----------
        **options
            Of :func:`riskgraph.liquidation_cascade`.
        """
        from riskgraph.margin.cascading import liquidation_cascade

        return liquidation_cascade(self.snap, {self.token: -self.fall}, **options)

    def beside(self, cascade: Cascade) -> pd.DataFrame:
        """Compare the fall by itself with what a cascade makes of it.

        Returns
        -------
        DataFrame
            Rows ``fall`` and ``cascade``; columns loss_usd (of borrowers, lenders, protocols and liquidators, at market
            prices), bad_debt_usd (written off, and owed beyond collateral at market prices: where oracles are late or
            fixed, more than they show), liquidated (margin accounts), price (of the token), rounds.

        Raises
        ------
        InputError
            The cascade is not one of this snapshot and this fall.
        """
        import pandas as pd

        told = cascade.provenance.arguments.get("shock")
        if cascade.provenance.digest != self.snap.digest or told != {self.token: -self.fall}:
            raise InputError(
                f"cascade: expected one of this snapshot with the shock {{{self.token!r}: {-self.fall}}}, got {told} "
                f"of digest {cascade.provenance.digest}"
            )
        accounts, price = cascade.accounts, cascade.prices[self.token]
        book, moved = self.snap.book, 1.0 + price_moves(self.snap, {self.token: -self.fall})
        fallen = uncovered_usd(book, book.usd * moved[book.asset])
        return pd.DataFrame(
            {
                "loss_usd": [cascade.loss_usd / cascade.amplification, cascade.loss_usd],
                "bad_debt_usd": [fallen, cascade.uncovered_usd],
                "liquidated": [0, int((accounts["seized_usd"] > 0.0).sum())],
                "price": [float(price.iloc[1]), float(price.iloc[-1])],
                "rounds": [0, cascade.n_rounds],
            },
            index=pd.Index(["fall", "cascade"], name="after"),
        )

    def to_frame(self) -> pd.DataFrame:
        """Give the holders, largest net loss first."""
        return self.holders.copy()

    def summary(self) -> str:
        """Say in a few lines what falls and who bears it."""
        lines = [repr(self).strip("<>")]
        lines += [f"  {name} falls by {row.fall:.2%}: ${row.loss_usd:,.0f}" for name, row in self.assets.iterrows()]
        out = self.holders["wiped_out"]
        return "\n".join([*lines, f"  {int(out.sum()):,} of {len(out):,} holders lose all their equity"])

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the assets that fall, and who loses most."""
        return [self.assets, self.holders.head(10)]

    def plot(self, ax: Axes | None = None, *, top: int = 12) -> Axes:
        """Draw who loses most, after what debts in falling assets become cheaper by."""
        from riskgraph.view.figures.charts import bars

        told = self.holders.head(top)
        title = f"Loss when {self.token} falls by {self.fall:.0%}"
        return bars(
            [str(name) for name in told.index],
            told["net_usd"].tolist(),
            ax=ax,
            title=title,
            source=str(self.provenance),
        )

    def __repr__(self) -> str:
        return (
            f"<Break of {self.token} by {self.fall:.1%}: ${self.loss_usd:,.0f} lost by {len(self.holders):,} holders, "
            f"${self.net_usd:,.0f} after debts in falling assets>"
        )


def broken(snap: Snapshot, worth: Worth, token: str, fall: float) -> Break:
    """Let one token fall, whatever it backs with it, and say what every holder loses."""
    if not 0.0 < fall < 1.0:
        raise InputError(f"fall: expected a share above 0 and below 1, got {fall!r}")
    falls = -price_moves(snap, {token: -float(fall)})
    book, twice, n = snap.book, worth.twice, len(worth.equity)
    known = np.where(snap.families.is_kind("basket"), 0.0, 1.0)[book.asset]
    long, short = (usd * known for usd in stands_for(snap))
    by_asset = sums(book.asset, long, len(falls)) - sums(twice.asset, twice.usd, len(falls))
    loss = sums(book.account, long * falls[book.asset], n) - sums(twice.account, twice.usd * falls[twice.asset], n)
    loss = np.maximum(loss, 0.0)  # below 0 by rounding only: a receipt and its deposit count once
    relief = sums(book.account, short * falls[book.asset], n)
    by_asset = np.maximum(by_asset, 0.0)
    posted = book.rows("collateral", "deposit")
    standing = (book.usd * falls[book.asset])[posted]
    at_protocol = sums(book.protocol[posted], standing, len(snap.labels("protocol")))
    net = loss - relief
    equity = worth.equity
    lost = np.divide(net, equity, out=np.full(len(net), np.nan), where=equity > 0.0)
    holders = {"loss_usd": loss, "relief_usd": relief, "net_usd": net, "equity_usd": equity, "share": lost}
    return Break(
        snap=snap,
        token=token,
        fall=float(fall),
        assets=_listed(snap, "asset", {"fall": falls, "held_usd": by_asset, "loss_usd": by_asset * falls}, falls > 0.0),
        protocols=_listed(snap, "protocol", {"loss_usd": at_protocol}, at_protocol > 0.0),
        holders=_listed(snap, "account", {**holders, "wiped_out": lost >= 1.0}, (loss > 0.0) | (relief > 0.0)),
    )


def _listed(snap: Snapshot, domain: str, columns: Mapping[str, Floats | Bools], where: Bools) -> pd.DataFrame:
    """Rows of one label space, largest loss first, equal ones by label."""
    import pandas as pd
    import pyarrow as pa

    at = np.flatnonzero(where)
    key = np.asarray(columns.get("net_usd", columns["loss_usd"]), dtype=np.float64)
    at = at[np.argsort(-key[at], kind="stable")]
    labels = pd.array(snap.labels(domain).take(pa.array(at)), dtype="str")
    return pd.DataFrame({name: values[at] for name, values in columns.items()}, index=pd.Index(labels, name=domain))
