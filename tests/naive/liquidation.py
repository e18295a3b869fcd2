"""Liquidation calls again, straight from the contracts: one account, one collateral and one debt a call, in Fractions.

Amounts are whole tokens, prices USD. A token with ``decimals`` is counted in whole smallest units and rounded as its
contract rounds; a token without is not rounded at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction

MOST = None  # a request for as much as may be
INFINITE = math.inf
SEIZE, SHARES = "seize", "shares"


@dataclass(frozen=True)
class Token:
    """One holding of the account, with the terms that its market sets."""

    label: str
    amount: Fraction
    price: Fraction
    decimals: int | None = None
    terms: dict = field(default_factory=dict)

    @property
    def usd(self) -> Fraction:
        return self.amount * self.price


@dataclass(frozen=True)
class Account:
    """Collateral and debt of one margin account, and the terms of its protocol."""

    collaterals: tuple[Token, ...]
    debts: tuple[Token, ...]
    terms: dict = field(default_factory=dict)
    closing: bool = False  # called as though it were liquidatable, whatever its health (closeout of a margin call)


@dataclass
class Call:
    """What a call does: units of the debt asset repaid, of the collateral seized (fee included), and what is left."""

    liquidatable: bool
    health: Fraction | float
    refused: str = ""
    repaid: Fraction = Fraction(0)
    seized: Fraction = Fraction(0)
    fee: Fraction = Fraction(0)
    written_off: dict = field(default_factory=dict)
    more: dict = field(default_factory=dict)


def down(value, decimals):
    return value if decimals is None else Fraction(math.floor(value * 10**decimals), 10**decimals)


def up(value, decimals):
    return value if decimals is None else Fraction(math.ceil(value * 10**decimals), 10**decimals)


def half_up(value, decimals):
    return value if decimals is None else Fraction(math.floor(value * 10**decimals + Fraction(1, 2)), 10**decimals)


def usd(token, amount, way, places):
    """Value of an amount, in a contract's whole units of account where the token is counted in whole units."""
    return way(amount * token.price, None if token.decimals is None else places)


def collateral_worth(debt, collateral, repaid):
    """Units of collateral of the value of units of debt; without end where the collateral is worth nothing."""
    value = repaid * debt.price
    if collateral.price == 0:
        return INFINITE if value > 0 else Fraction(0)
    return down(value / collateral.price, collateral.decimals)


def ratio(weighted, owed):
    return weighted / owed if owed > 0 else INFINITE


def largest(tokens):
    """The token with the most USD, of equal ones the first by label."""
    return min(tokens, key=lambda token: (-token.usd, token.label))


def left(tokens, called, change):
    return {token.label: token.amount - (change if token is called else 0) for token in tokens}


def rest_of_debts(account, debt, repaid):
    """Debts that a call leaves, where there are any."""
    return {label: amount for label, amount in left(account.debts, debt, repaid).items() if amount > 0}


# -- generic lending -------------------------------------------------------------------------------------------------


def lending(account, collateral, debt, repay=MOST):
    """Repay up to a close factor or a target health, seize with bonus; every term may be set."""
    terms = {
        "close_factor": Fraction(1, 2),
        "close_factor_hf_threshold": 0,
        "min_base_max_close_factor_threshold": 0,
        "min_leftover_base": 0,
        "target_health_factor": None,
        **account.terms,
    }
    threshold = collateral.terms["liquidation_threshold"]
    bonus = 1 + collateral.terms.get("liquidation_bonus", 0)
    weighted = sum(token.usd * token.terms["liquidation_threshold"] for token in account.collaterals)
    owed = sum(token.usd for token in account.debts)
    health = ratio(weighted, owed)
    if not (weighted < owed or account.closing):
        return Call(False, health, "healthy")
    small = min(collateral.usd, debt.usd) < terms["min_base_max_close_factor_threshold"]
    whole = small or health <= terms["close_factor_hf_threshold"]
    limit = debt.amount if whole else down(debt.amount * terms["close_factor"], debt.decimals)
    target = terms["target_health_factor"]
    if target is not None and debt.price > 0 and threshold * bonus < target:
        limit = min(limit, up((target * owed - weighted) / ((target - threshold * bonus) * debt.price), debt.decimals))
    repaid = limit if repay is MOST else min(repay, limit)
    worth = collateral_worth(debt, collateral, repaid)
    seized = INFINITE if worth == INFINITE else down(worth * bonus, collateral.decimals)
    if seized > collateral.amount:
        seized = collateral.amount
        repaid = up(down(seized * collateral.price / debt.price, debt.decimals) / bonus, debt.decimals)
    share = collateral.terms.get("protocol_fee", 0)
    fee = up((seized - down(seized / bonus, collateral.decimals)) * share, collateral.decimals)
    least = terms["min_leftover_base"]
    if repaid < debt.amount and seized < collateral.amount:
        leftovers = (debt.amount - repaid) * debt.price, (collateral.amount - seized) * collateral.price
        if min(leftovers) < least:
            return Call(True, health, "dust left")
    worth_left = sum(token.usd for token in account.collaterals) - seized * collateral.price
    gone = worth_left == 0 and seized == collateral.amount  # a call that takes nothing leaves worthless tokens there
    return Call(True, health, "", repaid, seized, fee, rest_of_debts(account, debt, repaid) if gone else {})


