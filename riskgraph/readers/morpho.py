"""Markets, borrowers and suppliers of Morpho Blue, and what its vaults lend where, as tables of its public API."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskgraph.errors import Faults, InputError
from riskgraph.readers.outside import outside_table
from riskgraph.snapshot.columns import first_rows
from riskgraph.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ALLOCATIONS", "BOOK_FILES", "snapshot_from_allocations", "snapshot_from_morpho"]

PARENT = "morpho_blue"
BOOK_FILES = ("block1_markets_graphql.csv", "block5_borrower_positions.csv")
VAULTS = "block1_vaults_graphql.csv"
MARKETS = {
    "market_id": "text", "market_id_short": "text", "chain": "text", "chain_id": "number", "collateral_symbol": "text",
    "collateral_address": "text", "collateral_decimals": "number", "collateral_price_usd": "number",
    "loan_symbol": "text", "loan_address": "text", "loan_decimals": "number", "loan_price_usd": "number",
    "lltv": "number", "total_supply_usd": "number", "total_borrow_usd": "number", "oracle_price_raw": "number",
}  # fmt: skip
POSITIONS = {
    "user_address": "text", "market_unique_key": "text", "collateral_raw": "number", "borrow_assets_raw": "number",
    "supply_assets_raw": "number",
}  # fmt: skip
ALLOCATIONS = {
    "vault_address": "text", "vault_name": "text", "chain_id": "number", "market_unique_key": "text",
    "collateral_symbol": "text", "loan_symbol": "text", "lltv": "number", "supply_assets_usd": "number",
}  # fmt: skip


def snapshot_from_morpho(folder: Path, as_of: str | dt.date | None) -> Snapshot:
    """Read markets, borrowers and suppliers: each market an isolated protocol, vaults and others its accounts."""
    import pandas as pd

    markets = _markets(folder / BOOK_FILES[0])
    rows = _checked_rows(folder / BOOK_FILES[1])
    some = rows[["collateral_raw", "borrow_assets_raw", "supply_assets_raw"]].max(axis=1) > 0.0
    there, said = _labelled(markets[markets["market_id"].isin(rows["market_unique_key"][some])])
    rows = _with_market(rows, markets, there, folder / BOOK_FILES[1])
    account = rows["user_address"].str.lower()
    sides = []
    for side, raw, token, places in (
        ("collateral", "collateral_raw", "collateral", "collateral_decimals"),
        ("debt", "borrow_assets_raw", "loan", "loan_decimals"),
        ("deposit", "supply_assets_raw", "loan", "loan_decimals"),
    ):
        amount = rows[raw] / 10.0 ** rows[places]
        frame = {"account": account, "protocol": rows["protocol"], "asset": rows[token], "side": side, "amount": amount}
        sides.append(pd.DataFrame(frame)[amount > 0.0])
    positions = pd.concat(sides, ignore_index=True)
    notes = [
        f"{folder.name}: {len(there):,} markets in which something stands of {len(markets):,}",
        f"{int((~some).sum()):,} rows of {BOOK_FILES[1]} with nothing in them",
        *said,
        *_gap(positions, there),
        *_without_price(there),
    ]
    accounts, said = _vault_names(folder / VAULTS, positions)
    return Snapshot(
        positions=positions,
        assets=_assets(there),
        protocols=_protocols(there),
        markets=_terms(there),
        accounts=accounts,
        as_of=as_of,
        notes=(*notes, *said),
    )


def _checked_rows(path: Path) -> pd.DataFrame:
    """Rows of borrowers and suppliers: no amount below 0, an account once in a market, something somewhere."""
    rows = outside_table(path, POSITIONS)
    faults = Faults(str(path))
    amounts = ["collateral_raw", "borrow_assets_raw", "supply_assets_raw"]
    for name in amounts:
        low = rows[name] < 0.0
        if low.any():
            faults.add(name, "expected at least 0", f"{rows[name][low].iloc[0]:g}", first_rows(low))
    owner = rows["user_address"].str.lower() + " " + rows["market_unique_key"]
    twice = owner.duplicated()
    if twice.any():
        came = repr(rows["user_address"][twice].iloc[0])
        faults.add("user_address", "expected an account once in a market", came, first_rows(twice))
    if not (rows[amounts] > 0.0).any(axis=None):
        faults.add("rows", "expected positions", "none with anything in them")
    faults.raise_if_any()
    return rows


def _markets(path: Path) -> pd.DataFrame:
    """One row a market, with a label of its own."""
    table = outside_table(path, MARKETS)
    faults = Faults(str(path))
    twice = table["market_id"].duplicated()
    if twice.any():
        faults.add(
            "market_id", "expected every market once", repr(table["market_id"][twice].iloc[0]), first_rows(twice)
        )
    table["lltv"] = _share(table["lltv"], faults)
    faults.raise_if_any()
    short = table["market_id_short"].where(~table["market_id_short"].duplicated(keep=False), table["market_id"])
    table["protocol"] = "morpho:" + short
    return table


def _labelled(markets: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Label tokens by symbol; where chains show prices more than 1 % apart by chain, and several tokens by address.

    Raises
    ------
    InputError
        One token of one chain has prices more than 1 % apart.
    """
    import pandas as pd

    parts = ["symbol", "chain", "address", "price"]
    names = ["symbol", "chain", "address", "price_usd"]
    sides = {
        side: markets[[f"{side}_{name}" if name != "chain" else name for name in names]].set_axis(parts, axis=1)
        for side in ("collateral", "loan")
    }
    tokens = pd.concat(sides.values()).assign(address=lambda one: one["address"].str.lower())
    one = tokens.groupby(["chain", "address"])["price"].agg(["min", "max"])
    torn = one[one["max"] > 1.01 * one["min"]]
    if len(torn):
        (chain, address), prices = torn.index[0], torn.iloc[0]
        raise InputError(
            f"{BOOK_FILES[0]}: price_usd: expected one price of a token, got {prices['min']:g} and {prices['max']:g} "
            f"for {address} on {chain}"
        )
    several = tokens.groupby(["symbol", "chain"])["address"].nunique() > 1
    spread = tokens.groupby("symbol")["price"].agg(["min", "max"])
    apart = spread["max"] > 1.01 * spread["min"]

    def label(row: pd.Series[Any]) -> str:
        if several[row["symbol"], row["chain"]]:
            return f"{row['symbol']}@{row['chain'].lower()}:{row['address'].lower()}"
        return f"{row['symbol']}@{row['chain'].lower()}" if apart[row["symbol"]] else str(row["symbol"])

    labelled = markets.copy()
    for side, table in sides.items():
        labelled[side] = [label(row) for _, row in table.iterrows()]
    told = pd.concat([labelled[[side, f"{side}_price_usd"]].set_axis(["token", "price"], axis=1) for side in sides])
    median = told.groupby("token")["price"].median()
    near = sorted(told["token"][told["price"].ne(told["token"].map(median))].unique())
    for side in sides:
        labelled[f"{side}_price_usd"] = labelled[side].map(median)
    note = f"assets.price: the median of prices less than 1 % apart for {', '.join(near)}"
    return labelled, [note] if near else []


