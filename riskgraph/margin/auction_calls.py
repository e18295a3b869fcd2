"""Purchases in running auctions: what a buyer takes, what the owner gets back, and what the system loses."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Ints
from riskgraph.errors import InputError
from riskgraph.margin.aftermath import movements_of, snapshot_after
from riskgraph.margin.call_inputs import amounts_of, liquidator_of
from riskgraph.margin.dutch_auction import RAD, Auction, AuctionTerms, Taken
from riskgraph.margin.ledger import Ledger
from riskgraph.margin.liquidation_calls import steps_frame
from riskgraph.margin.liquidation_results import Liquidated
from riskgraph.margin.rounding import Amounts, exact, filled, rounded_down
from riskgraph.margin.rules.maker import all_dirt
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.margin.terms import Terms
from riskgraph.provenance import Provenance

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["auction_take"]

_STAIR = Fraction(99, 100)  # what governance takes for a step of 90 seconds; there is no such habit for a second


def auction_take(
    liquidated: Liquidated,
    account: str,
    *,
    seconds: float,
    amount: float | None = None,
    auction: int | None = None,
    liquidator: str | None = None,
) -> Liquidated:
    r"""Buy from the auction of a vault's collateral, exactly as ``Clipper.take`` of Maker does it.

    .. math:: p(t) = \text{top} \cdot cut^{\lfloor t / step \rfloor}, \quad \text{top} \cdot cut^t \quad\text{or}\quad
              \text{top} \cdot (\tau - t)^+ / \tau, \qquad
              \text{paid} = \min(\text{slice} \cdot p,\ tab)

    by ``markets.auction_price``. Where less than ``chost = dust · chop`` of the tab would be left with part of the lot,
    the buyer pays only down to it; from a tab of at most that, only the whole lot can be bought.

    Parameters
    ----------
    liquidated : Liquidated
        What :func:`riskgraph.liquidate` gave, or an earlier purchase.
    account : str
        Whose vault's collateral.
    seconds : float
        Whole seconds since the auction was started, no less than at its last purchase.
    amount : float, optional
        Units of collateral asked for; by default all. More than the lot is cut to it.
    auction : int, optional
        Which auction (``liquidated.auctions``), where several of the account are open.
    liquidator : str, optional
        An account whose wallet pays and receives; by default somebody outside the snapshot.

    Returns
    -------
    Liquidated
        ``steps`` with the purchase appended: ``price`` (units of debt a unit of collateral), ``paid``, ``bought``,
        ``tab_left``, ``lot_left``, ``returned``, and as ``bad_debt`` what the system lost if the auction is over; a
        refused one gives the contract's reason (``needs-reset``, ``no-partial-purchase``, ``not-running-auction``).
        In ``after``, lots stand as deposits of the protocol's own account; what is left of one once the tab is paid
        becomes a deposit of the owner at the protocol (it no longer stands against the vault's debt). What was paid
        beyond (or short of) the debt is the system's gain (or loss): ``reserve_usd``, then ``deficit_usd``.

    Raises
    ------
    InputError
        The account has no auction, or several and none is named; seconds or amount are out of range; a parameter that
        the price needs is missing; a named liquidator's wallet does not hold what is paid.

    References
    ----------
    .. [1] makerdao/dss, ``clip.sol`` and ``abaci.sol``.

    Examples
    --------
    A vault of 10 ETH at 1,400 owes 10,000; at a ratio of 1.45 it may owe 9,655. With a penalty of 13 %, 11,300 are to
    be raised; the price starts at 1,400 · 1.2 and falls by a tenth every 100 seconds. After 250 it is 1,360.8; a buyer
    of 5 ETH pays 6,804, the next one the remaining 4,496 for 3.3039 ETH. The owner gets 1.6961 ETH back, the system
    gains the penalty of 1,300.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann"], "protocol": ["maker", "maker"], "asset": ["ETH", "DAI"],
    ...         "side": ["collateral", "debt"], "amount": [10.0, 10000.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "DAI"], "price": [1400.0, 1.0]}),
    ...     protocols=pd.DataFrame({"protocol": ["maker"], "rule": ["maker"]}),
    ...     markets=pd.DataFrame({"protocol": ["maker"], "asset": ["ETH"], "liquidation_ratio": [1.45],
    ...                           "cut": [0.9], "step": [100.0]}))
    >>> started = rg.liquidate(snap, "maker", ["ann"])
    >>> started.auctions[["lot", "tab", "due", "top"]].to_dict("records")
    [{'lot': 10.0, 'tab': 11300.0, 'due': 10000.0, 'top': 1680.0}]
    >>> sold = rg.auction_take(rg.auction_take(started, "ann", seconds=250, amount=5.0), "ann", seconds=250)
    >>> sold.steps[["action", "price", "paid", "bought", "tab_left", "returned"]].round(4).tail(2).to_dict("records")
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'action': 'take', 'price': 1360.8, 'paid': 6804.0, 'bought': 5.0, 'tab_left': 4496.0, 'returned': 0.0},
     {'action': 'take', 'price': 1360.8, 'paid': 4496.0, 'bought': 3.3039, 'tab_left': 0.0, 'returned': 1.6961}]
    >>> sold.after.protocols["reserve_usd"].tolist()
    [1300.0]
    """
    if not isinstance(liquidated, Liquidated):
        raise InputError(f"liquidated: expected what rg.liquidate gives, got {type(liquidated).__name__}")
    buyer = liquidator_of(liquidated.after, liquidator)
    chosen = _chosen(liquidated, account, auction)
    ledger = _ledger(liquidated, chosen)
    asked = exact(amounts_of("amount", math.inf if amount is None else amount))[0]
    taken = _terms(ledger, chosen).take(chosen, _age(chosen, seconds), asked)
    before = ledger.health()
    if not taken.refused:
        _settle(liquidated, ledger, taken, buyer)
    ledger.steps.append(_step(ledger, taken, before))
    given = {"account": account, "seconds": seconds, "amount": amount, "auction": auction, "liquidator": liquidator}
    arguments = {name: value for name, value in given.items() if value is not None}
    return _appended(liquidated, ledger, taken, Provenance("auction_take", liquidated.after.digest, arguments))


def _chosen(liquidated: Liquidated, account: str, number: int | None) -> Auction:
    """Give the auction that is meant: the account's only open one, or its last one where all are over."""
    mine = [one for one in liquidated.started if one.account == account]
    if not mine:
        raise InputError(f"account: expected an account whose collateral went to auction, got {account!r}")
    running = [one for one in mine if one.open]
    if number is None and len(running) > 1:
        raise InputError(
            f"auction: expected which of the open ones of {account} is meant ({_numbers(running)}), got none"
        )
    named = (running or mine)[-1:] if number is None else [one for one in mine if one.auction == number]
    if not named:
        raise InputError(f"auction: expected one of {account} ({_numbers(mine)}), got {number!r}")
    return named[0]