# -- Aave -------------------------------------------------------------------------------------------------------------


def aave_v2(account, collateral, debt, repay=MOST):
    """Half of the reserve's debt, bonus, no fee, no dust rule, no write-off; percentages round half up."""
    threshold, bonus = collateral.terms["liquidation_threshold"], 1 + collateral.terms["liquidation_bonus"]
    weighted = sum(usd(t, t.amount, down, 18) * t.terms["liquidation_threshold"] for t in account.collaterals)
    owed = sum(usd(t, t.amount, down, 18) for t in account.debts)
    health = ratio(weighted, owed)
    if not (weighted < owed or account.closing):
        return Call(False, health, "LPCM_HEALTH_FACTOR_NOT_BELOW_THRESHOLD")
    if threshold == 0 or collateral.amount == 0:
        return Call(True, health, "LPCM_COLLATERAL_CANNOT_BE_LIQUIDATED")
    if debt.amount == 0:
        return Call(True, health, "LPCM_SPECIFIED_CURRENCY_NOT_BORROWED_BY_USER")
    limit = half_up(debt.amount / 2, debt.decimals)
    repaid = limit if repay is MOST else min(repay, limit)
    worth = collateral_worth(replace(debt, decimals=None), replace(collateral, decimals=None), repaid * bonus)
    seized = INFINITE if worth == INFINITE else down(worth, collateral.decimals)
    if seized > collateral.amount:
        seized = collateral.amount
        needed = half_up(down(seized * collateral.price / debt.price, debt.decimals) / bonus, debt.decimals)
        repaid = min(repaid, needed)
    return Call(True, health, "", repaid, seized)


def aave_v3_terms(token):
    """Threshold and bonus of a collateral: the category's, where the user has entered one that holds it."""
    return token.terms.get("emode") or (token.terms["liquidation_threshold"], token.terms["liquidation_bonus"])


def aave_v3_totals(account):
    """Value of collateral that counts (floored each), weighted by thresholds, of all debt (ceiled each), and health."""
    values = [(usd(t, t.amount, down, 8), aave_v3_terms(t)[0]) for t in account.collaterals]
    total = sum(value for value, threshold in values if threshold > 0)
    weighted = sum(value * threshold for value, threshold in values)
    owed = sum(usd(t, t.amount, up, 8) for t in account.debts)
    counted = all(token.decimals is not None for token in (*account.collaterals, *account.debts))
    health = ratio(weighted, owed)
    if counted and owed > 0:
        health = down(half_up(health, 22), 18)
    return total, owed, health


