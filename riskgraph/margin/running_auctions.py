"""Maker's auctions in a cascade: how their prices fall, and what stands in them, on arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Bools, Floats, Ints
from riskgraph.errors import InputError

if TYPE_CHECKING:
    from riskgraph.margin.terms import Terms

__all__ = ["Auctions", "IlkTerms"]

_SHAPES = ("stairstep", "linear", "exponential")
_STAIR = 0.99  # what governance takes for a step of 90 seconds; there is no such habit for a second


@dataclass(frozen=True, eq=False)
class IlkTerms:
    """Terms of every collateral at one Maker protocol: the contract's parameters by their names, arrays by asset.

    ``shape`` is a place in (stairstep, linear, exponential); ``cut`` and ``tau`` are NaN where they are needed and
    nobody gave them.
    """

    rate: Floats
    chop: Floats
    dust: Floats
    tip: Floats
    chip: Floats
    buf: Floats
    tail: Floats
    cusp: Floats
    cut: Floats
    step: Floats
    tau: Floats
    shape: Ints

    @classmethod
    def of(cls, terms: Terms) -> IlkTerms:
        """Read them off the table ``markets``."""
        every = np.arange(len(terms.snap.labels("asset")))
        names = [one.name for one in fields(cls) if one.name != "shape"]
        given = {name: np.array(terms.of_assets(name, every)) for name in names}
        shape = np.array([_SHAPES.index(terms.choice("auction_price", int(asset))) for asset in every])
        given["cut"][(shape == 0) & np.isnan(given["cut"])] = _STAIR
        return cls(**given, shape=shape)

    def check(self, terms: Terms, assets: Ints) -> None:
        """Refuse collateral that goes to auction and whose price nobody can tell."""
        for asset in np.unique(assets).tolist():
            shape = int(self.shape[asset])
            name = "tau" if shape == 1 else "cut"
            if np.isnan((self.tau if shape == 1 else self.cut)[asset]):
                raise InputError(
                    f"markets.{name}: expected a value where auction_price is {_SHAPES[shape]}, got none for "
                    f"{terms.snap.labels('asset')[asset]} at {terms.protocol_label}"
                )

    def share(self, asset: Ints, age: Floats) -> Floats:
        r"""Price ÷ first price of auctions at some ages, seconds.

        .. math:: cut^{\lfloor t / step \rfloor}, \qquad (1 - t / \tau)^+, \qquad cut^t

        >>> nan = np.nan
        >>> def ilk(shape, cut, tau):
        ...     return IlkTerms(*(np.ones(1) for _ in range(8)), np.array([cut]), np.array([90.0]), np.array([tau]),
        ...                     np.array([shape]))
        >>> [float(one.share(np.array([0]), np.array([200.0]))[0]) for one in (ilk(0, 0.5, nan), ilk(1, nan, 800.0))]
        [0.25, 0.75]
        """
        shape, cut = self.shape[asset], np.nan_to_num(self.cut[asset])
        steps = np.where(shape == 0, np.floor(age / self.step[asset]), age)
        fallen = np.maximum(1.0 - age / np.nan_to_num(self.tau[asset], nan=1.0), 0.0)
        return np.where(shape == 1, fallen, cut**steps)


@dataclass(eq=False)
class Auctions:
    """Lots that are up for sale, arrays of shape (n,); they change as the cascade goes on.

    ``margin`` is the owner's margin account, ``asset`` and ``debt`` codes; ``top`` the first price (units of debt a
    unit of collateral), ``lot`` (units of collateral) and ``tab`` (units of debt, penalty included) what is left,
    ``due`` the debt that the vault was relieved of, ``paid`` (units of debt) what came in so far. ``start`` is the
    round in which the price began to fall, ``seen`` the market price then, ``taken`` whether anything was sold since;
    ``stuck`` says that nobody will ever take it unless prices change.
    """

    margin: Ints
    asset: Ints
    debt: Ints
    top: Floats
    lot: Floats
    tab: Floats
    due: Floats
    paid: Floats
    start: Ints
    seen: Floats
    taken: Bools
    stuck: Bools

    def __len__(self) -> int:
        return len(self.margin)

    @classmethod
    def started(
        cls, number: int, margin: Ints, asset: Ints, debt: Ints, top: Floats, lot: Floats, tab: Floats, due: Floats,
        seen: Floats,
    ) -> Auctions:  # fmt: skip
        """Put up lots in a round."""
        n = len(margin)
        no = np.zeros(n, dtype=np.bool_)
        return cls(margin, asset, debt, top, lot, tab, due, np.zeros(n), np.full(n, number), seen, no, no.copy())

    @classmethod
    def none(cls) -> Auctions:
        """Give no auctions."""
        code, zero = np.zeros(0, dtype=np.int64), np.zeros(0)
        return cls.started(0, code, code, code, zero, zero, zero, zero, zero)

    def part(self, which: Bools) -> Auctions:
        """Give some of them."""
        return Auctions(**{one.name: getattr(self, one.name)[which] for one in fields(self)})

    def joined(self, other: Auctions) -> Auctions:
        """Give these and others after them."""
        names = [one.name for one in fields(self)]
        return Auctions(**{name: np.append(getattr(self, name), getattr(other, name)) for name in names})