def _share(lltv: pd.Series[float], faults: Faults) -> pd.Series[float]:
    """LLTV as a share: some tables have it as such, others times 10¹⁸."""
    share = lltv.where(lltv <= 1.0, lltv / 1e18)
    wrong = ~share.between(0.0, 1.0) | (share.between(0.0, 1e-6) & lltv.gt(1.0))
    if wrong.any():
        faults.add("lltv", "expected a share, or one times 10^18", f"{lltv[wrong].iloc[0]:g}", first_rows(wrong))
    return share


def _with_market(rows: pd.DataFrame, markets: pd.DataFrame, there: pd.DataFrame, path: Path) -> pd.DataFrame:
    unknown = ~rows["market_unique_key"].isin(markets["market_id"])
    if unknown.any():
        faults = Faults(str(path))
        came = repr(rows["market_unique_key"][unknown].iloc[0])
        faults.add("market_unique_key", f"expected a market of {BOOK_FILES[0]}", came, first_rows(unknown))
        faults.raise_if_any()
    return rows.merge(there, left_on="market_unique_key", right_on="market_id", how="inner")


def _assets(markets: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    sides = [
        markets[[side, f"{side}_price_usd"]].set_axis(["asset", "price"], axis=1) for side in ("collateral", "loan")
    ]
    return pd.concat(sides).drop_duplicates("asset").sort_values("asset", ignore_index=True)


def _protocols(markets: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "protocol": markets["protocol"],
            "kind": "lending",
            "rule": "morpho_blue",
            "parent": PARENT,
            "supply_usd": markets["total_supply_usd"],
        }
    )


def _terms(markets: pd.DataFrame) -> pd.DataFrame:
    """Threshold, and what the market's own oracle shows: raw ÷ 10^(36 + loan − collateral decimals) loan tokens."""
    import pandas as pd

    scale = 10.0 ** (36.0 + markets["loan_decimals"] - markets["collateral_decimals"])
    return pd.DataFrame(
        {
            "protocol": markets["protocol"],
            "asset": markets["collateral"],
            "price": markets["oracle_price_raw"] / scale * markets["loan_price_usd"],
            "liquidation_threshold": markets["lltv"],
        }
    )


def _gap(positions: pd.DataFrame, markets: pd.DataFrame) -> list[str]:
    """Compare what rows add up to with the totals of the markets, read at another moment."""
    price = _assets(markets).set_index("asset")["price"]
    usd = positions["amount"] * positions["asset"].map(price)
    gaps = []
    for side, total in (("deposit", "total_supply_usd"), ("debt", "total_borrow_usd")):
        rows = positions["side"] == side
        ours = usd[rows].groupby(positions["protocol"][rows]).sum().reindex(markets["protocol"]).fillna(0.0).to_numpy()
        told = markets[total].to_numpy()
        large = told > 1.0
        gaps.append(float((abs(ours - told) / told.clip(1e-300))[large].max()) if large.any() else 0.0)
    return [f"rows of suppliers and borrowers differ from market totals by up to {gaps[0]:.4%} and {gaps[1]:.4%}"]