def aave_v3(account, collateral, debt, repay=MOST):
    """Close factor on all debts and by size, bonus, fee of the bonus, dust rule, deficit; e-mode (v3.7)."""
    total, owed, health = aave_v3_totals(account)
    threshold, bonus = aave_v3_terms(collateral)
    bonus = 1 + bonus
    if not (health < 1 or account.closing):
        return Call(False, health, "HealthFactorNotBelowThreshold")
    if threshold == 0 or collateral.amount == 0:
        return Call(True, health, "CollateralCannotBeLiquidated")
    if debt.amount == 0:
        return Call(True, health, "SpecifiedCurrencyNotBorrowedByUser")
    pledged, due = usd(collateral, collateral.amount, down, 8), usd(debt, debt.amount, up, 8)
    limit = debt.amount
    if pledged >= 2000 and due >= 2000 and health > Fraction(95, 100):
        half = half_up(owed / 2, None if debt.decimals is None else 8)
        if due > half:
            limit = down(half / debt.price, debt.decimals)
    repaid = limit if repay is MOST else min(repay, limit)
    worth = collateral_worth(debt, collateral, repaid)
    seized = INFINITE if worth == INFINITE else down(worth * bonus, collateral.decimals)
    if seized > collateral.amount:
        seized = collateral.amount
        repaid = up(down(seized * collateral.price / debt.price, debt.decimals) / bonus, debt.decimals)
    share = collateral.terms.get("protocol_fee", 0)
    fee = up((seized - down(seized / bonus, collateral.decimals)) * share, collateral.decimals)
    if repaid < debt.amount and seized < collateral.amount:
        debt_left = usd(debt, debt.amount - repaid, up, 8)
        collateral_left = usd(collateral, collateral.amount - seized, down, 8)
        if debt_left < 1000 or collateral_left < 1000:
            return Call(True, health, "MustNotLeaveDust")
    gone = usd(collateral, seized, down, 8) == total
    return Call(True, health, "", repaid, seized, fee, rest_of_debts(account, debt, repaid) if gone else {})


def aave_v4_bonus(terms, health, largest_bonus):
    """Grow from a share of the largest bonus at a health of 1, in whole basis points."""
    least = 1 + down((largest_bonus - 1) * terms["liquidation_bonus_factor"], 4)
    top = terms["health_factor_for_max_bonus"]
    if health <= top:
        return largest_bonus
    return least + down((largest_bonus - least) * (1 - health) / (1 - top), 4)


def aave_v4(account, collateral, debt, repay=MOST):
    """Repay to a target health with a bonus that grows; neither side may be left as dust."""
    weighted = sum(t.usd * t.terms["liquidation_threshold"] for t in account.collaterals)
    owed = sum(t.usd for t in account.debts)
    health = ratio(weighted, owed)
    below = weighted < owed or account.closing
    reasons = (
        ("InvalidDebtToCover", repay is not MOST and repay == 0),
        ("ReserveNotSupplied", collateral.amount == 0),
        ("ReserveNotBorrowed", debt.amount == 0),
        ("HealthFactorNotBelowThreshold", not below),
        ("ReserveNotEnabledAsCollateral", collateral.terms["liquidation_threshold"] == 0),
    )
    for reason, holds in reasons:
        if holds:
            return Call(below, health, reason)
    parts = [debt.terms.get(name, plain) for name, plain in (("shares", None), ("drawn_index", 1), ("premium", 0))]
    found = aave_v4_amounts(account.terms, health, owed, collateral, debt, repay, *parts)
    if not found.refused:
        active = [t for t in account.collaterals if t.amount > 0 and t.terms["liquidation_threshold"] > 0]
        if found.seized == collateral.amount and active == [collateral]:
            found.written_off = rest_of_debts(account, debt, found.more["cleared"])
    return found


def aave_v4_amounts(terms, health, owed, collateral, debt, repay, shares=None, index=1, premium=0):
    """``LiquidationLogic._calculateLiquidationAmounts``: debt is shares · index + premium, premium is repaid first."""
    unit, ray = debt.decimals, None if debt.decimals is None else debt.decimals + 27
    shares = debt.amount if shares is None else shares
    factor, target = collateral.terms["liquidation_threshold"], terms["target_health_factor"]
    bonus = aave_v4_bonus(terms, health, 1 + collateral.terms["liquidation_bonus"])
    cover = INFINITE if repay is MOST else repay
    to_target = INFINITE  # also where no repayment gets there; the contract's settings keep bonus · factor below 1
    if debt.price > 0 and target > bonus * factor:
        to_target = up(owed * (target - health) / ((target - bonus * factor) * debt.price), ray)
    premium_paid = premium if to_target >= premium else min(up(to_target, unit), premium)
    if cover < up(premium_paid, unit):
        premium_paid = cover
    paid = Fraction(0)
    if premium_paid == premium and premium_paid < to_target:
        paid = shares
        for room, way in ((to_target - premium_paid, up), (cover - up(premium_paid, unit), down)):
            if room != INFINITE:
                paid = min(paid, way(room / index, unit))
    debt_left = ((shares - paid) * index + premium - premium_paid) * debt.price
    if paid < shares and debt_left < 1000:
        paid, premium_paid = shares, premium
    rate = debt.price * bonus / collateral.price if collateral.price else INFINITE

    def seizable():
        worth = paid * index + premium_paid
        return down(worth * rate, collateral.decimals) if rate != INFINITE else INFINITE

    seized = seizable()
    dusty = seized < collateral.amount and (collateral.amount - seized) * collateral.price < 1000
    if seized > collateral.amount or (dusty and paid < shares):
        seized = collateral.amount
        needed = up(collateral.amount * collateral.price / (debt.price * bonus), ray)
        if needed <= premium:
            paid, premium_paid = Fraction(0), min(up(needed, unit), premium)
        else:
            premium_paid, paid = premium, up((needed - premium) / index, unit)
            if paid > shares:
                paid = shares
                seized = min(seizable(), collateral.amount)
    repaid = up(paid * index, unit) + up(premium_paid, unit)
    more = {"bonus": bonus, "shares": paid, "premium": premium_paid, "cleared": paid * index + premium_paid}
    if cover < repaid:
        return Call(True, health, "MustNotLeaveDust", more=more)
    fee = up(seized * collateral.terms.get("protocol_fee", 0) * (bonus - 1) / bonus, collateral.decimals)
    return Call(True, health, "", repaid, seized, fee, more=more)