def _numbers(auctions: list[Auction]) -> str:
    return ", ".join(str(one.auction) for one in auctions)


def _age(auction: Auction, seconds: float) -> int:
    age = float(amounts_of("seconds", seconds)[0])
    if not age.is_integer() or age < auction.seconds:
        raise InputError(
            f"seconds: expected a whole number of at least {auction.seconds}, the age of the auction at its last "
            f"purchase, got {seconds!r}"
        )
    return int(age)


def _ledger(liquidated: Liquidated, auction: Auction) -> Ledger:
    """Open the books of the owner's vault."""
    snap = liquidated.after
    book, protocol = snap.book, _code(snap, "protocol", auction.protocol)
    here = (book.margin_account == _code(snap, "account", auction.account)) & (book.margin_protocol == protocol)
    here &= book.margin_bucket == _code(snap, "bucket", auction.bucket)
    return Ledger(snap, protocol, rule_named(snap.venues.rule[protocol]), np.flatnonzero(here))


def _code(snap: Snapshot, domain: str, label: str) -> int:
    return int(snap.labels(domain).index(label).as_py())


def _terms(ledger: Ledger, auction: Auction) -> AuctionTerms:
    """Read how auctions of the collateral run."""
    asset = _code(ledger.snap, "asset", auction.collateral_asset)
    names = ("cut", "step", "tau", "tail", "cusp", "dust", "chop")
    given = {name: exact(ledger.terms.of_assets(name, np.array([asset])))[0] for name in names}
    shape = ledger.terms.choice("auction_price", asset)
    if shape == "stairstep" and given["cut"] != given["cut"]:
        given["cut"] = _STAIR
    needed = "tau" if shape == "linear" else "cut"
    if given[needed] != given[needed]:
        raise InputError(
            f"markets.{needed}: expected a value where auction_price is {shape}, got none for "
            f"{auction.collateral_asset} at {auction.protocol}"
        )
    chost = given.pop("dust") * given.pop("chop")
    rounded = rounded_down(np.array([chost], dtype=object), np.array([RAD if auction.rounded else 0], dtype=object))
    return AuctionTerms(shape, **given, chost=rounded[0])


