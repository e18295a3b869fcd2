"""Maker's liquidations 2.0: collateral of an unsafe vault goes to auction, within limits on what is up at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from riskgraph.arrays import Bools, Ints, Labels
from riskgraph.errors import InputError
from riskgraph.margin.dutch_auction import RAD, RAY, WAD, Auction
from riskgraph.margin.rounding import Amounts, exact, quotient, rounded_down
from riskgraph.margin.rules.rule import Rule
from riskgraph.snapshot.schema import SIDES

if TYPE_CHECKING:
    from riskgraph.margin.ledger import Ledger, Request
    from riskgraph.margin.terms import Terms

__all__ = ["Maker", "all_dirt"]

# What a buyer gains, and what the system loses, is known when the lot is sold.
_NOTHING_YET = {
    "bonus_usd": 0.0,
    "fee": 0.0,
    "fee_usd": 0.0,
    "bad_debt": 0.0,
    "bad_debt_usd": 0.0,
    "written_off": False,
}


class Maker(Rule):
    r"""``Dog.bark`` of Maker: a vault is one margin account with one collateral and one debt, an ilk its collateral.

    .. math:: \text{room} = \min(Hole - Dirt,\ hole_i - dirt_i), \qquad
              dart = \min\!\Big(art,\ \frac{\text{room}}{rate \cdot chop}\Big), \qquad
              dink = ink \frac{dart}{art}, \qquad tab = dart \cdot rate \cdot chop

    All of it where the rest would be below ``dust``. The debt leaves the vault at once; the lot is held by the
    protocol's treasury until it is sold. Whoever starts the auction is paid ``tip + chip · tab`` by the system. Where
    the decimals of both tokens are known, amounts are rounded to 18 digits, prices to 27 and their products to 45.

    References
    ----------
    .. [1] makerdao/dss, ``dog.sol``, ``clip.sol``, ``abaci.sol``.
    """

    name: ClassVar[str] = "maker"
    healthy_reason: ClassVar[str] = "not-unsafe"
    reaches_market: ClassVar[str] = "auction"
    bearer: ClassVar[str] = "system"
    asks: ClassVar[tuple[str, ...]] = ()

    def carry_out(self, ledger: Ledger, request: Request) -> None:
        """Start an auction a call, one after another: each takes room from the next."""
        for wave in request.waves():
            self._bark(ledger, wave)

    def _bark(self, ledger: Ledger, request: Request) -> None:
        before = ledger.health()[request.margin]
        vaults = _vaults(ledger, request.margin)
        refused, lots = _started(ledger, vaults)
        collateral, debt = ledger.asset[vaults.pledged], ledger.asset[vaults.owed]
        treasury = ledger.terms.protocol_label
        ledger.move(vaults.owed, -lots.due, "auctioned")
        ledger.move(vaults.pledged, -lots.lot, "auctioned")
        ledger.credit(treasury, treasury, "deposit", collateral, lots.lot, "auctioned")
        if request.liquidator:
            ledger.credit(request.liquidator, "", "wallet", debt, lots.keeper_pay, "keeper pay")
        ledger.to_system(-sum((lots.keeper_pay * vaults.par).tolist()))
        number = _open_auctions(ledger, request.margin, vaults, lots)
        ledger.steps.append(
            {
                **ledger.place(request.margin),
                "debt_asset": ledger.label("asset", debt),
                "collateral_asset": ledger.label("asset", collateral),
                "liquidatable": vaults.unsafe,
                "refused": refused,
                "health_before": before,
                "health_after": ledger.health()[request.margin],
                "repaid": lots.due,
                "repaid_usd": lots.due * vaults.par,
                "seized": lots.lot,
                "seized_usd": lots.lot * vaults.oracle,
                **_NOTHING_YET,
                "action": "bark",
                "auction": number,
                "tab": lots.tab,
                "top": np.where(refused == "", lots.top, 0),
                "keeper_pay": lots.keeper_pay,
            }
        )


@dataclass(frozen=True, eq=False)
class _Vaults:
    """Vaults as the contract sees them, arrays of shape (n,): ``pledged`` and ``owed`` are their rows (-1: none).

    Amounts are units, prices units of debt a unit of collateral, ``par`` and ``oracle`` USD a unit; scales are 0 where
    the decimals of a token are not known.
    """

    pledged: Ints
    owed: Ints
    ink: Amounts
    debt: Amounts
    art: Amounts
    rate: Amounts
    chop: Amounts
    dust: Amounts
    tip: Amounts
    chip: Amounts
    buf: Amounts
    oracle: Amounts
    par: Amounts
    unsafe: Bools
    wad: Amounts
    ray: Amounts
    rad: Amounts


@dataclass(frozen=True, eq=False)
class _Lots:
    """What goes to auction from each vault, arrays of shape (n,); 0 where nothing does."""

    lot: Amounts
    due: Amounts
    tab: Amounts
    top: Amounts
    keeper_pay: Amounts


def _vaults(ledger: Ledger, margin: Ints) -> _Vaults:
    from riskgraph.margin.ledger import COLLATERAL, DEBT

    pledged, owed = (_only_row(ledger, margin, side) for side in (COLLATERAL, DEBT))
    terms = {name: _term(ledger, pledged, name) for name in ("rate", "chop", "dust", "tip", "chip", "buf")}
    known = (ledger.scale[pledged] > 0) & (ledger.scale[owed] > 0)
    wad, ray, rad = (np.where(known, np.array(scale, dtype=ledger.scale.dtype), 0) for scale in (WAD, RAY, RAD))
    ink, debt, par = ledger.amount[pledged], ledger.amount[owed], ledger.price[owed]
    art = rounded_down(debt / terms["rate"], wad)
    spot = rounded_down(quotient(ledger.price[pledged] * ledger.threshold[pledged], par), ray)
    weighted = ink * spot * par + ledger.extra_weighted[margin]
    unsafe = np.asarray(weighted < art * terms["rate"] * par + ledger.extra_debt[margin], dtype=np.bool_)
    priced = np.asarray(spot > 0, dtype=np.bool_) | (pledged < 0)  # what has no price is not called unsafe
    return _Vaults(
        pledged, owed, ink, debt, art, **terms, oracle=ledger.price[pledged], par=par,
        unsafe=unsafe & priced, wad=wad, ray=ray, rad=rad,
    )  # fmt: skip


def _only_row(ledger: Ledger, margin: Ints, side: int) -> Ints:
    """Row of each vault on a side: the one that holds something."""
    held = np.flatnonzero((ledger.side == side) & np.asarray(ledger.amount > 0, dtype=np.bool_))
    count = np.bincount(ledger.margin[held], minlength=len(ledger.margins))
    several = margin[count[margin] > 1]
    if len(several):
        who = ", ".join(ledger.place(np.unique(several)[:5])["account"])
        raise InputError(
            f"positions.bucket: expected vaults of one {SIDES[side]} each at {ledger.terms.protocol_label} (rule "
            f"maker; several vaults of one account stand in buckets), got several for {who}"
        )
    rows = ledger.row_of(margin, np.full(len(margin), -1), side)
    held_row = np.full(len(ledger.margins), -1)
    held_row[ledger.margin[held]] = held
    return np.where(held_row[margin] >= 0, held_row[margin], rows)


def _term(ledger: Ledger, pledged: Ints, name: str) -> Amounts:
    """Give a term of the vaults' ilk; 1 where there is no collateral that would tell the ilk."""
    return ledger.numbers(np.where(pledged >= 0, ledger.terms.of_assets(name, ledger.asset[pledged]), 1.0))


