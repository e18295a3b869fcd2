"""A book for the naive cascade: plain dictionaries from a snapshot's public frames, and what can be read off them.

A *margin account* is (account, protocol, bucket); a holding is (account, protocol, bucket, asset, side) -> units, a
wallet's protocol is empty. Prices at a protocol are ``shown[protocol][asset]``, market prices ``prices[asset]``.
"""

from __future__ import annotations

import math

from tests.naive.price_impact import curve_of

__all__ = ["Book", "tables_of"]

TABLES = ("positions", "assets", "protocols", "markets", "emodes", "accounts", "tiers", "backing", "liquidity")
PAIR_RULES = (
    "lending",
    "aave_v2",
    "aave_v3",
    "aave_v4",
    "compound_v2",
    "morpho_blue",
    "euler_v1",
    "euler_v2",
)
BEARERS = {
    "lending": "reserve",
    "aave_v3": "deficit",
    "aave_v4": "deficit",
    "morpho_blue": "lenders",
    "euler_v2": "lenders",
}
AT_PAR = ("maker", "liquity_v1", "liquity_v2")
TRADING = ("perp", "portfolio_margin")


def plain(value):
    """None for what is missing, labels as str, numbers as float, flags as bool."""
    if value is None or isinstance(value, bool | str):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None  # pd.NA
    return None if math.isnan(number) else number


def tables_of(snap):
    """Every table as a list of dictionaries, and kind, family, numeraire and market of every asset."""
    found = {}
    for name in TABLES:
        frame = getattr(snap, name)
        found[name] = [{key: plain(value) for key, value in row.items()} for row in frame.to_dict("records")]
    names = [str(name) for name in snap.labels("asset").to_pylist()]
    families = snap.families
    found["sold_as"] = {name: names[families.sold_as[at]] for at, name in enumerate(names)}
    found["numeraire"] = {name: names[families.numeraire[families.family[at]]] for at, name in enumerate(names)}
    raw = snap.table("markets").frame()
    told = raw[raw["price"].notna()] if "price" in raw else raw.iloc[:0]
    found["told_prices"] = {(str(p), str(a)) for p, a in zip(told["protocol"], told["asset"], strict=True)}
    return found