def _settle(liquidated: Liquidated, ledger: Ledger, taken: Taken, buyer: str) -> None:
    """Move what is bought, paid and returned; once the auction is over, the system has gained or lost."""
    auction, treasury = taken.auction, ledger.terms.protocol_label
    lot, debt = (
        np.array([_code(ledger.snap, "asset", name)]) for name in (auction.collateral_asset, auction.debt_asset)
    )
    bought, returned, paid = (np.array([one], dtype=object) for one in (taken.bought, taken.returned, taken.paid))
    running = [one for one in _with(liquidated, auction) if one.open]
    # The treasury's row comes anew from what it held before and what is still for sale: floats taken off one after
    # another would leave dust, or less than nothing.
    gone = _held(liquidated.after, auction) - _held(liquidated.before, auction)
    gone -= sum(one.lot for one in running if one.collateral_asset == auction.collateral_asset)
    ledger.credit(treasury, treasury, "deposit", lot, np.array([returned[0] - gone], dtype=object), "bought")
    ledger.credit(treasury, treasury, "deposit", lot, -returned, "returned")
    ledger.credit(auction.account, treasury, "deposit", lot, returned, "returned", bucket=auction.bucket)
    if buyer:
        ledger.credit(buyer, "", "wallet", lot, bought, "bought")
        ledger.credit(buyer, "", "wallet", debt, -paid, "paid")
    _count(liquidated.before, ledger, running, auction)
    if not auction.open:
        ledger.to_system((auction.paid - auction.due) * _par(ledger, debt))


def _with(liquidated: Liquidated, now: Auction) -> tuple[Auction, ...]:
    return tuple(now if one.auction == now.auction else one for one in liquidated.started)


def _held(snap: Snapshot, auction: Auction) -> Any:
    """Units of the collateral that the protocol's treasury holds; lots stand there too."""
    book, treasury = snap.book, _code(snap, "account", auction.protocol)
    mine = (book.account == treasury) & (book.protocol == _code(snap, "protocol", auction.protocol))
    mine &= (book.asset == _code(snap, "asset", auction.collateral_asset)) & book.rows("deposit")
    return sum(exact(book.amount[mine]).tolist(), Fraction(0)) if treasury >= 0 else Fraction(0)


def _count(before: Snapshot, ledger: Ledger, running: list[Auction], auction: Auction) -> None:
    """Set the debt that is in auction: what was so before these auctions, and what they are still to raise."""
    terms = Terms(before, _code(before, "protocol", auction.protocol), ledger.rule.name)
    ilk = np.array([_code(before, "asset", auction.collateral_asset)])
    mine = [one.tab for one in running if one.collateral_asset == auction.collateral_asset]
    ledger.change("markets", "dirt", sum(mine, exact(terms.of_assets("dirt", ilk))[0]), auction.collateral_asset)
    ledger.change("protocols", "dirt", sum((one.tab for one in running), exact(all_dirt(terms))[0]))


def _par(ledger: Ledger, debt: Ints) -> Any:
    """USD that the contract counts a unit of debt for."""
    return filled(exact(ledger.terms.shown(debt)), 1)[0]


def _step(ledger: Ledger, taken: Taken, before: Amounts) -> dict[str, Any]:
    """Give the columns of a purchase: the vault stays as it was, so nothing is repaid or seized there."""
    auction = taken.auction
    codes = [np.array([_code(ledger.snap, "asset", name)]) for name in (auction.collateral_asset, auction.debt_asset)]
    oracle, par = exact(ledger.terms.prices(codes[0]))[0], _par(ledger, codes[1])
    loss = Fraction(0) if taken.refused else auction.loss
    _, weighted, _, owed = ledger.totals()
    return {
        **ledger.place(np.zeros(1, dtype=np.int64)),
        "debt_asset": auction.debt_asset,
        "collateral_asset": auction.collateral_asset,
        "liquidatable": ledger.rule.liquidatable(weighted, owed),
        "refused": taken.refused,
        "health_before": before,
        "health_after": ledger.health(),
        **dict.fromkeys(("repaid", "repaid_usd", "seized", "seized_usd", "fee", "fee_usd"), 0.0),
        "bonus_usd": float(taken.bought * oracle - taken.paid * par),
        "bad_debt": float(loss),
        "bad_debt_usd": float(loss * par),
        "written_off": loss > 0,
        "action": "take",
        **taken.columns(),
    }


def _appended(liquidated: Liquidated, ledger: Ledger, taken: Taken, provenance: Provenance) -> Liquidated:
    """Add a purchase to what has happened so far."""
    import pandas as pd

    steps = pd.concat([liquidated.steps, steps_frame(ledger)], ignore_index=True)
    steps["call"] = np.arange(1, len(steps) + 1)
    fresh = movements_of(ledger)
    now = taken.auction
    note = f"a purchase from auction {now.auction} of {now.account} at {now.protocol}"
    return replace(
        liquidated,
        after=liquidated.after if taken.refused else snapshot_after(ledger, note),
        steps=steps,
        movements=pd.concat([liquidated.movements, fresh], ignore_index=True) if len(fresh) else liquidated.movements,
        started=_with(liquidated, now),
        provenance=provenance,
    )
