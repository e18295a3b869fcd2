"""Public liquidation calls: what one call would do, and what calls leave behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import InputError
from riskgraph.margin.aftermath import movements_of, snapshot_after
from riskgraph.margin.dutch_auction import AUCTION_COLUMNS, Auction
from riskgraph.margin.ledger import Ledger, Request
from riskgraph.margin.rounding import exact, plain
from riskgraph.margin.rules.rule import Rule
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.provenance import Provenance
from riskgraph.snapshot.schema import SIDES
from riskgraph.snapshot.snapshot import check_snapshot

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = [
    "Liquidated",
    "Quote",
    "amounts_of",
    "code_of",
    "liquidate",
    "liquidation_quote",
    "liquidator_of",
    "steps_frame",
]


@dataclass(frozen=True, eq=False)
class Quote:
    """What one liquidation call does, to the contract's own rounding.

    ``refused`` is empty, or the contract's reason: then nothing moves. ``repaid``, ``bad_debt`` are units of
    ``debt_asset``; ``seized``, ``fee`` units of ``collateral_asset`` (NaN where several are seized: see ``movements``);
    ``bonus_usd`` is what is seized beyond what is repaid, the protocol's fee included. ``more`` holds what else the
    rule tells, by name.
    """

    account: str
    protocol: str
    bucket: str
    rule: str
    debt_asset: str
    collateral_asset: str
    liquidatable: bool
    refused: str
    health_before: float
    health_after: float
    repaid: float
    repaid_usd: float
    seized: float
    seized_usd: float
    bonus_usd: float
    fee: float
    fee_usd: float
    bad_debt: float
    bad_debt_usd: float
    written_off: bool
    more: Mapping[str, Any]
    movements: pd.DataFrame
    provenance: Provenance

    @property
    def bonus(self) -> float:
        """What is seized beyond what is repaid, in units of the collateral; NaN where that has no single price."""
        return self.bonus_usd * self.seized / self.seized_usd if self.seized_usd > 0.0 else 0.0 * self.seized

    def to_frame(self) -> pd.DataFrame:
        """Give one row with every field."""
        import pandas as pd

        fields = {name: getattr(self, name) for name in _QUOTED}
        return pd.DataFrame([{**fields, "bonus": self.bonus, **self.more}])

    def summary(self) -> str:
        """Say in a line what the call does, or why it is refused."""
        who = f"{self.account} at {self.protocol} ({self.rule}), health {self.health_before:.6g}"
        if self.refused:
            return f"{who}: refused, {self.refused}"
        return (
            f"{who}: repays {self.repaid:,.6g} {self.debt_asset} (${self.repaid_usd:,.0f}), seizes {self.seized:,.6g} "
            f"{self.collateral_asset} (${self.seized_usd:,.0f}), bonus ${self.bonus_usd:,.0f}, of it fee "
            f"${self.fee_usd:,.0f}; health then {self.health_after:.6g}, bad debt ${self.bad_debt_usd:,.0f}"
        )

    def __repr__(self) -> str:
        return f"<Quote: {self.summary()}>"


_QUOTED = tuple(name for name in Quote.__annotations__ if name not in ("more", "movements", "provenance"))


@dataclass(frozen=True, eq=False)
class Liquidated:
    """Calls carried out one after another, and what they leave.

    ``steps`` holds a row a call in order, ``movements`` every change of a holding, ``auctions`` a row an auction that
    the calls have started (Maker), ``started`` the same in exact numbers, ``after`` the snapshot with every account,
    pool and reserve as the calls left it.
    """

    before: Snapshot
    after: Snapshot
    steps: pd.DataFrame
    movements: pd.DataFrame
    provenance: Provenance
    started: tuple[Auction, ...] = ()

    @property
    def auctions(self) -> pd.DataFrame:
        """Auctions that the calls have started, open or closed, a row each; amounts as :class:`Auction` says them."""
        import pandas as pd

        return pd.DataFrame([one.row() for one in self.started], columns=AUCTION_COLUMNS)

    def to_frame(self) -> pd.DataFrame:
        """Give the steps."""
        return self.steps

    def summary(self) -> str:
        """Say in a line how many calls did what."""
        done = self.steps[self.steps["refused"] == ""]
        return (
            f"{len(self.steps)} call{'s' if len(self.steps) != 1 else ''}, {len(self.steps) - len(done)} refused: "
            f"${done['repaid_usd'].sum():,.0f} repaid, ${done['seized_usd'].sum():,.0f} seized, "
            f"${done['bad_debt_usd'].sum():,.0f} of bad debt"
        )

    def __repr__(self) -> str:
        return f"<Liquidated: {self.summary()}>"


def liquidation_quote(
    snap: Snapshot,
    account: str,
    protocol: str,
    *,
    bucket: str = "",
    debt_asset: str | None = None,
    collateral_asset: str | None = None,
    repay: float | None = None,
    seize: float | None = None,
    repay_shares: float | None = None,
    liquidator: str | None = None,
) -> Quote:
    """Say what one liquidation call would do, exactly as the protocol's contract does it.

    Parameters
    ----------
    snap : Snapshot
        The book; ``assets.decimals`` gives the contract's own rounding, none: no rounding.
    account, protocol, bucket : str
        The margin account that is called.
    debt_asset, collateral_asset : str, optional
        Which debt is repaid for which collateral; by default those with the largest USD (ties by label). Where longs
        and shorts are closed, ``collateral_asset`` is the position's.
    repay : float, optional
        Units of debt offered; by default as much as the rule allows. Above that it is cut or refused as the contract
        does.
    seize : float, optional
        Units of collateral asked for, where the rule's calls can be asked for in these terms (morpho_blue).
    repay_shares : float, optional
        Borrow shares to repay (morpho_blue).
    liquidator : str, optional
        An account whose wallet pays and receives; by default somebody outside the snapshot.

    Returns
    -------
    Quote
        A refused call is a result, not an error: ``refused`` gives the contract's reason.

    Raises
    ------
    InputError
        Account, protocol or asset is unknown, the account does not owe or pledge that asset, an amount is negative, or
        a parameter that the rule needs is missing.

    Examples
    --------
    Aave's close factor of one half and a bonus of 5 %, fee 10 % of the bonus. 10 ETH at 1,500 and a threshold of 0.8
    cover 12,000 of a debt of 12,500 (health 0.96): 6,250 are repaid for 6,250 · 1.05 / 1,500 = 4.375 ETH.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann"], "protocol": ["aave", "aave"], "asset": ["ETH", "USDC"],
    ...         "side": ["collateral", "debt"], "amount": [10.0, 12500.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1500.0, 1.0]}),
    ...     protocols=pd.DataFrame({"protocol": ["aave"], "rule": ["aave_v3"]}),
    ...     markets=pd.DataFrame({"protocol": ["aave"], "asset": ["ETH"], "liquidation_threshold": [0.8],
    ...                           "liquidation_bonus": [0.05], "protocol_fee": [0.1]}))
    >>> quote = rg.liquidation_quote(snap, "ann", "aave")
    >>> quote.repaid, quote.seized, round(quote.fee, 9), round(quote.health_after, 6)
    (6250.0, 4.375, 0.020833333, 1.08)
    """
    named = {
        "account": account, "protocol": protocol, "bucket": bucket, "debt_asset": debt_asset,
        "collateral_asset": collateral_asset, "repay": repay, "seize": seize, "repay_shares": repay_shares,
        "liquidator": liquidator,
    }  # fmt: skip
    arguments = {name: value for name, value in named.items() if value not in (None, "")}
    ledger, steps = _carried_out(
        snap, protocol, [account], [bucket], debt_asset, collateral_asset,
        {"repay": repay, "seize": seize, "repay_shares": repay_shares}, liquidator or "",
    )  # fmt: skip
    row = {str(name): steps[name].tolist()[0] for name in steps}
    told = {name: row.pop(name) for name in _QUOTED if name != "rule"}
    row.pop("call")
    return Quote(
        rule=ledger.rule.name,
        **told,
        more=MappingProxyType(row),
        movements=movements_of(ledger),
        provenance=Provenance("liquidation_quote", snap.digest, arguments),
    )


def liquidate(
    snap: Snapshot,
    protocol: str,
    accounts: Sequence[str],
    *,
    buckets: Sequence[str] | None = None,
    debt_asset: str | None = None,
    collateral_asset: str | None = None,
    repay: float | Sequence[float] | None = None,
    seize: float | Sequence[float] | None = None,
    repay_shares: float | Sequence[float] | None = None,
    liquidator: str | None = None,
) -> Liquidated:
    """Carry out liquidation calls at one protocol in the order given.

    Parameters
    ----------
    snap : Snapshot
        The book; ``assets.decimals`` gives the contract's own rounding.
    protocol : str
        Where.
    accounts : sequence of str
        Whom, in order; an account may stand several times.
    buckets : sequence of str, optional
        The margin account of each, where isolated.
    debt_asset, collateral_asset, repay, seize, repay_shares, liquidator
        As in :func:`liquidation_quote`; amounts are one number for all or one a call.

    Returns
    -------
    Liquidated
        ``after`` (Snapshot), ``steps`` (a row a call), ``movements``, ``auctions``.

    Raises
    ------
    InputError
        As :func:`liquidation_quote`; or a named liquidator's wallet does not hold what the calls take.

    Examples
    --------
    Two calls on one account: the first repays half, after which it is healthy and the second is refused.

    >>> import pandas as pd, riskgraph as rg
    >>> snap = rg.Snapshot(
    ...     positions=pd.DataFrame({
    ...         "account": ["ann", "ann"], "protocol": ["lend", "lend"], "asset": ["ETH", "USDC"],
    ...         "side": ["collateral", "debt"], "amount": [100.0, 78.0]}),
    ...     assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [0.9, 1.0]}),
    ...     markets=pd.DataFrame({"protocol": ["lend"], "asset": ["ETH"], "liquidation_threshold": [0.85],
    ...                           "liquidation_bonus": [0.05]}))
    >>> done = rg.liquidate(snap, "lend", ["ann", "ann"])
    >>> done.steps[["refused", "repaid", "seized"]].round(9).to_dict("records")
    [{'refused': '', 'repaid': 39.0, 'seized': 45.5}, {'refused': 'healthy', 'repaid': 0.0, 'seized': 0.0}]
    >>> done.after.positions[["asset", "amount"]].to_dict("records")
    [{'asset': 'ETH', 'amount': 54.5}, {'asset': 'USDC', 'amount': 39.0}]
    """
    accounts = [accounts] if isinstance(accounts, str) else list(accounts)
    asked = {"repay": repay, "seize": seize, "repay_shares": repay_shares}
    ledger, steps = _carried_out(
        snap, protocol, accounts, list(buckets) if buckets is not None else [""] * len(accounts),
        debt_asset, collateral_asset, asked, liquidator or "",
    )  # fmt: skip
    arguments: dict[str, Any] = {"protocol": protocol, "accounts": tuple(accounts)}
    arguments |= {name: value for name, value in asked.items() if value is not None}
    done = int((steps["refused"] == "").sum())
    note = f"{done} liquidation call{'s' if done != 1 else ''} carried out at {protocol}"
    return Liquidated(
        snap,
        snapshot_after(ledger, note),
        steps,
        movements_of(ledger),
        Provenance("liquidate", snap.digest, arguments),
        tuple(ledger.auctions),
    )


def _carried_out(
    snap: Snapshot,
    protocol: str,
    accounts: list[str],
    buckets: list[str],
    debt_asset: str | None,
    collateral_asset: str | None,
    asked: Mapping[str, Any],
    liquidator: str,
) -> tuple[Ledger, pd.DataFrame]:
    check_snapshot(snap)
    code = code_of(snap, "protocol", protocol, "protocol")
    rule = rule_named(snap.venues.rule[code])
    wanted = _margins(snap, code, protocol, accounts, buckets)
    margins = rule.touched(snap, code, wanted)
    ledger = rule.open_ledger(snap, code, margins)
    request = Request(
        np.searchsorted(margins, wanted),
        _asset(snap, ledger, wanted, debt_asset, "debt_asset", rule.repays),
        _asset(snap, ledger, wanted, collateral_asset, "collateral_asset", rule.takes),
        **_asked(rule, asked, len(wanted)),
        liquidator=liquidator_of(snap, liquidator),
    )
    rule.carry_out(ledger, request)
    return ledger, steps_frame(ledger)


def code_of(snap: Snapshot, domain: str, label: str, what: str) -> int:
    """Code of a label that a caller gave, which must be one of the snapshot's."""
    at = int(snap.labels(domain).index(str(label)).as_py())
    if at < 0:
        raise InputError(
            f"{what}: expected {'an' if domain[0] in 'aeiou' else 'a'} {domain} of the snapshot, got {label!r}"
        )
    return at


