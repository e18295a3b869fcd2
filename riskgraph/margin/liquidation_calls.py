"""Public liquidation calls: what one call would do, and what calls leave behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from riskgraph.margin.aftermath import movements_of, snapshot_after
from riskgraph.margin.call_inputs import asked_of, asset_of, code_of, liquidator_of, margins_of
from riskgraph.margin.ledger import Ledger, Request
from riskgraph.margin.liquidation_results import QUOTED, Liquidated, Quote
from riskgraph.margin.rounding import plain
from riskgraph.margin.rules.shelf import rule_named
from riskgraph.provenance import Provenance
from riskgraph.snapshot.snapshot import check_snapshot
from riskgraph.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from riskgraph.snapshot.snapshot import Snapshot

__all__ = ["liquidate", "liquidation_quote", "steps_frame"]


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
    told = {name: row.pop(name) for name in QUOTED if name != "rule"}
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
    note = f"{counted(done, 'liquidation call')} carried out at {protocol}"
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
    wanted = margins_of(snap, code, protocol, accounts, buckets)
    margins = rule.touched(snap, code, wanted)
    ledger = rule.open_ledger(snap, code, margins)
    request = Request(
        np.searchsorted(margins, wanted),
        asset_of(snap, ledger, wanted, debt_asset, "debt_asset", rule.repays),
        asset_of(snap, ledger, wanted, collateral_asset, "collateral_asset", rule.takes),
        **asked_of(rule, asked, len(wanted)),
        liquidator=liquidator_of(snap, liquidator),
    )
    rule.carry_out(ledger, request)
    return ledger, steps_frame(ledger)


def steps_frame(ledger: Ledger) -> pd.DataFrame:
    """Give a row a call, numbers as floats."""
    import pandas as pd

    frame = pd.concat([pd.DataFrame(part) for part in ledger.steps], ignore_index=True)
    for name in frame:
        if frame[name].dtype == object and not isinstance(frame[name].iloc[0], (str, bool)):
            frame[name] = plain(frame[name].to_numpy())
    frame.insert(0, "call", np.arange(1, len(frame) + 1))
    return frame