# -- Compound v2 ------------------------------------------------------------------------------------------------------


def compound_v2_side(token):
    """Mantissas of a market: price · 10^(36 − decimals), exchange rate; and the account's cTokens as a whole number."""
    price = math.floor(token.price * 10 ** (36 - token.decimals))
    rate = (
        math.floor(token.terms["exchange_rate"] * 10 ** (10 + token.decimals)) if "exchange_rate" in token.terms else 0
    )
    return price, rate, token.terms.get("ctokens", 0)


def compound_v2_shortfall(account):
    """Borrowing power and debt in 1e-18 USD, products cut to 1e-18 on the way, as ``getAccountLiquidity`` does."""
    wad, power, owed = 10**18, 0, 0
    for token in account.collaterals:
        price, rate, ctokens = compound_v2_side(token)
        factor = math.floor(token.terms["liquidation_threshold"] * wad)
        power += factor * rate // wad * price // wad * ctokens // wad
    for token in account.debts:
        owed += compound_v2_side(token)[0] * int(token.amount * 10**token.decimals) // wad
    return power, owed


def unpriced(account, collateral, debt):
    """Whether anything that the account holds or owes, or that is called, has no price."""
    held = (
        token for token in (*account.collaterals, *account.debts) if token.amount > 0 or token in (collateral, debt)
    )
    return any(token.price == 0 for token in held)


def compound_v2(account, collateral, debt, repay=MOST):
    """A close factor, an incentive on everything, a share of everything seized for the protocol; refused, never cut."""
    if debt.decimals is None or "exchange_rate" not in collateral.terms:
        return compound_v2_plain(account, collateral, debt, repay)
    wad, unit = 10**18, 10**debt.decimals
    power, owed = compound_v2_shortfall(account)
    health = ratio(Fraction(power), Fraction(owed))
    if unpriced(account, collateral, debt):
        return Call(False, health, "PRICE_ERROR")
    if not (power < owed or account.closing):
        return Call(False, health, "INSUFFICIENT_SHORTFALL")
    limit = math.floor(account.terms.get("close_factor", Fraction(1, 2)) * wad) * int(debt.amount * unit) // wad
    price, rate, ctokens = compound_v2_side(collateral)
    incentive = math.floor((1 + collateral.terms["liquidation_bonus"]) * wad)
    top, bottom = incentive * compound_v2_side(debt)[0] // wad, price * rate // wad
    if repay is MOST:
        repay = limit
        if bottom and top * wad // bottom * repay // wad > ctokens:  # the most that may be: for all of the collateral
            repay = ((ctokens + 1) * wad - 1) // (top * wad // bottom)
    else:
        repay = int(repay * unit)
    if repay > limit:
        return Call(True, health, "TOO_MUCH_REPAY")
    if repay == 0:
        return Call(True, health, "LiquidateCloseAmountIsZero")
    if bottom == 0:
        return Call(True, health, "division by zero")
    seized = top * wad // bottom * repay // wad
    if seized > ctokens:
        return Call(True, health, "LIQUIDATE_SEIZE_TOO_MUCH")
    kept = seized * math.floor(Fraction(28, 1000) * wad) // wad
    scale = Fraction(rate, wad * 10**collateral.decimals)
    more = {"seized_ctokens": seized, "fee_ctokens": kept, "reserves": down(kept * scale, collateral.decimals)}
    return Call(True, health, "", Fraction(repay, unit), seized * scale, kept * scale, more=more)


