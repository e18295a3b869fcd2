"""The fall from which a liquidation cascade feeds itself (METHODS 5.5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.errors import Faults
from riskgraph.margin.call_inputs import code_of
from riskgraph.margin.cascading import liquidation_cascade
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["CriticalFall", "critical_fall"]


@dataclass(frozen=True, eq=False)
class CriticalFall(Showing):
    """From which fall of an asset on a cascade feeds itself.

    Attributes
    ----------
    asset : str
    multiple : float
        How many times what the fall alone makes sold all sales must be.
    fall : float
        Smallest fall found from which the cascade feeds itself, a share of the price; NaN where none does.
    bracket : tuple of float
        Largest fall below it that was tried, and ``fall``; where none feeds itself, the highest fall tried and NaN.
    evaluations : DataFrame
        A row a cascade, by fall: ``fall``, ``sold_by_fall_usd`` (what the same fall makes sold where no sale moves a
        price) and ``sold_usd`` (both at snapshot prices), ``lowest_price`` of the asset, ``bad_debt_usd``, ``rounds``,
        ``feeds_itself``.
    notes : tuple of str
        What a reader should know of the search.
    """

    asset: str
    multiple: float
    fall: float
    bracket: tuple[float, float]
    evaluations: pd.DataFrame
    notes: tuple[str, ...]
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Give the evaluations."""
        return self.evaluations

    def summary(self) -> str:
        """Say in a line where the cliff is."""
        tried = self.evaluations["fall"]
        if math.isnan(self.fall):
            return (
                f"{self.asset}: no fall from {tried.min():.4%} to {tried.max():.4%} of {len(tried)} tried sells "
                f"{self.multiple:g} times what the fall alone makes sold"
            )
        below, above = (self.evaluations.loc[tried == at].iloc[0] for at in (self.bracket[0], self.fall))
        return (
            f"{self.asset}: from a fall of {self.fall:.4%} on the cascade feeds itself "
            f"(${above['sold_by_fall_usd']:,.0f} by the fall alone, ${above['sold_usd']:,.0f} in all, lowest price "
            f"{above['lowest_price']:,.6g}); at {self.bracket[0]:.4%} it sells ${below['sold_usd']:,.0f}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw what is sold at every fall that was tried, with and without what sales do to prices."""
        from riskgraph.view.figures.charts import lines

        told = self.evaluations.sort_values("fall", kind="stable")
        series = {"all sales": told["sold_usd"].tolist(), "by the fall": told["sold_by_fall_usd"].tolist()}
        across, title = f"fall of {self.asset}", "Sold"
        return lines(
            told["fall"].tolist(), series, ax=ax, title=title, across=across, unit="USD", source=str(self.provenance)
        )

    def __repr__(self) -> str:
        return f"<CriticalFall: {self.summary()}>"


def critical_fall(
    snap: Snapshot,
    asset: str,
    *,
    multiple: float = 2.0,
    lowest: float = 0.0,
    highest: float = 0.99,
    steps: int = 99,
    tol: float = 1e-4,
    **options: Any,
) -> CriticalFall:
    r"""Find the smallest fall of an asset from which a cascade feeds itself.

    .. math:: f^* = \min \{ f : S(f) \ge \text{multiple} \cdot S_0(f) > 0 \}

    with S the USD sold in all rounds, at snapshot prices, and S₀ the same where no sale moves a price: what the fall
    itself forces to be sold is then the smaller part of what is sold. A grid is walked upwards until a cascade does,
    then the last step is halved. A very large fall may sell everything at once and feed on nothing, so the falls that
    do are a window, not all above the first; a window narrower than a step of the grid can be missed.

    Parameters
    ----------
    asset : str
        What falls; what else moves with it is ``follow`` among the options.
    multiple : float
        All sales ÷ sales by the fall alone from which a cascade counts as feeding itself, above 1.
    lowest, highest : float
        Falls between which is searched, shares of the price, 0 ≤ lowest < highest < 1.
    steps : int
        Equal steps of the grid, at least 1.
    tol : float
        Width of the bracket at which the search ends, a share of the price, above 0.
    **options
        Of :func:`riskgraph.liquidation_cascade` (all but ``shock`` and ``tol``).

    Returns
    -------
    CriticalFall

    Raises
    ------
    InputError
        The asset is unknown, a number is out of its range, or an option is none of the cascade's.
    ConvergenceError
        A cascade does not come to rest within ``max_rounds``.

    Examples
    --------
    Ann tips below 78/85, and sells 40.95/p; that costs 0.04095, which tips Bob below 76/85: the first fall that moves
    anybody, 1 − 78/85 = 0.0824, is the critical one.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann", "bob", "bob"], "protocol": "lend", "asset": ["ETH", "USD"] * 2,
    ...         "side": ["collateral", "debt"] * 2, "amount": [100.0, 78.0, 100.0, 76.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USD"], "price": [1.0, 1.0]}),
    ...     markets=pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.85],
    ...                           "liquidation_bonus": [0.05]}),
    ...     liquidity=pd.DataFrame({"asset": ["ETH"], "model": ["linear"], "depth_usd": [1000.0]}))
    >>> round(critical_fall(snap, "ETH").fall, 4)
    0.0824
    """
    check_snapshot(snap)
    code_of(snap, "asset", asset, "asset")
    _check(multiple, lowest, highest, steps, tol, options)
    search = _Search(snap, asset, multiple, options)
    low, high = search.first_crossing(np.linspace(lowest, highest, steps + 1).tolist())
    while high - low > tol:  # NaN: nothing to halve
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break  # floats cannot tell the ends apart any more
        low, high = (low, middle) if search.feeds(middle) else (middle, high)
    arguments = {"asset": asset, "multiple": multiple, "lowest": lowest, "highest": highest, "steps": steps, "tol": tol}
    provenance = Provenance("critical_fall", snap.digest, {**arguments, **options})
    return CriticalFall(
        asset, multiple, high, (low, high), search.frame(), _notes(snap, steps, lowest, highest), provenance
    )


class _Search:
    """Cascades from falls of one asset, each played once."""

    def __init__(self, snap: Snapshot, asset: str, multiple: float, options: dict[str, Any]) -> None:
        self.snap, self.asset, self.multiple, self.options = snap, asset, multiple, options
        self.flat = snap.replace(liquidity=None)  # where no sale moves a price
        self.rows: list[dict[str, Any]] = []

    def first_crossing(self, grid: list[float]) -> tuple[float, float]:
        """Walk the grid upwards; give the last fall that feeds nothing and the first that does, NaN if none."""
        before = grid[0]
        for fall in grid:
            if self.feeds(fall):
                return before, fall
            before = fall
        return before, math.nan

    def feeds(self, fall: float) -> bool:
        """Play the cascade from a fall and say whether it feeds itself."""
        cascade = liquidation_cascade(self.snap, {self.asset: -fall}, **self.options)
        run = cascade.run
        flat = liquidation_cascade(self.flat, {self.asset: -fall}, **self.options).run
        sold, alone = (float(sum(done.sold_usd for done in one.rounds)) for one in (run, flat))
        feeds = alone > 0.0 and sold >= self.multiple * alone
        code = code_of(self.snap, "asset", self.asset, "asset")
        lowest = min(float(run.final_price[code]), *(float(done.price[code]) for done in run.rounds))
        self.rows.append(
            {
                "fall": fall,
                "sold_by_fall_usd": alone,
                "sold_usd": sold,
                "lowest_price": lowest,
                "bad_debt_usd": cascade.bad_debt_usd,
                "rounds": cascade.n_rounds,
                "feeds_itself": feeds,
            }
        )
        return feeds

    def frame(self) -> pd.DataFrame:
        """Give every cascade that was played, by fall."""
        import pandas as pd

        return pd.DataFrame(self.rows).sort_values("fall", kind="stable", ignore_index=True)


def _notes(snap: Snapshot, steps: int, lowest: float, highest: float) -> tuple[str, ...]:
    said = f"a window of falls narrower than {(highest - lowest) / steps:.4g} below the one reported can be missed"
    if len(snap.table("liquidity")):
        return (said,)
    return (
        said,
        "liquidity: no depth is known, so that no sale moves a price and no cascade can feed itself by prices",
    )


def _check(multiple: Any, lowest: Any, highest: Any, steps: Any, tol: Any, options: dict[str, Any]) -> None:
    faults = Faults("critical_fall")
    asked: tuple[tuple[str, Any, Callable[[Any], bool], str], ...] = (
        ("multiple", multiple, lambda x: 1.0 < x < np.inf, "a finite number above 1"),
        ("lowest", lowest, lambda x: 0.0 <= x < 1.0, "a fall of at least 0, below 1"),
        ("highest", highest, lambda x: 0.0 < x < 1.0, "a fall above 0, below 1"),
        ("steps", steps, lambda x: x >= 1 and x == int(x), "a whole number of at least 1"),
        ("tol", tol, lambda x: 0.0 < x < np.inf, "a finite number above 0"),
    )
    for name, value, fine, words in asked:
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and np.isfinite(value)
        if not (number and fine(value)):
            faults.add(name, f"expected {words}", repr(value))
    if not faults.lines and lowest >= highest:
        faults.add("lowest", f"expected a fall below highest ({highest:g})", repr(lowest))
    known = set(liquidation_cascade.__kwdefaults__ or {}) - {"tol"}
    unknown = sorted(set(options) - known)
    if unknown:
        faults.add(
            "options", f"expected options of liquidation_cascade ({', '.join(sorted(known))})", ", ".join(unknown)
        )
    faults.raise_if_any()
