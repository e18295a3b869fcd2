"""What every table of a snapshot holds: columns, units, ranges, keys. The one place where they are declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from riskgraph.snapshot.parameters import (
    PARAMETERS,
    RULES,
    Parameter,
    RuleDefault,
    RuleFacts,
    add_rule_facts,
    drop_rule_facts,
)

__all__ = ["DOMAINS", "KINDS", "SIDES", "TABLES", "Column", "TableSchema", "declare_rule", "retract_rule"]

SIDES: Final = ("collateral", "debt", "deposit", "long", "short", "wallet")
KINDS: Final = ("base", "stable", "staked", "receipt", "lp", "debt_backed", "synthetic", "basket")
PROTOCOL_KINDS: Final = ("lending", "cdp", "perp", "options", "dex", "bank")
IMPACT_MODELS: Final = ("linear", "exponential", "square_root", "constant_product", "table")
# Label spaces that tables share: the same label means the same thing in every table.
DOMAINS: Final = ("account", "protocol", "asset", "bucket")


@dataclass(frozen=True)
class Column:
    """One column: what it holds, in which unit and range.

    ``kind`` is a shared label space (``account``, ``protocol``, ``asset``, ``bucket``), ``party`` (an asset or a
    protocol), ``number``, ``choice`` (one of ``choices``), ``text`` or ``flag`` (true or false).
    """

    name: str
    kind: str
    meaning: str
    unit: str = ""
    required: bool = False
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    choices: tuple[str, ...] = ()
    may_be_empty: bool = False

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.kind == "number":
            return f"expected {self._range}"
        if self.kind == "choice":
            return f"expected one of {', '.join(self.choices)}"
        if self.kind == "flag":
            return "expected true or false"
        return f"expected the label of {'an' if self.kind in ('account', 'asset') else 'a'} {self.kind}"

    @property
    def _range(self) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        if self.low is None:
            return f"a finite number{unit}"
        bound = f"above {self.low:g}" if self.open_low else f"of at least {self.low:g}"
        if self.high is None:
            return f"a finite number {bound}{unit}"
        return f"a number {bound} and at most {self.high:g}{unit}"


@dataclass(frozen=True)
class TableSchema:
    """One table: its columns and the columns that name a row."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be there."""
        return tuple(column.name for column in self.columns if column.required)


def _label(name: str, kind: str, meaning: str, *, required: bool = False, may_be_empty: bool = False) -> Column:
    return Column(name, kind, meaning, required=required, may_be_empty=may_be_empty)


def _share(name: str, meaning: str) -> Column:
    return Column(name, "number", meaning, unit="share", low=0.0, high=1.0)


def _usd(name: str, meaning: str) -> Column:
    return Column(name, "number", meaning, unit="USD", low=0.0)


def _above(name: str, meaning: str, unit: str, *, required: bool = False) -> Column:
    return Column(name, "number", meaning, unit=unit, low=0.0, open_low=True, required=required)


def _choice(name: str, choices: tuple[str, ...], meaning: str, *, required: bool = False) -> Column:
    return Column(name, "choice", meaning, choices=choices, required=required)


_PROTOCOL = _label("protocol", "protocol", "lending market, venue or bank", required=True)
_ASSET = _label("asset", "asset", "token or instrument", required=True)
_THRESHOLD = _share("liquidation_threshold", "share of collateral value that may stand against debt (LT)")
_LTV = _share("ltv", "largest debt ÷ collateral value at opening")
_BONUS = Column("liquidation_bonus", "number", "what a liquidator gets on top, 0.05 = 5 %", unit="share", low=0.0)

_POSITIONS = TableSchema(
    "positions",
    (
        _label("account", "account", "margin account or wallet", required=True),
        _label("protocol", "protocol", "where it stands; empty for a wallet", required=True, may_be_empty=True),
        _ASSET,
        _choice("side", SIDES, "what the row is to its owner", required=True),
        Column("amount", "number", "units of the asset", unit="units", low=0.0),
        Column("usd", "number", "value, where no amount is known", unit="USD", low=0.0),
        _above("entry_price", "price at which a long or short was opened", "USD a unit"),
        _label("bucket", "bucket", "isolation group; empty: cross", may_be_empty=True),
        _choice("option_type", ("call", "put"), "for options"),
        _above("strike", "for options", "USD a unit"),
        Column("expiry", "number", "for options, time to expiry", unit="years", low=0.0),
        _above("implied_vol", "for options", "share a year"),
    ),
    ("account", "protocol", "bucket", "asset", "side", "option_type", "strike", "expiry"),
)
_ASSETS = TableSchema(
    "assets",
    (
        _ASSET,
        Column("price", "number", "market price", unit="USD a unit", low=0.0, required=True),
        _choice("kind", KINDS, "what kind of token"),
        Column("family", "text", "assets held to one price, by the base's label"),
        Column(
            "decimals", "number", "rounding unit 10^-decimals; none: no rounding", unit="digits", low=0.0, high=77.0
        ),
        Column("volatility", "number", "volatility of returns", unit="share a year", low=0.0),
        _share("scan_range", "price scan range of SPAN"),
        Column("volatility_scan", "number", "volatility scan range of SPAN", unit="share a year", low=0.0),
    ),
    ("asset",),
)


def _parameter_column(one: Parameter) -> Column:
    return Column(
        one.name,
        one.kind,
        one.meaning,
        unit=one.unit,
        low=one.low,
        high=one.high,
        open_low=one.open_low,
        choices=one.choices,
        may_be_empty=True,
    )


def _parameter_columns(table: str) -> tuple[Column, ...]:
    return tuple(_parameter_column(one) for one in PARAMETERS.values() if one.table == table)