def compound_v2_plain(account, collateral, debt, repay=MOST):
    """The same without cTokens: nothing is rounded on the collateral's side."""
    power = sum(usd(t, t.amount, down, 18) * t.terms["liquidation_threshold"] for t in account.collaterals)
    owed = sum(usd(t, t.amount, down, 18) for t in account.debts)
    health = ratio(power, owed)
    if unpriced(account, collateral, debt):
        return Call(False, health, "PRICE_ERROR")
    if not (power < owed or account.closing):
        return Call(False, health, "INSUFFICIENT_SHORTFALL")
    limit = down(account.terms.get("close_factor", Fraction(1, 2)) * debt.amount, debt.decimals)
    rate = debt.price * (1 + collateral.terms["liquidation_bonus"]) / collateral.price
    if repay is MOST:
        repay = min(limit, down(collateral.amount / rate, debt.decimals))
    if repay > limit:
        return Call(True, health, "TOO_MUCH_REPAY")
    if repay == 0:
        return Call(True, health, "LiquidateCloseAmountIsZero")
    if repay * rate > collateral.amount:
        return Call(True, health, "LIQUIDATE_SEIZE_TOO_MUCH")
    return Call(True, health, "", repay, repay * rate, repay * rate * Fraction(28, 1000))


# -- Morpho Blue ------------------------------------------------------------------------------------------------------

HEALTHY, UNDERFLOW = "healthy position", "arithmetic underflow (asked for more than the position has)"


def morpho_blue_incentive(lltv, places=18):
    """min(1.15, 1 ÷ (1 − 0.3 (1 − LLTV)))."""
    return min(Fraction(115, 100), down(1 / (1 - down(Fraction(3, 10) * (1 - lltv), places)), places))


