"""What a cascade gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from riskgraph.errors import InputError
from riskgraph.margin import cascade_account_frames as account_frames
from riskgraph.margin import cascade_call_frames as call_frames
from riskgraph.margin import cascade_frames as frames
from riskgraph.margin.cascade_flows import BEARERS
from riskgraph.margin.venue_frames import open_debts, steps_frame, uncovered_at_market
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from riskgraph.margin.cascade_run import CascadeRun

__all__ = ["Cascade"]


@dataclass(frozen=True, eq=False)
class Cascade(Showing):
    """A liquidation cascade from its shock to its end; frames are made when they are asked for.

    Attributes
    ----------
    run : CascadeRun
        The rounds as bare arrays.
    assumptions : tuple of str
        What the cascade assumed beyond what the snapshot says.
    provenance : Provenance
        Version, data and call.
    """

    run: CascadeRun
    assumptions: tuple[str, ...]
    provenance: Provenance

    @cached_property
    def prices(self) -> pd.DataFrame:
        """Market prices by round: row -1 of the snapshot, 0 after the shock, t + 1 after the sales of round t."""
        return frames.prices_frame(self.run)

    @cached_property
    def rounds(self) -> pd.DataFrame:
        """A row a round: calls, what was paid, accounts liquidated, USD repaid, seized and sold, the largest fall."""
        return frames.rounds_frame(self.run)

    @cached_property
    def calls(self) -> pd.DataFrame:
        """A row a margin call and round in which something happened to it: required, paid, unmet, outcome."""
        return call_frames.calls_frame(self.run)

    @cached_property
    def payments(self) -> pd.DataFrame:
        """A row a payment: whose call, which token, from where, whether it repaid debt or was posted."""
        return call_frames.payments_frame(self.run)

    @cached_property
    def liquidations(self) -> pd.DataFrame:
        """A row for what was called of one account, collateral and debt in a round.

        ``fee_usd`` is that of calls pair by pair, and longs and shorts have no bonus: what closing them cost is
        ``lost_usd`` of ``closed_positions``. What all gained by bonus and fee, under any rule, stands in ``bearers``.
        """
        return frames.liquidations_frame(self.run)

    @cached_property
    def accounts(self) -> pd.DataFrame:
        """A row a margin account: health before and after, what was repaid, seized and written off, its outcome."""
        return account_frames.accounts_frame(self.run)

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Bad debt by protocol and bearer: reserve, deficit, lenders, nobody, or still open on the books."""
        return account_frames.losses_frame(self.run)

    @cached_property
    def bearers(self) -> pd.DataFrame:
        """Change of wealth of borrowers, lenders, protocols, liquidators and market by reason."""
        return frames.bearers_frame(self.run)

    @cached_property
    def steps(self) -> pd.DataFrame:
        """A row for everything done where a rule does not call pair by pair: absorbed, auctioned or closed."""
        return steps_frame(self.run)

    @cached_property
    def closed_positions(self) -> pd.DataFrame:
        """A row a long or short that was closed by force in a round: units, how, and what that cost its owner."""
        from riskgraph.margin.closed_positions import closed_frame

        return closed_frame(self.run)

    @cached_property
    def triggers(self) -> pd.DataFrame:
        """Which fall or sale tipped which account: asset, fall, cause, and who had sold most of it before."""
        return frames.triggers_frame(self.run)

    @property
    def n_rounds(self) -> int:
        """Rounds up to the last in which something happened."""
        return self.run.played

    @cached_property
    def bad_debt_usd(self) -> float:
        """Debt that no collateral stands behind: written off (at the price then), or still on the books at the end."""
        return float(self.run.losses.written_off.sum() + open_debts(self.run).sum())

    @cached_property
    def uncovered_usd(self) -> float:
        """Debt written off, or owed beyond collateral at market prices (more than late or fixed oracles show), USD."""
        return float(self.run.losses.written_off.sum()) + uncovered_at_market(self.run)

    @cached_property
    def loss_usd(self) -> float:
        """Loss of borrowers, lenders, protocols and liquidators since the snapshot, at market prices."""
        return _loss(self.run.start_wealth, self.run.end_wealth)

    @cached_property
    def amplification(self) -> float:
        """Loss at the end ÷ loss at the first price move, of all but the market; 1 where nothing fell."""
        first = _loss(self.run.start_wealth, self.run.shock_wealth)
        return self.loss_usd / first if first else 1.0

    @cached_property
    def conservation(self) -> float:
        """Largest relative gap of the identities of conservation, over all rounds: units, and money by bearer."""
        run = self.run
        scale = max(sum(abs(usd) for reason in run.flows.usd.values() for usd in reason.values()), 1e-300)
        gaps = [abs(run.end_wealth[b] - run.start_wealth[b] - run.flows.total(b)) for b in BEARERS]
        wealth = max(abs(usd) for usd in run.start_wealth.values())
        return max([done.gap for done in run.rounds] + [gap / max(scale, wealth) for gap in gaps])

    def to_frame(self) -> pd.DataFrame:
        """Give the rounds."""
        return self.rounds

    def summary(self) -> str:
        """Say in a line what happened."""
        hit = int((self.accounts["seized_usd"] > 0.0).sum())
        return (
            f"{counted(self.n_rounds, 'round')}: {counted(hit, 'margin account')} liquidated, "
            f"${self.rounds['repaid_usd'].sum():,.0f} repaid, ${self.bad_debt_usd:,.0f} of bad debt, loss "
            f"${self.loss_usd:,.0f} ({self.amplification:.3g} × that of the shock)"
        )

    def plot(self, ax: Axes | None = None, *, what: str = "prices", top: int = 6) -> Axes:
        """Draw the cascade.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure of 8 cm without one.
        what : {"prices", "losses"}
            Prices of the assets that fall most over the rounds, as a share of the price before the shock; or who bears
            the losses, protocol by protocol.
        top : int
            How many lines or bars.

        Raises
        ------
        InputError
            ``what`` is none of the two.
        """
        from riskgraph.view.figures.charts import bars, lines

        source = str(self.provenance)
        if what == "losses":
            told = self.losses.sort_values("usd", ascending=False, kind="stable").head(top)
            groups = told["bearer"].astype(str).tolist()
            names = told["protocol"].astype(str).tolist()
            return bars(names, told["usd"].tolist(), ax=ax, title="Losses", source=source, groups=groups)
        if what != "prices":
            raise InputError(f"what: expected 'prices' or 'losses', got {what!r}")
        share = self.prices / self.prices.iloc[0]
        falls = (1.0 - share.min()).sort_values(ascending=False, kind="stable")
        series = {str(name): share[name].tolist() for name in falls[falls > 1e-9].head(top).index}
        title = "Prices, before the shock = 1"
        return lines(share.index.tolist(), series, ax=ax, title=title, across="round", source=source)

    def __repr__(self) -> str:
        return f"<Cascade: {self.summary()}>"


def _loss(before: dict[str, float], after: dict[str, float]) -> float:
    return sum(before[bearer] - after[bearer] for bearer in BEARERS if bearer != "market")
