"""Cross-holdings: who finally owns whom, what that is worth, and who falls when one falls (Elliott–Golub–Jackson)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from riskgraph.arrays import Floats, Ints, Labels, read_only
from riskgraph.contagion.sale_rules import told_matrix, told_values
from riskgraph.errors import ConvergenceError, InputError
from riskgraph.graph.matrices import listed
from riskgraph.ownership_inputs import ROUNDING, checked_limits, checked_shares, held_outside, primitive_values
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

__all__ = ["CrossHoldings", "cross_holdings"]

FACTORED = 2_500  # organisations up to which values come of an LU factorisation
ROUNDS, SETTLED = 1_000_000, 1e-15  # budget of the series beyond, and the relative growth at which it has ended
DENSE = 2_000  # organisations up to which the dependency matrix, which has no zeros to speak of, is formed: 32 MB


@dataclass(frozen=True, eq=False, repr=False)
class CrossHoldings(Showing):
    r"""Organisations that hold shares of one another: final owners, market values, and waves of failures.

    Attributes
    ----------
    labels : ndarray of str, shape (n,)
    shares : csr_array, shape (n, n)
        C: ``shares[i, j]`` is the share of j that i holds.
    primitive_usd, initial, market, cost : ndarray, shape (n,), or None
        D p (value of the assets outside the network that each owns), market values without failures and at the end,
        and failure costs borne; None where no primitive assets were given.
    wave : ndarray of int, shape (n,)
        Wave in which the organisation fails, from 1; 0 where it does not.
    """

    labels: Labels
    shares: sparse.csr_array
    primitive_usd: Floats | None
    initial: Floats | None
    market: Floats | None
    cost: Floats | None
    wave: Ints
    provenance: Provenance

    def __post_init__(self) -> None:
        for part in (self.labels, self.primitive_usd, self.initial, self.market, self.cost, self.wave):
            if part is not None:
                read_only(part)

    @cached_property
    def self_holdings(self) -> pd.Series[float]:
        r"""Ĉ by organisation: :math:`1 - \sum_i C_{ij}`, the share that owners outside the network hold."""
        return self._series(held_outside(self.shares), "self_holdings")

    @cached_property
    def dependency(self) -> pd.DataFrame:
        r"""Frame (n × n) of :math:`A = \hat C (I - C)^{-1}`: share of j's primitive assets that i's owners finally own.

        Columns sum to 1. Only up to 2,000 organisations; beyond, :meth:`dependence_on` gives single columns.
        """
        import pandas as pd

        n = len(self.labels)
        if n > DENSE:
            raise InputError(f"dependency: expected at most {DENSE:,} organisations, got {n:,}; see dependence_on")
        full = held_outside(self.shares)[:, None] * _gross(self.shares)(np.eye(n))
        names = pd.Index(self.labels, name="organisation")
        return pd.DataFrame(full, index=names, columns=pd.Index(self.labels, name="asset_of"))

    def dependence_on(self, label: str) -> pd.Series[float]:
        """Give one column of the dependency matrix: who finally owns the primitive assets of an organisation."""
        at = np.flatnonzero(self.labels == label)
        if not len(at):
            raise InputError(f"label: expected one of {listed(list(self.labels))}, got {label!r}")
        unit = np.zeros(len(self.labels))
        unit[at] = 1.0
        return self._series(held_outside(self.shares) * _gross(self.shares)(unit), str(label))

    @cached_property
    def values(self) -> pd.Series[float]:
        """Market value of every organisation after all failures, USD (what its outside owners' shares are worth)."""
        if self.market is None:
            raise InputError("values: expected primitive_assets in the call, got none")
        return self._series(self.market, "values")

    @cached_property
    def failed(self) -> pd.Series[bool]:
        """Which organisations fail."""
        return self._series(self.wave > 0, "failed")

    @cached_property
    def waves(self) -> tuple[tuple[str, ...], ...]:
        """Labels of those that fail, wave by wave: the first by the prices, each later one by the costs before it."""
        found = range(1, int(self.wave.max(initial=0)) + 1)
        return tuple(tuple(str(name) for name in self.labels[self.wave == number]) for number in found)

    def to_frame(self) -> pd.DataFrame:
        """Frame by label: self_holdings, primitive_usd, initial_usd, value_usd, cost_usd (NaN: none given), wave."""
        import pandas as pd

        unknown = np.full(len(self.labels), np.nan)
        columns = {
            "self_holdings": self.self_holdings.to_numpy(),
            "primitive_usd": unknown if self.primitive_usd is None else self.primitive_usd,
            "initial_usd": unknown if self.initial is None else self.initial,
            "value_usd": unknown if self.market is None else self.market,
            "cost_usd": unknown if self.cost is None else self.cost,
            "wave": self.wave,
        }
        return pd.DataFrame(columns, index=pd.Index(self.labels, name="organisation"))

    def summary(self) -> str:
        """Say in a few lines who owns how much, what it is worth, and who fails."""
        outside = held_outside(self.shares)
        lines = [
            f"Cross-holdings of {self._size}; owners outside hold {outside.min(initial=1.0):.4g} to "
            f"{outside.max(initial=0.0):.4g} of each (smallest, largest)"
        ]
        if self.market is not None and self.initial is not None and self.cost is not None:
            lines.append(
                f"market value without failures: ${self.initial.sum():,.0f}; after them: ${self.market.sum():,.0f}"
            )
            waves = counted(len(self.waves), "wave")
            lines.append(f"failed: {int(self.failed.sum()):,} in {waves}, costs ${self.cost.sum():,.0f}")
        return "\n".join(lines)

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the first organisations."""
        return [self.to_frame().head(10)]

    def __repr__(self) -> str:
        value = "" if self.market is None else f"; value ${self.market.sum():,.0f}, {int(self.failed.sum()):,} failed"
        return f"<CrossHoldings: {self._size}{value}>"

    @property
    def _size(self) -> str:
        return f"{counted(len(self.labels), 'organisation')}, {counted(self.shares.nnz, 'link')}"

    def _series(self, values: Any, name: str) -> pd.Series[Any]:
        import pandas as pd

        return pd.Series(values, index=pd.Index(self.labels, name="organisation"), name=name)


def cross_holdings(
    C: pd.DataFrame | ArrayLike | sparse.sparray,
    *,
    primitive_assets: Any = None,
    prices: Any = None,
    thresholds: Any = None,
    failure_costs: Any = None,
    labels: Sequence[str] | None = None,
) -> CrossHoldings:
    r"""Value organisations that own shares of one another, and let those that fall below their threshold fail.

    .. math:: \hat C_{jj} = 1 - \sum_i C_{ij}, \quad A = \hat C (I - C)^{-1}, \quad
              v = A (D p - b(v)), \quad b_i(v) = \beta_i [v_i < \underline v_i]

    The greatest (best-case) solution: nobody fails to begin with; whoever then is below its threshold fails and
    bears its cost β, values are solved again, and so on until a wave brings no further failure.

    Parameters
    ----------
    C : DataFrame, array or sparse matrix, shape (n, n)
        ``C[i, j]`` in [0, 1]: share of j held by i. Zero diagonal; a column sums to 1 at most, and from every
        organisation a chain of holders leads to one with a column sum below 1 (somebody outside owns it in the end).
    primitive_assets : Series or array of shape (n,), or frame, array or sparse matrix of shape (n, m), optional
        Value of what each owns outside the network in USD; or, with ``prices``, its units of each of m assets (D).
    prices : Series, array or number, shape (m,), optional
        p, USD a unit.
    thresholds : number, mapping, Series or array, shape (n,), optional
        Market value below which an organisation fails, USD. None: nobody fails.
    failure_costs : number, mapping, Series or array, shape (n,)
        β ≥ 0, USD; expected with thresholds.
    labels : sequence of str, optional
        Default the frame's, or ``0`` to ``n-1``.

    Returns
    -------
    CrossHoldings
        Values can fall below 0: the paper knows no limited liability.

    Raises
    ------
    InputError
        Shares out of range, organisations that nobody outside finally owns, arguments that lack each other.
    ConvergenceError
        More than 2,500 organisations, and next to nothing of them held outside: the values did not settle.

    References
    ----------
    .. [1] Elliott, Golub, Jackson (2014), Financial networks and contagion, American Economic Review 104(10).

    Examples
    --------
    Two that hold half of each other: two thirds of what each owns outside is its own holders' in the end.

    >>> both = cross_holdings([[0, 0.5], [0.5, 0]], primitive_assets=[6, 3], thresholds=[4, 4.5], failure_costs=3)
    >>> both.dependency.round(4).values.tolist()
    [[0.6667, 0.3333], [0.3333, 0.6667]]

    Worth 5 and 4 at first; the second fails, and its cost of 3 leaves 4 and 2; the first holds at its threshold:

    >>> both.values.round(9).tolist(), both.waves
    ([4.0, 2.0], (('1',),))
    """
    shares, names = checked_shares(C, labels)
    primitive, told = primitive_values(primitive_assets, prices, names)
    if (thresholds is None) != (failure_costs is None):
        raise InputError("thresholds, failure_costs: expected both or neither, got one")
    if thresholds is not None and primitive is None:
        raise InputError("primitive_assets: expected the values that thresholds are for, got none")
    wave = np.zeros(len(names), dtype=np.int64)
    initial = market = cost = None
    told |= {"thresholds": None, "failure_costs": None}
    if primitive is not None:
        gross = _gross(shares)
        initial = market = held_outside(shares) * gross(primitive)
        cost = np.zeros(len(names))
        if thresholds is not None:
            limit, price = checked_limits(thresholds, failure_costs, names)
            told |= {"thresholds": told_values(limit, names), "failure_costs": told_values(price, names)}
            market, cost, wave = _failures(lambda owned: held_outside(shares) * gross(owned), initial, limit, price)
    held = f"{counted(len(names), 'organisation')}, {counted(shares.nnz, 'link')}, {told_matrix(shares, names, names)}"
    return CrossHoldings(
        labels=names,
        shares=shares,
        primitive_usd=primitive,
        initial=initial,
        market=market,
        cost=cost,
        wave=wave,
        provenance=Provenance("cross_holdings", None, {"C": held, **told}),
    )


def _failures(
    valued: Callable[[Floats], Floats], initial: Floats, limit: Floats, price: Floats
) -> tuple[Floats, Floats, Ints]:
    """Waves of failures from none; a wave can only add to the last one, so that there are n at most."""
    market = initial
    wave, cost = np.zeros(len(limit), dtype=np.int64), np.zeros(len(limit))
    slack = ROUNDING * np.maximum(np.abs(limit), np.abs(initial))
    for number in range(1, len(limit) + 1):
        new = (market < limit - slack) & (wave == 0)
        if not new.any():
            break
        wave[new], cost[new] = number, price[new]
        market = initial - valued(cost)
    return market, cost, wave


def _gross(shares: sparse.csr_array) -> Callable[[Floats], Floats]:
    r"""Give the map :math:`d \mapsto (I - C)^{-1} d`: values with everything held counted at every holder.

    Small systems by LU. In large ones, where LU could fill in to n × n, the series :math:`x \leftarrow d + C x` for
    the positive and the negative part of d: each only grows, so that every entry ends with all of its digits.
    """
    n = shares.shape[0]
    if n > FACTORED:
        return lambda d: _series_sum(shares, np.maximum(d, 0.0)) - _series_sum(shares, np.maximum(-d, 0.0))
    factors = sparse_linalg.splu(sparse.csc_array(sparse.eye_array(n) - shares))
    return lambda d: np.asarray(factors.solve(d), dtype=np.float64)


def _series_sum(shares: sparse.csr_array, owned: Floats) -> Floats:
    total, growth = owned, 1.0
    for _ in range(ROUNDS):
        new: Floats = owned + shares @ total
        if (new - total <= SETTLED * new).all():
            return new
        total, growth = new, float((new - total).sum() / new.sum())
    raise ConvergenceError(f"cross_holdings: values still grew by {growth:.1e} a round after {ROUNDS:,} rounds")