def morpho_blue(shares, totals, collateral, price, lltv, asked, terms="most"):
    """All in raw whole units: ``totals`` are assets supplied, assets and shares borrowed; ``price`` loan a collateral.

    ``terms`` says what ``asked`` is: ``seize`` units of collateral, ``shares`` of debt, or ``most`` as much as may be.
    """
    supplied, borrowed, total_shares = totals
    incentive = morpho_blue_incentive(lltv)

    def assets(part, whole):
        return whole(Fraction(part * (borrowed + 1), total_shares + 10**6))

    def seizable(part):
        worth = math.floor(assets(part, math.floor) * incentive)
        if price == 0:  # the contract divides by it: nothing is enough
            return INFINITE if worth else 0
        return math.floor(worth / price)

    owed, room = assets(shares, math.ceil), math.floor(math.floor(collateral * price) * lltv)
    health = ratio(Fraction(room), Fraction(owed))
    if asked == 0 and terms != "most":
        return Call(room < owed, health, "inconsistent input")
    if room >= owed:
        return Call(False, health, HEALTHY)
    if terms == "most":  # all debt, or all collateral where that is worth less
        terms, asked = (SHARES, shares) if seizable(shares) <= collateral else (SEIZE, collateral)
    if asked == 0:
        return Call(True, health, "inconsistent input")  # nothing to ask for
    if terms == SEIZE:
        seized, quoted = asked, math.ceil(math.ceil(asked * price) / incentive)
        repaid_shares = math.ceil(Fraction(quoted * (total_shares + 10**6), borrowed + 1))
    else:
        repaid_shares, seized = asked, seizable(asked)
    repaid = assets(repaid_shares, math.ceil)
    if repaid_shares > shares or seized > collateral:
        return Call(True, health, UNDERFLOW)
    shares, total_shares, borrowed = shares - repaid_shares, total_shares - repaid_shares, max(borrowed - repaid, 0)
    bad_shares = bad = 0
    if seized == collateral:
        bad_shares = shares
        bad = min(borrowed, -(-shares * (borrowed + 1) // (total_shares + 10**6)))
        supplied, borrowed, total_shares, shares = supplied - bad, borrowed - bad, total_shares - shares, 0
    more = {"incentive": incentive, "repaid_shares": repaid_shares, "bad_debt": bad, "bad_debt_shares": bad_shares}
    more |= {"totals": (supplied, borrowed, total_shares), "shares": shares}
    return Call(True, health, "", repaid, seized, 0, {"loan": bad} if bad else {}, more)


# -- Euler ------------------------------------------------------------------------------------------------------------


def euler_v1(account, collateral, debt, repay=MOST):
    """Discount from 2 % at a health of 1, repayment to a health of 1.25, and 2 % on top for reserves."""
    discounts = {"base_discount": Fraction(2, 100), "discount_booster": 0, "max_liquidation_discount": Fraction(1, 5)}
    terms = {
        **discounts,
        "repay_reserve_fee": Fraction(2, 100),
        "target_health_factor": Fraction(5, 4),
        **account.terms,
    }
    weighted = sum(t.usd * t.terms["liquidation_threshold"] for t in account.collaterals)
    owed = sum(t.usd / t.terms.get("borrow_factor", 1) for t in account.debts)
    health = ratio(weighted, owed)
    if not (weighted < owed or account.closing):
        refused = "e/liq/excessive-repay-amount" if repay is not MOST and repay > 0 else ""
        return Call(False, health, refused)
    discount = terms["base_discount"] + 1 - health
    discount = min(2 * discount, discount + terms["discount_booster"], terms["max_liquidation_discount"])
    target = terms["target_health_factor"]
    heavy = target / debt.terms.get("borrow_factor", 1)
    light = collateral.terms["liquidation_threshold"] / (1 - discount)
    places = None if debt.decimals is None else 18  # whatever the token's own
    limit = debt.amount
    if heavy > light and debt.price > 0:
        limit = min(limit, down((target * owed - weighted) / (heavy - light) / debt.price, places))
    if collateral.price == 0:
        limit = Fraction(0)
    else:
        rate = debt.price / collateral.price / (1 - discount)
        if limit * rate > collateral.amount:
            limit = down(collateral.amount / rate, places)
    most = down(limit * (1 + terms["repay_reserve_fee"]), places)
    if repay is not MOST and repay > most:
        return Call(True, health, "e/liq/excessive-repay-amount")
    repay = most if repay is MOST else repay
    paid = limit if repay == most else down(repay / (1 + terms["repay_reserve_fee"]), places)
    seized = down(paid * rate, None if collateral.decimals is None else 18) if paid else Fraction(0)
    more = {"discount": discount, "surcharge": repay - paid}
    return Call(True, health, "", paid, seized, more=more)


def euler_v2(account, collateral, debt, repay=MOST):
    """Bonus is what health lacks; the liquidator takes the debt over, lenders bear what no collateral stands behind."""
    places = None if debt.decimals is None or collateral.decimals is None else 18
    worth = {token.label: down(token.usd, places) for token in account.collaterals}
    weighted = sum(down(worth[t.label] * t.terms["liquidation_threshold"], places) for t in account.collaterals)
    owed = down(debt.usd, places)
    health = ratio(weighted, owed)
    if (weighted > owed and not account.closing) or debt.amount == 0:
        refused = "E_ExcessiveRepayAmount" if repay is not MOST and repay > 0 else ""
        return Call(False, health, refused)
    factor = down(health, places) if owed > 0 else Fraction(1)
    factor = max(factor, 1 - account.terms["max_liquidation_discount"])
    value = worth[collateral.label]
    if value == 0:
        repaid, seized = Fraction(0), collateral.amount
    else:
        spent, gained = owed, down(owed / factor, places)
        if value < gained:
            spent, gained = down(value * factor, places), value
        repaid = down(spent * debt.amount / owed, debt.decimals) if owed else Fraction(0)
        seized = down(gained * collateral.amount / value, collateral.decimals)
    if repay is not MOST:
        if repay > repaid:
            return Call(True, health, "E_ExcessiveRepayAmount")
        if repaid > 0:
            repaid, seized = repay, down(repay * seized / repaid, collateral.decimals)
    rest = sum(left(account.collaterals, collateral, seized).values())
    socialised = account.terms.get("socialise_debt", 1) and owed >= Fraction(1, 10**12) and rest == 0
    bad = rest_of_debts(account, debt, repaid) if socialised else {}
    return Call(True, health, "", repaid, seized, written_off=bad, more={"factor": factor})


RULES = {rule.__name__: rule for rule in (lending, aave_v2, aave_v3, aave_v4, compound_v2, euler_v1, euler_v2)}