def _margins(snap: Snapshot, code: int, protocol: str, accounts: list[str], buckets: list[str]) -> Ints:
    """Margin accounts of labels, in the order given."""
    if len(buckets) != len(accounts):
        raise InputError(f"buckets: expected one for each of {len(accounts)} accounts, got {len(buckets)}")
    if not accounts:
        raise InputError("accounts: expected at least one account, got none")
    book = snap.book
    mine = np.flatnonzero(book.margin_protocol == code)
    owners = snap.labels("account").take(book.margin_account[mine]).to_pylist()
    groups = [*snap.labels("bucket").to_pylist(), ""]
    places = {(owner, groups[bucket]): at for owner, bucket, at in
              zip(owners, book.margin_bucket[mine].tolist(), mine.tolist(), strict=True)}  # fmt: skip
    unknown = [name for name in zip(accounts, buckets, strict=True) if name not in places]
    if unknown:
        said = ", ".join(f"{name!r}" + (f" (bucket {bucket!r})" if bucket else "") for name, bucket in unknown[:5])
        raise InputError(f"account: expected accounts with a position at {protocol}, got {said}")
    return np.array([places[name] for name in zip(accounts, buckets, strict=True)])


_VERBS = {"debt": ("owes", "owe"), "collateral": ("pledges", "pledge"), "long": ("trades", "trade")}


