"""Clearing of a financial network: what every bank pays when some cannot pay all that they owe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints, Labels, read_only
from riskgraph.contagion.amounts import usd
from riskgraph.contagion.fictitious import TOLERANCE, Debts, greatest, least
from riskgraph.contagion.obligations import checked_recoveries, read_obligations
from riskgraph.errors import InputError
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from scipy import sparse

__all__ = ["Clearing", "clearing"]

SENIORITIES = ("equal", "senior", "junior")
DIRECTIONS = {"greatest": greatest, "least": least}


@dataclass(frozen=True, eq=False, repr=False)
class Clearing(Showing):
    """What every bank pays and keeps when all settle at once.

    Attributes
    ----------
    labels : ndarray of str, shape (n,)
    external_assets, incoming : ndarray, shape (n,)
        Own cash before any default costs, and what the other banks pay to each (USD).
    owed_interbank, owed_external, paid_interbank, paid_external : ndarray, shape (n,)
        USD owed and paid to other banks and to all others.
    fails : ndarray of bool, shape (n,)
        Banks that cannot pay all that they owe; lacking no more than rounding (1e-12 of what a bank owes, owns and is
        owed) is not a default.
    round_of : ndarray of int, shape (n,)
        See ``levels``; −1 where there is none.
    rounds : int
        Rounds that moved a bank: in which banks fell (``greatest``), or proved able to pay by others' payments
        (``least``).
    which, seniority : str
    notes : tuple of str
        What a reader should know about these numbers, in words.
    provenance : Provenance
    """

    labels: Labels
    external_assets: Floats
    incoming: Floats
    owed_interbank: Floats
    owed_external: Floats
    paid_interbank: Floats
    paid_external: Floats
    fails: Bools
    round_of: Ints
    rounds: int
    which: str
    seniority: str
    notes: tuple[str, ...]
    provenance: Provenance

    def __post_init__(self) -> None:
        for array in vars(self).values():
            if isinstance(array, np.ndarray):
                read_only(array)

    def __len__(self) -> int:
        return len(self.labels)

    def _series(self, values: Any, name: str) -> pd.Series[Any]:
        import pandas as pd

        return pd.Series(values, index=pd.Index(self.labels, name="bank"), name=name)

    @cached_property
    def payments(self) -> pd.Series[float]:
        """USD that each bank pays on all its debts, external ones included: the clearing vector p."""
        return self._series(self.paid_interbank + self.paid_external, "payment")

    @cached_property
    def interbank_payments(self) -> pd.Series[float]:
        """USD that each bank pays to other banks."""
        return self._series(self.paid_interbank, "interbank_payment")

    @cached_property
    def external_payments(self) -> pd.Series[float]:
        """USD that each bank pays on its external liabilities."""
        return self._series(self.paid_external, "external_payment")

    @cached_property
    def equity(self) -> pd.Series[float]:
        """External assets + payments that come in − all that is owed, USD: below 0 what a defaulter lacks.

        Default costs are not in it: they are borne by the creditors (see ``default_costs``).
        """
        owed = self.owed_interbank + self.owed_external
        return self._series(self.external_assets + self.incoming - owed, "equity")

    @cached_property
    def recovery(self) -> pd.Series[float]:
        """Share of all its debts that each bank pays, 0 to 1; 1 where it owes nothing."""
        owed = self.owed_interbank + self.owed_external
        paid = self.paid_interbank + self.paid_external
        return self._series(np.divide(paid, owed, out=np.ones(len(self)), where=owed > 0.0), "recovery")

    @cached_property
    def defaulted(self) -> pd.Series[bool]:
        """Whether each bank cannot pay all that it owes."""
        return self._series(self.fails, "defaulted")

    @cached_property
    def levels(self) -> pd.Series[Any]:
        """Round in which each bank's fate was known, <NA> where there is none.

        ``greatest``: the insolvency level of each defaulter (0: it fails although all others pay in full; 1: because
        those fail; …). ``least``: of each bank that pays in full (0: from its own cash; 1: by what comes in then; …).
        """
        import pandas as pd

        values = pd.array(self.round_of, dtype="Int64")
        values[self.round_of < 0] = pd.NA
        return self._series(values, "level")

    @cached_property
    def default_costs(self) -> float:
        """USD that defaults destroy: what defaulters have, less what they pay; 0 with full recoveries."""
        left = self.external_assets + self.incoming - self.paid_interbank - self.paid_external
        return float(left[self.fails].sum())

    def to_frame(self) -> pd.DataFrame:
        """Frame by bank: what it has, owes and pays in USD, equity, recovery, defaulted and level."""
        import pandas as pd

        columns = {
            "external_assets": self.external_assets,
            "incoming": self.incoming,
            "owed_interbank": self.owed_interbank,
            "owed_external": self.owed_external,
        }
        paid = (self.payments, self.interbank_payments, self.external_payments)
        derived = (*paid, self.equity, self.recovery, self.defaulted, self.levels)
        found = {str(part.name): part.array for part in derived}
        return pd.DataFrame({**columns, **found}, index=self.payments.index)

    def summary(self) -> str:
        """Say in a few lines who fails and what is paid."""
        owed = float(self.owed_interbank.sum() + self.owed_external.sum())
        alpha, beta = (self.provenance.arguments[f"{what}_recovery"] for what in ("external", "interbank"))
        rounds = counted(self.rounds, "round")
        ended = f" in {rounds}" if self.which == "greatest" else f" ({rounds} up from no payment)"
        lines = [
            f"Clearing, {self.which} vector, external liabilities {self.seniority}, {counted(len(self), 'bank')}",
            f"left in default: α = {alpha:g} of external assets, β = {beta:g} of what banks pay",
            f"defaults: {int(self.fails.sum()):,}{ended}",
            f"paid: {usd(float(self.payments.sum()))} of {usd(owed)} owed",
            f"lost by banks: {usd(float((self.owed_interbank - self.paid_interbank).sum()), owed)}, "
            f"by others: {usd(float((self.owed_external - self.paid_external).sum()), owed)}",
        ]
        if min(alpha, beta) < 1.0:
            lines.append(f"destroyed by default costs: {usd(self.default_costs, owed)}")
        return "\n".join((*lines, *self.notes))

    def shown_tables(self) -> list[pd.DataFrame]:
        """Give the banks that pay least of what they owe."""
        return [self.to_frame().sort_values("recovery", kind="stable").head(10)]

    def plot(self, ax: Axes | None = None, *, top: int = 12) -> Axes:
        """Draw what the banks pay of what they owe, those that pay least first."""
        from riskgraph.view.figures.charts import bars

        told = self.to_frame().sort_values("recovery", kind="stable").head(top)
        names, values = [str(name) for name in told.index], told["recovery"].fillna(1.0).tolist()
        return bars(names, values, ax=ax, title="Recovery", unit="share of debt", source=str(self.provenance))

    def __repr__(self) -> str:
        return (
            f"<Clearing: {self.which}, {counted(len(self), 'bank')}; {counted(int(self.fails.sum()), 'default')}, "
            f"{counted(self.rounds, 'round')}, {usd(float(self.payments.sum()))} paid>"
        )


def clearing(
    liabilities: ArrayLike | sparse.sparray | sparse.spmatrix | pd.DataFrame,
    external_assets: ArrayLike | pd.Series[Any] | Mapping[str, float],
    *,
    external_liabilities: ArrayLike | pd.Series[Any] | Mapping[str, float] | None = None,
    seniority: str = "equal",
    external_recovery: float = 1.0,
    interbank_recovery: float = 1.0,
    which: str = "greatest",
    labels: Sequence[str] | None = None,
) -> Clearing:
    r"""Settle all debts at once: a clearing vector of a network, with or without default costs.

    With :math:`\bar p` all that a bank owes, e its external assets, :math:`\Pi_{ij}` the part of its interbank
    payments that i owes to j and q what banks pay to banks, :math:`a = \Pi^\top q` comes in. Without costs [1]_

    .. math:: p = \min(\bar p, (e + a)^+)

    and with them [2]_ a bank pays :math:`\bar p` if :math:`e + a \ge \bar p`, else :math:`\alpha e + \beta a`. External
    liabilities x take their part of a defaulter's p pro rata (``equal``), before the banks (``senior``: q = (p − x)⁺)
    or after them (``junior``: q = min(p, debts to banks)).

    A finite sequence of linear systems, each solved to the level of rounding, gives it. A bank that lacks no more
    than 1e-12 of what it owes, owns and is owed counts as able to pay, since sums of payments round by that much and
    a bank with exactly what it owes must not fall by rounding.

    Parameters
    ----------
    liabilities : array, sparse matrix or DataFrame, shape (n, n)
        ``liabilities[i, j]`` in USD: i owes j. Zero diagonal. A frame has the same labels as index and columns;
        one whose index is named creditor, or its columns debtor, is refused.
    external_assets : array, or Series or mapping by label, shape (n,)
        e in USD, at least 0; by label every bank.
    external_liabilities : array, or Series or mapping by label, shape (n,), optional
        x in USD, at least 0, owed to others than these banks; default none.
    seniority : {"equal", "senior", "junior"}
        Rank of the external liabilities.
    external_recovery, interbank_recovery : float
        α and β in [0, 1]: the share of a defaulter's external assets, and of what other banks pay to it, that its
        creditors get.
    which : {"greatest", "least"}
        The largest clearing vector, or the smallest. Plain iteration up from zero can stop short of the smallest.
    labels : sequence of str, optional
        Default the frame's, or those of the first Series given (its order is that of the rows), or ``0`` to ``n-1``.

    Returns
    -------
    Clearing

    Raises
    ------
    InputError
        Shapes or labels that do not fit, amounts that are negative or not finite, a debt of a bank to itself, a
        recovery outside [0, 1], an unknown seniority or ``which``.
    ConvergenceError
        A nearly singular system of defaulters that could not be solved to rounding; carries the residual.

    References
    ----------
    .. [1] Eisenberg, Noe (2001), Management Science 47(2).
    .. [2] Rogers, Veraart (2013), Management Science 59(4).

    Examples
    --------
    A owes B 2, B owes A 2.2, each has 1, and defaulters lose half of everything. Iteration up from zero stops at
    (1, 1); but A then has 1 + 1, exactly what it owes, and pays all of it, so that B can, too:

    >>> run = clearing([[0, 2], [2.2, 0]], [1, 1], external_recovery=0.5, interbank_recovery=0.5, which="least")
    >>> run.payments.tolist()
    [2.0, 2.2]

    With 2 A pays whatever happens; with 0.1 B has 0.1 + 2 for debts of 2.2, and half of it is lost:

    >>> run = clearing([[0, 2], [2.2, 0]], [2, 0.1], external_recovery=0.5, interbank_recovery=0.5, labels=["A", "B"])
    >>> run.payments.round(12).to_dict(), run.defaulted.to_dict()
    ({'A': 2.0, 'B': 1.05}, {'A': False, 'B': True})
    """
    alpha, beta = checked_recoveries(external_recovery, interbank_recovery)
    for what, value, allowed in (("seniority", seniority, SENIORITIES), ("which", which, tuple(DIRECTIONS))):
        if value not in allowed:
            raise InputError(f"{what}: expected one of {', '.join(allowed)}, got {value!r}")
    terms = {"seniority": seniority, "external_recovery": alpha, "interbank_recovery": beta, "which": which}
    book = read_obligations(liabilities, external_assets, external_liabilities, labels)
    rank = seniority if book.external_liabilities.any() else "equal"
    debts = book.debts(rank, alpha, beta)
    run = DIRECTIONS[which](debts)
    cash = np.where(run.defaulted, alpha * debts.cash + beta * run.incoming, np.inf)
    banks, others = book.paid(cash, rank)
    return Clearing(
        labels=book.labels,
        external_assets=book.external_assets,
        incoming=run.incoming,
        owed_interbank=book.owed,
        owed_external=book.external_liabilities,
        paid_interbank=banks,
        paid_external=others,
        fails=run.defaulted,
        round_of=run.level,
        rounds=run.rounds,
        which=which,
        seniority=seniority,
        notes=_notes(debts, run.incoming, run.defaulted),
        provenance=Provenance("clearing", None, {**book.told, **terms}),
    )


def _notes(debts: Debts, incoming: Floats, fails: Bools) -> tuple[str, ...]:
    """Say which banks pay in full only within rounding."""
    bare = int(((debts.owed - debts.cash - incoming > 0.0) & ~fails).sum())
    if not bare:
        return ()
    their = "it owes, owns and is owed" if bare == 1 else "they owe, own and are owed"
    return (f"{counted(bare, 'bank')} counted as paying in full, lacking less than {TOLERANCE:.0e} of what {their}",)