def _started(ledger: Ledger, vaults: _Vaults) -> tuple[Labels, _Lots]:
    """Say of each vault why nothing goes to auction, else what does. A loop: each lot takes room from the next."""
    n = len(vaults.ink)
    refused, dart = np.full(n, Maker.healthy_reason, dtype=object), ledger.numbers(np.zeros(n))
    holes, ilks = _Holes(ledger), ledger.label("asset", ledger.asset[vaults.pledged]).tolist()
    names = ("ink", "art", "rate", "chop", "dust", "wad", "rad")
    columns = {name: getattr(vaults, name).tolist() for name in names}
    for at in np.flatnonzero(vaults.unsafe).tolist():
        vault = {name: column[at] for name, column in columns.items()}
        refused[at], dart[at] = _fitting(vault, holes.room(ilks[at]))
        if not refused[at]:
            holes.fill(ilks[at], _down(dart[at] * vault["rate"] * vault["chop"], vault["rad"]))
    holes.close()
    return refused, _lots(vaults, dart)


class _Holes:
    """Debt in auction, of each collateral and of all, against what may be."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.hole, self.dirt = ledger.now("protocols", "hole"), _dirt(ledger)
        self.of: dict[str, list[Any]] = {}

    def room(self, ilk: str) -> Any:
        """Debt that may still go to auction."""
        if ilk not in self.of and ilk:
            self.of[ilk] = [self.ledger.now("markets", name, ilk) for name in ("hole", "dirt")]
        hole, dirt = self.of.get(ilk, (self.hole, self.dirt))
        return min(self.hole - self.dirt, hole - dirt)

    def fill(self, ilk: str, tab: Any) -> None:
        """Count debt that goes to auction."""
        self.dirt += tab
        self.of[ilk][1] += tab

    def close(self) -> None:
        """Write down what is in auction now, where that has changed."""
        if self.dirt != _dirt(self.ledger):
            self.ledger.change("protocols", "dirt", self.dirt)
            for ilk, (_, dirt) in self.of.items():
                self.ledger.change("markets", "dirt", dirt, ilk)


def _dirt(ledger: Ledger) -> Any:
    return ledger.now("protocols", "dirt", otherwise=ledger.numbers(all_dirt(ledger.terms))[0])


def all_dirt(terms: Terms) -> float:
    """Debt in auction at a protocol: given, else that of all its markets together."""
    given = terms.given("dirt")
    assets = np.arange(len(terms.snap.labels("asset")))
    return float(terms.of_assets("dirt", assets).sum()) if np.isnan(given) else given


def _fitting(vault: Mapping[str, Any], room: Any) -> tuple[str, Any]:
    """Why a vault cannot go to auction, else the normalised debt that does."""
    if room <= 0:
        return "liquidation-limit-hit", 0
    art, rate, dust = vault["art"], vault["rate"], vault["dust"]
    dart = min(art, _down(room / (rate * vault["chop"]), vault["wad"]))
    if (art - dart) * rate < dust:
        dart = art  # no dust stays, holes or not
    elif dart < art and dart * rate < dust:
        return "dusty-auction-from-partial-liquidation", 0
    lot = vault["ink"] if dart == art else _down(vault["ink"] * dart / art, vault["wad"])
    return ("", dart) if min(lot, dart) > 0 else ("null-auction", 0)


def _down(value: Any, scale: Any) -> Any:
    """Round one number down, as :func:`rounded_down` does arrays."""
    kind = np.float64 if isinstance(value, float) else object
    return rounded_down(np.array([value], dtype=kind), np.array([scale], dtype=kind))[0] if scale else value


def _lots(vaults: _Vaults, dart: Amounts) -> _Lots:
    """Say what goes to auction where this much normalised debt does; all of a vault is all of its rows."""
    some, whole = np.asarray(dart > 0, dtype=np.bool_), np.asarray(dart == vaults.art, dtype=np.bool_)
    lot = rounded_down(quotient(vaults.ink * dart, vaults.art), vaults.wad)
    due = np.where(some & whole, vaults.debt, dart * vaults.rate)
    tab = rounded_down(due * vaults.chop, vaults.rad)
    pay = np.where(some, vaults.tip + rounded_down(tab * vaults.chip, vaults.rad), 0)
    top = rounded_down(quotient(vaults.oracle, vaults.par) * vaults.buf, vaults.ray)
    return _Lots(np.where(some & whole, vaults.ink, lot), due, tab, top, pay)


def _open_auctions(ledger: Ledger, margin: Ints, vaults: _Vaults, lots: _Lots) -> Ints:
    """Note the auctions; give the number of each vault's, 0 where none has started."""
    number = np.zeros(len(margin), dtype=np.int64)
    place = ledger.place(margin)
    debt, collateral = (ledger.label("asset", ledger.asset[rows]) for rows in (vaults.owed, vaults.pledged))
    top, lot, tab, due = (_fractions(values) for values in (lots.top, lots.lot, lots.tab, lots.due))
    for at in np.flatnonzero(np.asarray(lots.lot > 0, dtype=np.bool_)).tolist():
        number[at] = len(ledger.auctions) + 1
        where = (place["account"][at], place["protocol"][at], place["bucket"][at], debt[at], collateral[at])
        amounts = (top[at], lot[at], tab[at], due[at])
        ledger.auctions.append(Auction(int(number[at]), *where, *amounts, rounded=bool(vaults.wad[at] > 0)))
    return number


def _fractions(values: Amounts) -> Amounts:
    return values if values.dtype == object else exact(values)
