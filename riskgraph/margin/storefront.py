"""Absorbed collateral for sale: Compound v3's storefront."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Ints
from riskgraph.errors import InputError
from riskgraph.margin.aftermath import movements_of, snapshot_after
from riskgraph.margin.call_inputs import amounts_of, code_of, liquidator_of
from riskgraph.margin.ledger import DEPOSIT, Ledger
from riskgraph.margin.rounding import Amounts, exact, quotient, rounded_down
from riskgraph.margin.rules.compound_v3 import base_asset_of, change_reserves, reserves_of, unpriced
from riskgraph.margin.rules.rule import above
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.provenance import Provenance
from riskgraph.showing import Showing
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["StorefrontSale", "buy_collateral"]


@dataclass(frozen=True, eq=False)
class StorefrontSale(Showing):
    """One purchase of absorbed collateral, and what it leaves.

    ``refused`` is empty, or the contract's reason: then nothing moves. ``price`` is the discounted one, USD a unit;
    ``quoted`` what the base asset offered would buy, ``bought`` what it buys (units of ``asset``), ``paid`` units of
    ``base_asset``; ``reserves_before`` and ``reserves_after`` are the protocol's own, units of the base asset.
    """

    protocol: str
    asset: str
    base_asset: str
    refused: str
    price: float
    quoted: float
    bought: float
    bought_usd: float
    paid: float
    paid_usd: float
    reserves_before: float
    reserves_after: float
    movements: pd.DataFrame
    after: Snapshot
    provenance: Provenance

    @property
    def bonus_usd(self) -> float:
        """What the buyer gains at the oracle's prices."""
        return self.bought_usd - self.paid_usd

    def to_frame(self) -> pd.DataFrame:
        """Give one row with every number."""
        import pandas as pd

        names = [name for name in type(self).__annotations__ if name not in ("movements", "after", "provenance")]
        return pd.DataFrame([{**{name: getattr(self, name) for name in names}, "bonus_usd": self.bonus_usd}])

    def summary(self) -> str:
        """Say in a line what was bought, or why nothing was."""
        what = f"{self.asset} of {self.protocol} at {self.price:,.6g}"
        if self.refused:
            return f"{what}: refused, {self.refused}"
        return (
            f"{what}: {self.bought:,.6g} (${self.bought_usd:,.0f}) for {self.paid:,.6g} {self.base_asset} "
            f"(${self.paid_usd:,.0f}); reserves then {self.reserves_after:,.6g}"
        )

    def __repr__(self) -> str:
        return f"<StorefrontSale: {self.summary()}>"


def buy_collateral(
    snap: Snapshot, protocol: str, asset: str, *, base: float, liquidator: str | None = None
) -> StorefrontSale:
    r"""Buy absorbed collateral from a Compound v3 market, exactly as ``Comet.buyCollateral`` does it.

    .. math:: \text{out} = \frac{\text{base} \cdot p_{base}}{p_i (1 - f (1 - LF_i))}

    with ``f`` the ``storefront_price_factor`` and ``LF`` the ``liquidation_factor``.

    Parameters
    ----------
    snap : Snapshot
        The book, mostly ``rg.liquidate(…).after``; what the protocol's own account holds there is for sale.
    protocol, asset : str
        Where, and which collateral.
    base : float
        Units of the base asset offered.
    liquidator : str, optional
        An account whose wallet pays and receives; by default somebody outside the snapshot.

    Returns
    -------
    StorefrontSale
        ``after`` (Snapshot) and what moved. A refused call gives the contract's reason: ``NotForSale`` where reserves
        are not below ``target_reserves``, ``InsufficientReserves`` where less is held than would be bought,
        ``BadPrice`` where an oracle (of 8 digits where decimals are known) shows no price.

    Raises
    ------
    InputError
        Protocol or asset is unknown, the protocol's rule is another, the amount is negative, a parameter is missing, or
        a named liquidator's wallet does not hold what is paid.

    References
    ----------
    .. [1] compound-finance/comet, ``Comet.sol``: ``buyCollateral``, ``quoteCollateral``.

    Examples
    --------
    Half of a penalty of 5 % is the buyer's: ETH at 2,000 is sold at 1,950. 10 ETH stand in the protocol's own account.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["comet"], "protocol": ["comet"], "asset": ["ETH"], "side": ["deposit"], "amount": [10.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [2000.0, 1.0]}),
    ...     protocols=pd.DataFrame({"protocol": ["comet"], "rule": ["compound_v3"], "base_asset": ["USDC"],
    ...                             "reserves": [-7000.0], "target_reserves": [1000.0]}),
    ...     markets=pd.DataFrame({"protocol": ["comet"], "asset": ["ETH"], "liquidation_factor": [0.95]}))
    >>> sale = rg.buy_collateral(snap, "comet", "ETH", base=7800.0)
    >>> sale.price, sale.bought, sale.bonus_usd, sale.reserves_after
    (1950.0, 4.0, 200.0, 800.0)
    >>> sale = rg.buy_collateral(sale.after, "comet", "ETH", base=7800.0)
    >>> sale.bought, sale.reserves_after, rg.buy_collateral(sale.after, "comet", "ETH", base=1.0).refused
    (4.0, 8600.0, 'NotForSale')
    """
    check_snapshot(snap)
    ledger = _books(snap, protocol)
    good, lent = code_of(snap, "asset", asset, "asset"), base_asset_of(ledger)
    if good == lent:
        raise InputError(f"asset: expected a collateral asset, got {asset!r}, the base asset of {protocol}")
    buyer, offered = liquidator_of(snap, liquidator), _offer(ledger, lent, base)
    pair = np.array([good, lent])
    shown = ledger.numbers(ledger.terms.prices(pair))
    row, reserves = _treasury_row(ledger, good), reserves_of(ledger, shown[1])
    held = ledger.amount[row][0]
    price, quoted = _quoted(ledger, good, shown, offered)
    refused = _refused(ledger, pair, shown, price, quoted, held, reserves)
    bought, paid = (0, 0) if refused else (min(quoted, held), offered)
    if not refused:
        _settle(ledger, pair, row, bought, paid, buyer)
        change_reserves(ledger, reserves + paid, shown[1])
    numbers = {
        "price": price, "quoted": quoted, "bought": bought, "bought_usd": bought * shown[0], "paid": paid,
        "paid_usd": paid * shown[1], "reserves_before": reserves, "reserves_after": reserves + paid,
    }  # fmt: skip
    arguments = {"protocol": protocol, "asset": asset, "base": base} | ({"liquidator": buyer} if buyer else {})
    return StorefrontSale(
        protocol,
        asset,
        ledger.label("asset", np.array([lent]))[0],
        refused,
        **{name: float(value) for name, value in numbers.items()},
        movements=movements_of(ledger),
        after=snap if refused else snapshot_after(ledger, f"a purchase of {asset} from {protocol}"),
        provenance=Provenance("buy_collateral", snap.digest, arguments),
    )