def _without_price(markets: pd.DataFrame) -> list[str]:
    bare = sorted(set(markets["collateral"][markets["collateral_price_usd"] == 0.0]))
    blind = int((markets["oracle_price_raw"] == 0.0).sum())
    notes = [f"assets.price: 0 as published for {', '.join(bare)}"] if bare else []
    return notes + ([f"markets.price: the oracles of {blind:,} markets show 0"] if blind else [])


def _vault_names(path: Path, positions: pd.DataFrame) -> tuple[pd.DataFrame | None, list[str]]:
    """Name the accounts that are vaults, where the list of vaults is there."""
    if not path.is_file():
        return None, []
    vaults = outside_table(path, {"vault_address": "text", "vault_name": "text", "blockchain": "text"})
    vaults["account"] = vaults["vault_address"].str.lower()
    vaults["label"] = vaults["vault_name"] + " (" + vaults["blockchain"].str.lower() + ")"
    names = vaults.drop_duplicates("account")[["account", "label"]]
    where = positions[["account", "protocol"]].drop_duplicates()
    accounts = where.merge(names, on="account")
    return (accounts if len(accounts) else None), [f"accounts: {accounts['account'].nunique():,} are vaults, named so"]


def snapshot_from_allocations(path: Path, as_of: str | dt.date | None) -> Snapshot:
    """Read what vaults lend to which market: vaults are accounts, what they lend are deposits; no borrowers.

    The file says nothing of its moment: give it as ``as_of``.
    """
    import pandas as pd

    rows = outside_table(path, ALLOCATIONS)
    faults = Faults(str(path))
    key = ["vault_address", "chain_id", "market_unique_key"]
    twice = rows.duplicated(key)
    if twice.any():
        faults.add("market_unique_key", "expected every market of a vault once", "one twice", first_rows(twice))
    low = rows["supply_assets_usd"] < 0.0
    if low.any():
        came = f"{rows['supply_assets_usd'][low].iloc[0]:g}"
        faults.add("supply_assets_usd", "expected at least 0", came, first_rows(low))
    _share(rows["lltv"], faults)
    if not (rows["supply_assets_usd"] > 0.0).any():
        faults.add("supply_assets_usd", "expected something that is lent", "nothing above 0")
    faults.raise_if_any()
    price = _loan_prices(path, sorted(set(rows["loan_symbol"])))
    held = rows[rows["supply_assets_usd"] > 0.0]
    market = "morpho:" + held["market_unique_key"].str.replace(r"^(0x.{4}).*(.{4})$", r"\1...\2", regex=True)
    market = market.where(
        held.groupby(market)["market_unique_key"].transform("nunique") == 1, "morpho:" + held["market_unique_key"]
    )
    positions = pd.DataFrame(
        {
            "account": held["vault_address"].str.lower(),
            "protocol": market,
            "asset": held["loan_symbol"],
            "side": "deposit",
            "amount": held["supply_assets_usd"] / held["loan_symbol"].map(price),
        }
    )
    labels = positions[["account", "protocol"]].assign(label=held["vault_name"] + " → " + held["collateral_symbol"])
    protocols = pd.DataFrame({"protocol": market.unique(), "kind": "lending", "rule": "morpho_blue", "parent": PARENT})
    total = f"${held['supply_assets_usd'].sum():,.0f}"
    return Snapshot(
        positions=positions,
        assets=pd.DataFrame({"asset": list(price), "price": list(price.values())}),
        protocols=protocols,
        accounts=labels,
        as_of=as_of,
        notes=(
            f"{path.name}: {total} of {held['vault_address'].nunique():,} vaults in {market.nunique():,} markets; "
            f"{len(rows) - len(held):,} rows with nothing in them",
            f"markets: borrowers are not in the file, nor are prices of {held['collateral_symbol'].nunique():,} "
            "collateral tokens: they and their LLTV are left out, their symbols stand in accounts.label",
        ),
    )


def _loan_prices(path: Path, symbols: list[str]) -> dict[str, float]:
    """Price of each loan token, from the table of markets beside the file."""
    beside = path.parent / BOOK_FILES[0]
    if not beside.is_file():
        raise InputError(
            f"{path}: expected {BOOK_FILES[0]} beside it for prices of {', '.join(symbols)}, got no such file"
        )
    markets = outside_table(beside, {"loan_symbol": "text", "loan_price_usd": "number"})
    known = markets[markets["loan_price_usd"] > 0.0].groupby("loan_symbol")["loan_price_usd"].median()
    unknown = [symbol for symbol in symbols if symbol not in known]
    if unknown:
        raise InputError(f"{beside}: loan_price_usd: expected a price of {', '.join(unknown)}, got none above 0")
    return {symbol: float(known[symbol]) for symbol in symbols}