class Book:
    """Terms that never change, and ``hold``, which does."""

    def __init__(self, tables):
        self.price0 = {row["asset"]: row["price"] for row in tables["assets"]}
        self.kind = {row["asset"]: row["kind"] for row in tables["assets"]}
        self.family = {row["asset"]: row["family"] for row in tables["assets"]}
        self.volatility = {row["asset"]: row["volatility"] for row in tables["assets"]}
        self.sold_as, self.numeraire = tables["sold_as"], tables["numeraire"]
        self.protocols = {row["protocol"]: row for row in tables["protocols"]}
        self.markets = {(row["protocol"], row["asset"]): row for row in tables["markets"]}
        self.emodes = {(row["protocol"], row["category"], row["asset"]): row for row in tables["emodes"]}
        self.accounts = {(row["account"], row["protocol"]): row for row in tables["accounts"]}
        self.tiers = tables["tiers"]
        self.backing = tables["backing"]
        self.shares = {}  # token -> {asset behind it: share}
        for row in tables["backing"]:
            if row["backed_by"] in self.price0:
                self.shares.setdefault(row["token"], {})[row["backed_by"]] = row["share"]
        self.curves = self._curves(tables["liquidity"])
        self.scans = {row["asset"]: (row["scan_range"], row["volatility_scan"]) for row in tables["assets"]}
        self.hold, self.options, self.entry, self._known = {}, {}, {}, -1
        for row in tables["positions"]:
            key = (row["account"], row["protocol"] or "", row["bucket"] or "", row["asset"], row["side"])
            if row["option_type"]:
                contract = row["option_type"], row["strike"], row["expiry"], row["implied_vol"]
                self.options[*key, contract] = row["amount"]
                continue
            if key in self.hold:
                raise ValueError("two rows of one holding")
            self.hold[key] = row["amount"]
            if row["side"] in ("long", "short"):
                self.entry[key] = row["entry_price"] or self.price_there0(row["protocol"], row["asset"])
        self.pledged0 = {(key[1], key[3]) for key in self.hold if key[4] == "collateral"}
        self.par = {
            (key[1], key[3])
            for key in self.hold
            if key[4] == "debt" and self.rule(key[1]) in AT_PAR and (key[1], key[3]) not in tables["told_prices"]
        }  # debts that their contract counts at 1 USD, whatever they trade at
        if any(row["collateral_remainder_usd"] or row["debt_remainder_usd"] for row in tables["accounts"]):
            raise ValueError("the naive cascade knows no remainders")

    def _curves(self, liquidity):
        """Curve of every market: the asset's own rows, else those of the shallowest token that is sold there."""
        rows, found = {}, {}
        for row in liquidity:
            rows.setdefault(row["asset"], []).append(row)
        own = {asset: curve_of(mine) for asset, mine in rows.items()}
        for market in sorted(set(self.sold_as.values())):
            others = [asset for asset in sorted(own) if self.sold_as[asset] == market]
            if market in own:
                found[market] = own[market]
            elif others:
                found[market] = min((own[asset] for asset in others), key=lambda curve: curve["depth"])
        return found

    # -- who is there --------------------------------------------------------------------------------------------------

    def margins(self, *rules):
        """Margin accounts, in order of labels; of protocols with one of some rules."""
        self.look()
        return [one for one in self._margins if not rules or self.rule(one[1]) in rules]

    def margins_of(self, account):
        self.look()
        return self._by_account.get(account, [])

    def look(self):
        """List keys by margin account, and margin accounts by account, where holdings are new."""
        if self._known == len(self.hold):
            return
        self._of, self._known, self._by_account = {}, len(self.hold), {}
        for key in sorted(self.hold):
            self._of.setdefault(key[:3], []).append(key)
        for key in self.options:
            self._of.setdefault(key[:3], [])
        self._margins = [margin for margin in sorted(self._of) if margin[1]]
        for margin in self._margins:
            self._by_account.setdefault(margin[0], []).append(margin)

    def rule(self, protocol):
        return self.protocols[protocol]["rule"]

    def rows(self, margin, side):
        """Units above nothing of every asset that a margin account (or wallet) has on a side, by label."""
        self.look()
        found = {}
        for key in self._of.get(margin, []):
            if key[4] == side and self.hold[key] > 0:
                found[key[3]] = self.hold[key]
        return found

    def options_of(self, margin):
        """Keys and units of the options of a margin account that are not closed."""
        return [(key, units) for key, units in sorted(self.options.items()) if key[:3] == margin and units > 0]

    def add(self, margin, asset, side, units):
        """Change a holding; less than nothing is nothing, by rounding alone."""
        key = (*margin, asset, side)
        before = self.hold.get(key, 0.0)
        after = before + units
        if after < -1e-9 * max(before, abs(units)):
            raise AssertionError(f"{key}: {before} less {-units}")
        self.hold[key] = 0.0 if after <= 1e-12 * before else after

    # -- terms ---------------------------------------------------------------------------------------------------------

    def term(self, protocol, name, otherwise=None):
        value = self.protocols[protocol].get(name)
        return otherwise if value is None or value == "" else value

    def market_term(self, protocol, asset, name, otherwise=None):
        value = self.markets.get((protocol, asset), {}).get(name)
        return otherwise if value is None or value == "" else value

    def account_term(self, margin, name, otherwise=None):
        value = self.accounts.get(margin[:2], {}).get(name)
        return otherwise if value is None or value == "" else value

    def threshold(self, margin, asset):
        """The account's own, else its e-mode category's, else the market's (of a CDP 1 ÷ ratio), else None."""
        own = self.account_term(margin, "liquidation_threshold")
        if own is not None:
            return own
        category = self.account_term(margin, "emode")
        special = self.emodes.get((margin[1], category, asset), {}).get("liquidation_threshold")
        if special is not None:
            return special
        ratio = self.market_term(margin[1], asset, "liquidation_ratio")
        return self.market_term(margin[1], asset, "liquidation_threshold", None if ratio is None else 1 / ratio)

    def bonus(self, margin, asset):
        """The e-mode category's, else the market's, else None."""
        special = self.emodes.get((margin[1], self.account_term(margin, "emode"), asset), {}).get("liquidation_bonus")
        return special if special is not None else self.market_term(margin[1], asset, "liquidation_bonus")

    def lends_collateral(self, protocol):
        return bool(self.protocols[protocol]["lends_collateral"])

    def price_there0(self, protocol, asset):
        """What a protocol shows in the snapshot, USD a unit."""
        return self.market_term(protocol, asset, "price", self.price0[asset])

    def supply0(self, protocol, asset):
        """Units that all lenders own in the snapshot: published, or the larger of claims and debts."""
        sides = ("collateral", "deposit") if self.lends_collateral(protocol) else ("deposit",)
        mine = [(key, units) for key, units in self.hold.items() if key[1] == protocol]
        claims = sum(units for key, units in mine if key[3] == asset and key[4] in sides)
        owed = sum(units for key, units in mine if key[3] == asset and key[4] == "debt")
        published = None
        if {key[3] for key, _ in mine if key[4] == "debt"} == {asset}:
            published = self.term(protocol, "total_supply_assets")
            if published is None and self.term(protocol, "supply_usd") is not None:
                published = self.term(protocol, "supply_usd") / self.price_there0(protocol, asset)
        return max(claims, owed) if published is None else max(published, claims)
