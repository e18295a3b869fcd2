"""Random books of accounts for liquidation calls, for hypothesis: as the oracle sees them, and as a snapshot.

Every number is a decimal of at most 15 digits, so that the float in the snapshot is that decimal. Edges are often
drawn: health exactly 1 and a unit to either side, dust, nothing, worthless collateral, equal values, prices of 1e-12
and 1e9.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Context
from fractions import Fraction

import pandas as pd
from hypothesis import strategies as st

from riskgraph.snapshot.snapshot import Snapshot
from tests.naive.liquidation import MOST, Account, Token, largest

__all__ = ["PAIR_RULES", "VENUE", "Asked", "books_of_calls", "clipped", "snapshot", "unit"]

VENUE = "venue"
ELSEWHERE = "eth"  # an asset of twice the price outside, which must not matter: what counts is the venue's oracle
OF_ACCOUNTS = ("emode", "ctokens", "shares", "premium")  # terms of a holding that are not its market's
FINEST = 12  # decimals of the smallest amount where the token's decimals bound none

SHARES = {
    "liquidation_threshold": ["0.5", "0.77", "0.83", "0.9", "0.945", "0"],
    "liquidation_bonus": ["0", "0.05", "0.075", "0.1"],
    "protocol_fee": ["0", "0.1", "0.2", "1"],
}
# What a rule's markets and protocol set (None: its default), and how many debts an account may have.
PAIR_RULES: dict[str, dict] = {
    "lending": {
        "market": ("liquidation_threshold", "liquidation_bonus", "protocol_fee"),
        "venue": {
            "close_factor": [None, "0.25", "0.5", "1"],
            "close_factor_hf_threshold": [None, "0.9", "1"],
            "min_base_max_close_factor_threshold": [None, "50", "2000"],
            "min_leftover_base": [None, "10", "1000"],
            "target_health_factor": [None, "1", "1.05", "1.25"],
        },
    },
    "aave_v2": {"market": ("liquidation_threshold", "liquidation_bonus")},
    "aave_v3": {"market": ("liquidation_threshold", "liquidation_bonus", "protocol_fee")},
    "aave_v4": {
        "market": ("liquidation_threshold", "liquidation_bonus", "protocol_fee"),
        "venue": {
            "target_health_factor": ["1", "1.05", "1.25"],
            "health_factor_for_max_bonus": ["0.7", "0.85", "0.95"],
            "liquidation_bonus_factor": ["0", "0.5", "0.8", "1"],
        },
        "debt": {"drawn_index": [None, None, "1.25", "1.014"]},
    },
    "compound_v2": {
        "market": ("liquidation_threshold", "liquidation_bonus"),
        "venue": {"close_factor": [None, "0.25", "0.5", "1"]},
    },
    "euler_v1": {"market": ("liquidation_threshold",), "debt": {"borrow_factor": [None, "0.7", "0.91"]}},
    "euler_v2": {
        "market": ("liquidation_threshold",),
        "venue": {"max_liquidation_discount": ["0", "0.05", "0.15"], "socialise_debt": [None, "0"]},
        "debts": 1,
    },
}

_PRICES = st.one_of(
    st.sampled_from(["1", "1", "2", "0.5", "1e-12", "1e9"]),
    st.floats(-4.0, 5.0).map(lambda power: f"{10.0**power:.8g}"),
)
_RATES = st.sampled_from(["0.02", "0.0217", "1", "2.1"]).map(Fraction)  # underlying units a cToken
_WORTH = st.floats(-2.0, 7.0).map(lambda power: Fraction(10.0**power))  # USD of a holding
_HEALTH = st.one_of(st.floats(0.2, 1.1), st.floats(0.93, 1.0), st.sampled_from([0.95, 1.0]))


@dataclass(frozen=True)
class Asked:
    """One call on one account under a rule, as the oracle takes it; ``repay`` MOST: as much as may be."""

    rule: str
    account: Account
    collateral: Token
    debt: Token
    repay: Fraction | None

    def words(self) -> dict:
        """Arguments of the public quote."""
        pair = {"debt_asset": self.debt.label, "collateral_asset": self.collateral.label}
        return pair if self.repay is MOST else {**pair, "repay": float(self.repay)}


def clipped(value: Fraction, decimals: int | None, digits: int = 15) -> Fraction:
    """The decimal of at most so many digits, and of whole units, at or below a value."""
    whole = Fraction(Context(prec=digits, rounding=ROUND_DOWN).divide(value.numerator, value.denominator))
    return whole if decimals is None else Fraction(int(whole * 10**decimals), 10**decimals)


def unit(token: Token) -> Fraction:
    """The smallest change of an amount."""
    return Fraction(1, 10 ** (FINEST if token.decimals is None else token.decimals))


def counts_for(token: Token) -> Fraction:
    """What a USD of the collateral counts for."""
    return (token.terms.get("emode") or [token.terms["liquidation_threshold"]])[0]


# -- tokens: what all accounts of a book share -----------------------------------------------------------------------


@st.composite
def _tokens(draw: st.DrawFn, rule: str, even: bool) -> tuple[list[Token], list[Token]]:
    """Up to three tokens that may be pledged and three that may be owed."""
    offered = PAIR_RULES[rule]
    labels = draw(st.permutations(["ada", "bnb", "eth", "usdc", "wbtc", "zrx"]))
    pledged = [draw(_token(label, even, _market(draw, offered["market"]))) for label in labels[:3]]
    owed = [draw(_token(label, even, _given(draw, offered.get("debt", {})))) for label in labels[3:]]
    if rule == "aave_v3" and draw(st.booleans()):
        special = Fraction("0.95"), Fraction("0.01")
        pledged[1:] = [replace(token, terms={**token.terms, "emode": special}) for token in pledged[1:]]
    if rule == "compound_v2" and draw(st.booleans()):
        pledged = [
            replace(token, decimals=6, terms={**token.terms, "exchange_rate": draw(_RATES)}) for token in pledged
        ]
        owed = [replace(token, decimals=draw(st.sampled_from([6, 8, 18]))) for token in owed]
    if draw(st.integers(0, 3)) == 0:  # two of one price and count, which equal amounts make equal in value
        rate = {name: value for name, value in pledged[1].terms.items() if name == "exchange_rate"}
        like = {"price": pledged[1].price, "decimals": pledged[1].decimals, "terms": {**pledged[0].terms, **rate}}
        pledged[0] = replace(pledged[0], **like)
        owed[0] = replace(owed[0], price=owed[1].price, decimals=owed[1].decimals)
    elif draw(st.integers(0, 5)) == 0:
        pledged[0] = replace(pledged[0], price=Fraction(0))
    return pledged, owed


@st.composite
def _token(draw: st.DrawFn, label: str, even: bool, terms: dict) -> Token:
    price = draw(st.sampled_from(["1", "2", "10"]) if even else _PRICES)
    decimals = draw(st.sampled_from([None, 6, 8, 18] if even else [None, 0, 6, 8, 18]))
    return Token(label, Fraction(0), Fraction(price), decimals, terms)


def _market(draw, names):
    return {name: Fraction(draw(st.sampled_from(SHARES[name]))) for name in names}


def _given(draw, offered):
    found = {name: draw(st.sampled_from(values)) for name, values in offered.items()}
    return {name: Fraction(value) for name, value in found.items() if value is not None}


# -- accounts: what each of them holds -------------------------------------------------------------------------------


@st.composite
def _held(draw: st.DrawFn, token: Token) -> Token:
    """An amount of a token: some USD of it, a unit, or nothing."""
    kind = draw(st.integers(0, 19))
    worth = draw(_WORTH) / (token.price or 1)
    if "exchange_rate" in token.terms:
        rate = token.terms["exchange_rate"]
        ctokens = kind if kind <= 1 else int(clipped(worth / rate, 8, digits=11) * 10**8)
        return replace(token, amount=rate * ctokens / 10**8, terms={**token.terms, "ctokens": ctokens})
    return replace(token, amount=unit(token) * kind if kind <= 1 else clipped(worth, token.decimals))


@st.composite
def _accounts(draw: st.DrawFn, rule: str, pledged: list, owed: list, venue: dict, even: bool) -> Account:
    plain = [replace(token, terms={k: v for k, v in token.terms.items() if k != "emode"}) for token in pledged]
    pledged = draw(st.sampled_from([pledged, plain]))
    collaterals = [draw(_held(token)) for token in pledged[: draw(st.integers(1, 3))]]
    debts = [draw(_held(token)) for token in owed[: draw(st.integers(1, PAIR_RULES[rule].get("debts", 3)))]]
    for tokens in (collaterals, debts):
        if len(tokens) > 1 and _alike(*tokens[:2]) and draw(st.booleans()):
            ctokens = {name: value for name, value in tokens[1].terms.items() if name == "ctokens"}
            tokens[0] = replace(tokens[0], amount=tokens[1].amount, terms={**tokens[0].terms, **ctokens})
    weighted = sum((token.usd * counts_for(token) for token in collaterals), Fraction(0))
    if even:
        debts = _at_one(draw, debts, weighted)
    elif weighted > 0 and draw(st.integers(0, 4)):
        debts = _to_health(debts, weighted / Fraction(draw(_HEALTH)).limit_denominator(10**6))
    if rule == "aave_v4":
        debts = [_drawn(draw, token, alone=len(debts) == 1) for token in debts]
    return Account(tuple(collaterals), tuple(debts), venue)


def _drawn(draw, token, alone):
    """A debt of whole drawn shares, and of a premium, which an account has in the table on one debt."""
    index = token.terms.get("drawn_index", Fraction(1))
    shares = token.amount if index == 1 else clipped(token.amount / index, token.decimals, digits=10)
    premium = draw(st.sampled_from([Fraction(0), shares / 10, shares / 1000, 2 * shares])) if alone else Fraction(0)
    premium = clipped(premium, None, digits=4)
    if not written(shares * index + premium):
        premium = Fraction(0)
    return replace(token, amount=shares * index + premium, terms={**token.terms, "shares": shares, "premium": premium})


def written(value: Fraction) -> bool:
    """Whether the float nearest to a number is written as that number."""
    return Fraction(repr(float(value))) == value


def _alike(one: Token, other: Token) -> bool:
    """Whether equal amounts of two tokens are equal in value."""
    told = [(token.price, token.decimals, token.terms.get("exchange_rate")) for token in (one, other)]
    return told[0] == told[1]


def _to_health(debts: list[Token], owed: Fraction) -> list[Token]:
    """The same debts, the last one such that all of them come as near to an amount of USD as whole units can."""
    *others, last = debts
    factor = last.terms.get("borrow_factor", 1)
    rest = sum((token.usd / token.terms.get("borrow_factor", 1) for token in others), Fraction(0))
    if rest >= owed:  # more than that already: the last alone
        others, rest = [], Fraction(0)
    return [*others, replace(last, amount=clipped((owed - rest) * factor / last.price, last.decimals))]


def _at_one(draw, debts, weighted):
    """Health of exactly 1, or a unit of debt away from it (as far as decimals let it be exact)."""
    debts = _to_health(debts, weighted)
    last = debts[-1]
    amount = max(last.amount + draw(st.sampled_from([-1, 0, 0, 1])) * unit(last), Fraction(0))
    return [*debts[:-1], replace(last, amount=clipped(amount, last.decimals))]


@st.composite
def books_of_calls(draw: st.DrawFn, rule: str, most: int = 6) -> list[Asked]:
    """Calls under a rule, each on an account of its own at one venue; all on the largest debt and collateral."""
    even = draw(st.integers(0, 2)) == 0
    pledged, owed = draw(_tokens(rule, even))
    venue = _given(draw, PAIR_RULES[rule].get("venue", {}))
    found = []
    for account in draw(st.lists(_accounts(rule, pledged, owed, venue, even), min_size=1, max_size=most)):
        debt = largest(account.debts)
        found.append(Asked(rule, account, largest(account.collaterals), debt, draw(requests(debt))))
    return found


@st.composite
def requests(draw: st.DrawFn, debt: Token) -> Fraction | None:
    """As much as may be, nothing, a unit, a part, the half, all, or more than all."""
    kind = draw(st.sampled_from(["most", "most", "nothing", "unit", "part", "part", "half", "all", "more"]))
    if kind in ("most", "unit"):
        return MOST if kind == "most" else unit(debt)
    share = {"nothing": 0.0, "half": 0.5, "all": 1.0, "more": 1.7}.get(kind)
    share = draw(st.floats(1e-6, 1.0)) if share is None else share
    return clipped(debt.amount * Fraction(share), debt.decimals)


# -- the same as a snapshot -------------------------------------------------------------------------------------------


def user(at: int) -> str:
    """Label of an account."""
    return f"user{at}"


def snapshot(calls: list[Asked], venue: str = VENUE) -> Snapshot:
    """The accounts of calls in the public tables."""
    held = [
        (user(at), side, token)
        for at, call in enumerate(calls)
        for side, tokens in (("collateral", call.account.collaterals), ("debt", call.account.debts))
        for token in tokens
    ]
    positions = pd.DataFrame(
        {"account": who, "protocol": venue, "asset": token.label, "side": side, "amount": float(token.amount)}
        for who, side, token in held
    )
    tokens = {token.label: token for _, _, token in held}
    assets = pd.DataFrame(
        {"asset": token.label, "price": float(token.price) * (2.0 if token.label == ELSEWHERE else 1.0),
         "decimals": token.decimals}
        for token in tokens.values()
    ).astype({"decimals": float})  # fmt: skip
    markets = pd.DataFrame({"protocol": venue, "asset": token.label, **_market_row(token)} for token in tokens.values())
    if ELSEWHERE in tokens:
        markets.loc[markets["asset"] == ELSEWHERE, "price"] = float(tokens[ELSEWHERE].price)
    special = {token.label: token.terms["emode"] for _, _, token in held if "emode" in token.terms}
    emodes = pd.DataFrame(
        {"protocol": venue, "category": "1", "asset": label, "liquidation_threshold": float(terms[0]),
         "liquidation_bonus": float(terms[1])}
        for label, terms in special.items()
    )  # fmt: skip
    own: dict = {}
    for who, _, token in held:
        if "emode" in token.terms:
            own[who] = {"emode": "1"}
        if token.terms.get("premium"):
            own[who] = {"premium": float(token.terms["premium"])}
    accounts = pd.DataFrame({"account": who, "protocol": venue, **terms} for who, terms in own.items())
    return Snapshot(
        positions=positions, assets=assets, protocols=_protocols(calls[0], venue), markets=markets,
        emodes=emodes if special else None, accounts=accounts if own else None,
    )  # fmt: skip


def _market_row(token: Token) -> dict:
    shared = {name: value for name, value in token.terms.items() if name not in OF_ACCOUNTS}
    return {name: float(value) for name, value in shared.items()}


def _protocols(call: Asked, venue: str) -> pd.DataFrame:
    terms = {name: float(value) for name, value in call.account.terms.items()}
    if "socialise_debt" in terms:
        terms["socialise_debt"] = bool(terms["socialise_debt"])
    return pd.DataFrame([{"protocol": venue, "rule": call.rule, **terms}])
