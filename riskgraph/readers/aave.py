"""Aave's receipt tokens and the reserves of its third version, as published lists have them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from riskgraph.errors import Faults, InputError
from riskgraph.readers.outside import checked, json_of, outside_table
from riskgraph.snapshot.columns import first_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RECEIPTS", "RESERVES", "receipt_tokens", "reserves"]

RECEIPTS = {
    "chain_id": "number", "token": "text", "token_address": "text", "tags": "text", "underlying": "text",
    "underlying_address": "text", "pool": "text?",
}  # fmt: skip
RESERVES = {
    "network": "text", "symbol": "text", "loan_to_value": "number", "liquidation_threshold": "number",
    "liquidation_bonus": "number", "borrowing_enabled": "flag", "active": "flag", "frozen": "flag", "paused": "flag",
}  # fmt: skip
# Numbers of networks (EIP-155).
NETWORKS = {
    "ethereum": 1, "optimism": 10, "bnb": 56, "gnosis": 100, "polygon": 137, "sonic": 146, "zksync": 324, "metis": 1088,
    "base": 8453, "arbitrum": 42161, "celo": 42220, "avalanche": 43114, "linea": 59144, "scroll": 534352,
    "x layer": 196, "soneium": 1868, "megaeth": 4326, "mantle": 5000, "plasma": 9745, "ink": 57073,
}  # fmt: skip


def receipt_tokens(
    path: Path, network: str | int, v3: str, issuers: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...], frozenset[str]]:
    """Receipt tokens of one network as ``assets`` (their kind) and ``backing``, with notes, and which are at par.

    A static or wrapped receipt rests on the same deposits as the receipt itself; a staked one (umbrella) on the token
    that is staked.
    """
    import pandas as pd

    table = outside_table(path, RECEIPTS)
    number = NETWORKS.get(network, network) if isinstance(network, str) else network
    rows = table[table["chain_id"].eq(number)] if not isinstance(number, str) else table.iloc[:0]
    faults = Faults(str(path))
    twice = table.duplicated(["chain_id", "token_address"])
    if twice.any():
        faults.add(
            "token_address", "expected every token once", repr(table["token_address"][twice].iloc[0]), first_rows(twice)
        )
    unknown = [pool for pool in issuers if pool.lower() not in set(table["pool"].str.lower())]
    if unknown:
        faults.add("issuers", "expected addresses of pools in the file", ", ".join(map(repr, unknown)))
    if table.empty:
        faults.add("rows", "expected receipts", "a header alone")
    faults.raise_if_any()
    if rows.empty:
        known = {value: name for name, value in NETWORKS.items()}
        there = ", ".join(str(known.get(int(one), int(one))) for one in sorted(table["chain_id"].unique()))
        raise InputError(f"{path}: expected a network of the file ({there}), got {network!r}")
    staked = rows["tags"].str.contains("uStkToken")
    version = rows["tags"].str.contains("aaveV2").map({True: "aave_v2", False: v3})
    issuer = _issuers(rows["pool"].where(~staked, ""), version, issuers)
    labels, renamed = _labels(rows["token"], rows["pool"], issuer.isin(["aave_v2", v3]) | staked)
    assets = pd.DataFrame({"asset": labels, "kind": staked.map({True: "staked", False: "receipt"})})
    behind, parted = _told_apart(rows["underlying"], rows["underlying_address"])
    backing = pd.DataFrame({"token": labels, "backed_by": behind, "share": 1.0, "issuer": issuer})
    backing = backing.sort_values("token", ignore_index=True)
    notes = [
        f"backing: {len(rows):,} receipts of {network} of {len(table):,} in {path.name}; 1 for each dollar of theirs"
    ]
    others = sorted(set(issuer) - {"aave_v2", v3, ""})
    notes += [f"backing: other pools' receipts are issued by {', '.join(others)}"] if others else []
    notes += [f"backing: {', '.join(renamed)} named by pool, as another token has the symbol"] if renamed else []
    notes += [f"backing: {', '.join(parted)} stand for several tokens and carry addresses"] if parted else []
    at_par = frozenset(labels[rows["tags"].str.contains(r"(?:^|\|)aTokenV")])
    return assets.sort_values("asset", ignore_index=True), backing, tuple(notes), at_par


def _short(address: str) -> str:
    return f"{address[:6]}…{address[-4:]}"


def _issuers(pool: pd.Series[str], version: pd.Series[str], given: Mapping[str, str]) -> pd.Series[str]:
    """Label of the protocol that issued each token: the version's largest pool has its plain name."""
    own = {address.lower(): label for address, label in given.items()}
    lower = pool.str.lower()
    sizes = lower.groupby([version, lower]).size()
    main = {one: sizes[one].drop("", errors="ignore").sort_index().idxmax() for one in version.unique()
            if len(sizes[one].drop("", errors="ignore"))}  # fmt: skip

    def named(address: str, kind: str) -> str:
        if not address:
            return ""
        return own.get(address.lower()) or (kind if main.get(kind) == address.lower() else f"{kind}:{_short(address)}")

    return version.combine(pool, lambda kind, address: named(address, kind))


