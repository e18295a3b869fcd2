"""What a rule's parameters are at one protocol: given values, else defaults, else an error that names them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from riskgraph.arrays import Floats, Ints
from riskgraph.errors import InputError
from riskgraph.snapshot.frames import protocol_terms
from riskgraph.snapshot.parameters import PARAMETERS, Parameter

if TYPE_CHECKING:
    from riskgraph.snapshot.snapshot import Snapshot
    from riskgraph.snapshot.tables import Table

__all__ = ["Terms"]


@dataclass(frozen=True, eq=False)
class Terms:
    """Parameters at one protocol under one rule, as numbers that rules calculate with."""

    snap: Snapshot
    protocol: int
    rule: str

    @cached_property
    def protocol_label(self) -> str:
        """Label of the protocol."""
        return str(self.snap.labels("protocol")[self.protocol])

    def given(self, name: str) -> float:
        """Give a number of the table ``protocols`` as it is, NaN where nothing is given."""
        table = self.snap.table("protocols")
        rows = np.flatnonzero(table.code("protocol") == self.protocol)
        return float(table.number(name)[rows[0]]) if len(rows) else np.nan

    def number(self, name: str) -> float:
        """Give a parameter of the protocol; NaN where nothing is given and the rule has words for that case."""
        if not self.has("protocols", name):
            return self.given(name)
        if PARAMETERS["protocols", name].kind == "flag":
            return float(self.flag(name))
        return float(self._filled("protocols", name, np.array([self.given(name)]), "")[0])

    @cached_property
    def lends_collateral(self) -> bool:
        """Whether collateral is lent out, so that it is a claim on the protocol."""
        return protocol_terms(self.snap)[2][self.protocol]

    def flag(self, name: str) -> bool:
        """Give a parameter of the protocol that is true or false."""
        table = self.snap.table("protocols")
        flags = table.flag(name)[table.code("protocol") == self.protocol]
        default = PARAMETERS["protocols", name].by_rule[self.rule].value
        return bool(flags[0]) if len(flags) and flags[0] >= 0 else bool(default)

    def label(self, name: str) -> str:
        """Give a parameter of the protocol that is a label; empty where nothing is given."""
        table = self.snap.table("protocols")
        rows = np.flatnonzero(table.code("protocol") == self.protocol)
        return table.text(name)[int(rows[0])] if len(rows) else ""

    def word(self, name: str) -> str:
        """Give a parameter of the protocol that is one of a few words."""
        return self.label(name) or str(PARAMETERS["protocols", name].by_rule[self.rule].value)

    def of_assets(self, name: str, assets: Ints) -> Floats:
        """Give a parameter of the protocol's market in each asset; asset -1 (none): NaN."""
        grid = self._grid(self.snap.table("markets"), name)
        found = np.append(grid, np.nan)[assets]
        missing = [
            str(self.snap.labels("asset")[int(code)]) for code in np.unique(assets[(assets >= 0) & np.isnan(found)])
        ]
        filled = self._filled("markets", name, found[assets >= 0], ", ".join(missing[:5]))
        result = np.full(len(assets), np.nan)
        result[assets >= 0] = filled
        return result

    def shown(self, assets: Ints) -> Floats:
        """Give the prices that the protocol's own oracle shows, USD a unit; NaN where none is given."""
        found: Floats = np.append(self._grid(self.snap.table("markets"), "price"), np.nan)[assets]
        return found

    def prices(self, assets: Ints) -> Floats:
        """Give prices at the protocol, USD a unit: what its oracle shows, else the asset's own; asset -1: NaN."""
        table = self.snap.table("assets")
        own = np.full(len(self.snap.labels("asset")) + 1, np.nan)
        own[table.code("asset")] = table.number("price")
        shown = self.shown(assets)
        return np.where(np.isnan(shown), own[assets], shown)

    def choice(self, name: str, asset: int) -> str:
        """Give a parameter of the protocol's market in an asset that is one of a few words."""
        table = self.snap.table("markets")
        rows = np.flatnonzero((table.code("protocol") == self.protocol) & (table.code("asset") == asset))
        given = table.text(name)[int(rows[0])] if len(rows) else ""
        return given or str(PARAMETERS["markets", name].by_rule[self.rule].value)

    def of_margins(self, name: str, margins: Ints) -> Floats:
        """Give a parameter of margin accounts; NaN where nothing is given."""
        table, book = self.snap.table("accounts"), self.snap.book
        mine = table.code("protocol") == self.protocol
        by_account = np.full(len(self.snap.labels("account")), np.nan)
        by_account[table.code("account")[mine]] = table.number(name)[mine]
        found: Floats = by_account[book.margin_account[margins]]
        return found

    def has(self, table: str, name: str) -> bool:
        """Whether the rule has a parameter of that name in that table."""
        one = PARAMETERS.get((table, name))
        return one is not None and self.rule in one.by_rule

    def _grid(self, table: Table, name: str) -> Floats:
        grid = np.full(len(self.snap.labels("asset")), np.nan)
        mine = table.code("protocol") == self.protocol
        flag = table.flag(name)
        given = np.where(flag >= 0, flag, np.nan) if name in table.flags else table.number(name)
        grid[table.code("asset")[mine]] = given[mine]
        return grid

    def _filled(self, table: str, name: str, given: Floats, whom: str) -> Floats:
        one: Parameter = PARAMETERS[table, name]
        default = one.by_rule[self.rule]
        if not np.isnan(given).any() or default.otherwise:
            return given
        if not isinstance(default.value, float):
            where = f"{whom} at {self.protocol_label}" if whom else self.protocol_label
            raise InputError(
                f"{table}.{name}: expected a value (rule {self.rule}: {one.meaning}), got none for {where}"
            )
        return np.where(np.isnan(given), default.value, given)