def _protocols() -> TableSchema:
    return TableSchema(
        "protocols",
        (
            _PROTOCOL,
            _choice("kind", PROTOCOL_KINDS, "what kind of venue"),
            _choice("rule", tuple(RULES), "family of liquidation rules"),
            Column("parent", "text", "an isolated market's or a version's protocol"),
            _usd("reserve_usd", "first-loss money: reserves, insurance fund, safety module"),
            _usd("supply_usd", "all lenders' claims, in the snapshot or not"),
            Column("call_level", "number", "health below which a margin call is made", unit="health", low=1.0),
            Column("target_health", "number", "health that a call restores", unit="health", low=1.0),
            Column("grace_rounds", "number", "rounds between call and liquidation", unit="rounds", low=0.0),
            _choice("topup", ("first",), "whether calls are paid before liquidation when grace is 0"),
            Column("oracle_lag_rounds", "number", "rounds by which the oracle is late", unit="rounds", low=0.0),
            _share("oracle_deviation", "relative move from which the oracle updates"),
            Column("lends_collateral", "flag", "whether collateral is lent out, so that it is a claim on the protocol"),
            *_parameter_columns("protocols"),
        ),
        ("protocol",),
    )


def _markets() -> TableSchema:
    return TableSchema(
        "markets",
        (
            _PROTOCOL,
            _ASSET,
            Column("price", "number", "price that this protocol's oracle shows", unit="USD a unit", low=0.0),
            _LTV,
            _share("haircut", "share of value not counted as margin"),
            _share("initial_margin", "share of notional needed to open"),
            _share("maintenance_margin", "share of notional needed to keep"),
            Column("borrowable", "flag", "whether it can be borrowed"),
            Column("usable_as_collateral", "flag", "whether it can be collateral"),
            *_parameter_columns("markets"),
        ),
        ("protocol", "asset"),
    )


_EMODES = TableSchema(
    "emodes",
    (
        _PROTOCOL,
        Column("category", "text", "e-mode category", required=True),
        _ASSET,
        _LTV,
        _THRESHOLD,
        _BONUS,
    ),
    ("protocol", "category", "asset"),
)


def _accounts() -> TableSchema:
    return TableSchema(
        "accounts",
        (
            _label("account", "account", "margin account", required=True),
            _PROTOCOL,
            Column("emode", "text", "e-mode category of the account"),
            _share("liquidation_threshold", "the account's own threshold, for all its collateral"),
            Column(
                "collateral_remainder_usd", "number", "published collateral less the rows' (either sign)", unit="USD"
            ),
            Column("debt_remainder_usd", "number", "published debt less the rows' (either sign)", unit="USD"),
            Column("label", "text", "a name for people"),
            *_parameter_columns("accounts"),
        ),
        ("account", "protocol"),
    )


_TIERS = TableSchema(
    "tiers",
    (
        _PROTOCOL,
        _ASSET,
        Column("notional_from_usd", "number", "notional at which the tier starts", unit="USD", low=0.0, required=True),
        Column(
            "maintenance_margin",
            "number",
            "share of notional in this tier",
            unit="share",
            low=0.0,
            high=1.0,
            required=True,
        ),
    ),
    ("protocol", "asset", "notional_from_usd"),
)
_BACKING = TableSchema(
    "backing",
    (
        _label("token", "asset", "token that is backed", required=True),
        Column("backed_by", "party", "asset or protocol behind it", required=True),
        Column("share", "number", "share of the token's value", unit="share", low=0.0, high=1.0, required=True),
        _label("issuer", "protocol", "protocol that issued the token", may_be_empty=True),
    ),
    ("token", "backed_by"),
)
_CLAIMS = TableSchema(
    "claims",
    (
        _label("creditor", "protocol", "protocol that holds the claim", required=True),
        _label("debtor", "protocol", "protocol that owes", required=True),
        Column("usd", "number", "size of the claim", unit="USD", low=0.0, required=True),
    ),
    ("creditor", "debtor"),
)
_LIQUIDITY = TableSchema(
    "liquidity",
    (
        _ASSET,
        _choice("model", IMPACT_MODELS, "price impact model", required=True),
        _above("depth_usd", "USD sold that the model is scaled by", "USD"),
        _label("against", "asset", "what it is sold for; empty: USD", may_be_empty=True),
        _usd("sold_usd", "for table: USD sold"),
        _share("price_fall", "for table: relative price fall at that size"),
        _choice("price_kind", ("average", "marginal"), "for table: what the fall is of"),
    ),
    ("asset", "sold_usd"),
)

TABLES: Final[dict[str, TableSchema]] = {
    schema.name: schema
    for schema in (
        _POSITIONS,
        _ASSETS,
        _protocols(),
        _markets(),
        _EMODES,
        _accounts(),
        _TIERS,
        _BACKING,
        _CLAIMS,
        _LIQUIDITY,
    )
}


def declare_rule(
    facts: RuleFacts,
    parameters: tuple[Parameter, ...] = (),
    shared: Mapping[tuple[str, str], RuleDefault] = MappingProxyType({}),
) -> None:
    """Let snapshots hold a rule from outside: its name, its own parameters, and declared ones that it uses too."""
    add_rule_facts(facts, parameters, shared)
    _take_columns_in()


def retract_rule(name: str) -> None:
    """Undo :func:`declare_rule`."""
    drop_rule_facts(name)
    _take_columns_in()


def _take_columns_in() -> None:
    """Let the tables have the columns of the parameters that are declared now."""
    TABLES.update({schema.name: schema for schema in (_protocols(), _markets(), _accounts())})