def _labels(token: pd.Series[str], pool: pd.Series[str], is_main: pd.Series[bool]) -> tuple[pd.Series[str], list[str]]:
    """One label a token: where a symbol is there twice, those of lesser pools carry their pool's address."""
    twice = token.duplicated(keep=False)
    lesser = twice & ~is_main
    labels = token.where(~lesser, token + "@" + pool.map(_short))
    again = labels.duplicated(keep=False)
    labels = labels.where(~again, labels + "@" + token.index.astype("str"))
    return labels, sorted(labels[lesser | again])


def _told_apart(symbol: pd.Series[str], address: pd.Series[str]) -> tuple[pd.Series[str], list[str]]:
    """Symbols as they are where one token has them, with the address where several have (shares of pools)."""
    several = address.str.lower().groupby(symbol).transform("nunique") > 1
    return symbol.where(~several, symbol + "@" + address.map(_short)), sorted(set(symbol[several]))


def reserves(path: Path, network: str | int, v3: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Reserves of one network as ``markets``, with notes."""
    import pandas as pd

    table = _reserve_table(path)
    name = next((one for one, number in NETWORKS.items() if number == network), network)
    rows = table[table["network"].eq(str(name))]
    if rows.empty:
        there = ", ".join(sorted(table["network"].unique()))
        raise InputError(f"{path}: expected a network of the file ({there}), got {network!r}")
    faults = Faults(str(path))
    for column in ("loan_to_value", "liquidation_threshold", "liquidation_bonus"):
        wrong = ~rows[column].between(0.0, 1.0)
        if wrong.any():
            faults.add(column, "expected a share from 0 to 1", f"{rows[column][wrong].iloc[0]:g}", first_rows(wrong))
    twice = rows["symbol"].duplicated()
    if twice.any():
        faults.add("symbol", "expected every reserve once", repr(rows["symbol"][twice].iloc[0]), first_rows(twice))
    faults.raise_if_any()
    pledged = rows["liquidation_threshold"] > 0.0
    markets = pd.DataFrame(
        {
            "protocol": v3,
            "asset": rows["symbol"],
            "ltv": rows["loan_to_value"],
            "liquidation_threshold": rows["liquidation_threshold"],
            "liquidation_bonus": rows["liquidation_bonus"].where(pledged),
            "borrowable": rows["borrowing_enabled"] & rows["active"] & ~rows["frozen"] & ~rows["paused"],
            "usable_as_collateral": pledged,
        }
    )
    notes = [f"markets: {len(rows):,} reserves of {name} in {path.name}"]
    fee = rows.get("liquidation_protocol_fee")
    if fee is not None and fee.between(0.0, 1.0).all():
        markets["protocol_fee"] = fee
    elif fee is not None:
        notes.append(f"markets: liquidation_protocol_fee is not taken: {fee.max():g} is no share of the bonus")
    left = sorted(set(table.attrs["columns"]) - set(RESERVES) - {"liquidation_protocol_fee"})
    notes += [f"markets: not used of {path.name}: {', '.join(left)}"] if left else []
    return markets.sort_values("asset", ignore_index=True), tuple(notes)


def _reserve_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    fee = "liquidation_protocol_fee"
    if path.suffix.lower() != ".json":
        from riskgraph.readers.outside import columns_of

        names = columns_of(path)
        table = outside_table(path, RESERVES | ({fee: "number"} if fee in names else {}))
        table.attrs["columns"] = names
        return table
    told = json_of(path)
    networks = told.get("networks") if isinstance(told, dict) else None
    if not isinstance(networks, dict) or not all(isinstance(rows, list) for rows in networks.values()):
        raise InputError(f"{path}: expected an object with 'networks', each a list of reserves, got {str(told)[:60]!r}")
    flat = [{"network": name, **row} for name, rows in networks.items() for row in rows if isinstance(row, dict)]
    frame = pd.DataFrame(flat).astype("str")
    table = checked(frame, RESERVES | ({fee: "number"} if fee in frame else {}), str(path))
    table.attrs["columns"] = list(frame.columns)
    return table