def _books(snap: Snapshot, protocol: str) -> Ledger:
    """Open the books of the protocol's own account."""
    code = code_of(snap, "protocol", protocol, "protocol")
    if snap.venues.rule[code] != "compound_v3":
        raise InputError(
            f"protocol: expected one under rule compound_v3, got {protocol!r} under {snap.venues.rule[code]}"
        )
    book, treasury = snap.book, int(snap.labels("account").index(protocol).as_py())
    own = (book.margin_account == treasury) & (book.margin_protocol == code) & (book.margin_bucket < 0)
    return Ledger(snap, code, rule_named("compound_v3"), np.flatnonzero(own))


def _offer(ledger: Ledger, lent: int, base: float) -> Any:
    """Give the base asset offered, in whole units of the token."""
    units = amounts_of("base", base)
    if np.isinf(units[0]):
        raise InputError("base: expected a finite number of units, got infinity")
    return rounded_down(exact(units), ledger.scales[np.array([lent])])[0]


def _treasury_row(ledger: Ledger, asset: int) -> Ints:
    """Row in which the protocol itself holds the asset, shape (1,); -1, which is empty, where it holds none."""
    return np.append(np.flatnonzero((ledger.side == DEPOSIT) & (ledger.asset == asset)), -1)[:1]


def _quoted(ledger: Ledger, good: int, shown: Amounts, offered: Any) -> tuple[Any, Any]:
    """Give the discounted price, USD a unit, and what the offer buys at it; 0 where there is no price."""
    factor = ledger.numbers(ledger.terms.of_assets("liquidation_factor", np.array([good])))
    part = ledger.numbers(ledger.terms.number("storefront_price_factor"))
    scale = ledger.scales[np.array([good])]
    price = rounded_down(shown[:1] * (1 - part * (1 - factor)), ledger.usd_scale(scale))
    value = rounded_down(quotient(offered * shown[1:], price), scale)
    return price[0], value[0]


def _refused(ledger: Ledger, pair: Ints, shown: Amounts, price: Any, quoted: Any, held: Any, reserves: Any) -> str:
    """Why the contract sells nothing, in the order in which it looks; empty where it sells."""
    target = ledger.numbers(ledger.terms.number("target_reserves"))[0]
    if reserves >= target:
        return "NotForSale"
    if unpriced(shown, ledger.usd_scale(ledger.scales[pair])).any():
        return "BadPrice"
    if price <= 0:
        return "Panic(0x12)"  # the contract divides by a price that its rounding or the discount has made 0
    return "InsufficientReserves" if above(quoted, np.array(held)) else ""


def _settle(ledger: Ledger, pair: Ints, row: Ints, bought: Any, paid: Any, buyer: str) -> None:
    good, lent, out, into = (np.array([one]) for one in (*pair.tolist(), bought, paid))
    ledger.move(row, -out, "bought")
    if buyer:
        ledger.credit(buyer, "", "wallet", good, out, "bought")
        ledger.credit(buyer, "", "wallet", lent, -into, "paid")