def _asset(snap: Snapshot, ledger: Ledger, wanted: Ints, label: str | None, what: str, sides: tuple[str, ...]) -> Ints:
    """Code of a named asset for every call, -1 where none is named; refuse one that an account does not hold so."""
    if label is None:
        return np.full(len(wanted), -1)
    if not sides:
        raise InputError(f"{what}: expected none, since a call under rule {ledger.rule.name} names none, got {label!r}")
    code = code_of(snap, "asset", label, what)
    held = np.zeros(ledger.size + 1, dtype=bool)
    held[ledger.margin[np.isin(ledger.side, [SIDES.index(side) for side in sides]) & (ledger.asset == code)]] = True
    place = np.searchsorted(ledger.margins, wanted)
    without = wanted[~held[place]]
    if len(without):
        names = ", ".join(ledger.place(np.searchsorted(ledger.margins, np.unique(without)[:5]))["account"])
        does, do = _VERBS[sides[0]]
        raise InputError(
            f"{what}: expected an asset that the account {does}, got {label!r}, which {names} does not {do}"
        )
    return np.full(len(wanted), code)


def _asked(rule: Rule, asked: Mapping[str, Any], n: int) -> dict[str, Any]:
    """Amounts asked for, checked; where none is given, as much as may be."""
    given = {name: value for name, value in asked.items() if value is not None}
    for name in given:
        if name not in rule.asks:
            terms = " or ".join(rule.asks) or "nothing: it takes all"
            raise InputError(
                f"{name}: expected what a call under rule {rule.name} can be asked for ({terms}), got {name}"
            )
    if len(given) > 1:
        raise InputError(f"{', '.join(given)}: expected one of them, got both")
    amounts = {name: exact(amounts_of(name, value, n)) for name, value in given.items()}
    nothing = np.full(n, np.nan, dtype=object)
    most = np.full(n, np.inf, dtype=object)
    found: dict[str, Any] = {
        "repay": amounts.pop("repay", nothing if given else most),
        "seize": amounts.pop("seize", nothing),
        "more": {name: amounts.get(name, nothing) for name in rule.asks if name not in ("repay", "seize")},
    }
    return found


def amounts_of(name: str, value: Any, n: int = 1) -> Floats:
    """Amounts that a caller gave, one for all calls or one each, checked."""
    try:
        values = np.broadcast_to(np.asarray(value, dtype=np.float64), (n,))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected a number of units, or one for each of {n} calls, got {value!r}") from error
    if not (values >= 0.0).all():
        raise InputError(f"{name}: expected amounts of at least 0, got {values[~(values >= 0.0)][0]}")
    return values


def liquidator_of(snap: Snapshot, label: str | None) -> str:
    """Label of who calls, empty for somebody outside the snapshot."""
    if label:
        code_of(snap, "account", label, "liquidator")
    return label or ""


def steps_frame(ledger: Ledger) -> pd.DataFrame:
    """Give a row a call, numbers as floats."""
    import pandas as pd

    frame = pd.concat([pd.DataFrame(part) for part in ledger.steps], ignore_index=True)
    for name in frame:
        if frame[name].dtype == object and not isinstance(frame[name].iloc[0], (str, bool)):
            frame[name] = plain(frame[name].to_numpy())
    frame.insert(0, "call", np.arange(1, len(frame) + 1))
    return frame
