"""Maker's auctions and Compound v3's absorption and storefront, one account at a time, in fractions.

Straight from the text of the contracts. Money is a Fraction. ``digits`` says whether a number is cut to the contract's
digits (True) or kept whole (False).
"""

from fractions import Fraction
from math import floor


def cut_to(value, decimals, digits=True):
    """Drop what is beyond so many decimals."""
    return Fraction(floor(value * 10**decimals), 10**decimals) if digits else value


# -- Maker: dog.sol, clip.sol, abaci.sol ------------------------------------------------------------------------------


def bark(system, ilk, vault, digits):
    """Start an auction of a vault, and change system, ilk and vault; returns the reason for a refusal, the auction.

    ``system``: hole, dirt; ``ilk``: price, mat, rate, chop, dust, hole, dirt, buf, tip, chip; ``vault``: ink, debt.
    """
    art = cut_to(vault["debt"] / ilk["rate"], 18, digits)
    spot = cut_to(ilk["price"] / ilk["mat"], 27, digits)
    if not (spot > 0 and vault["ink"] * spot < art * ilk["rate"]):
        return "not-unsafe", None
    if not (system["hole"] > system["dirt"] and ilk["hole"] > ilk["dirt"]):
        return "liquidation-limit-hit", None
    room = min(system["hole"] - system["dirt"], ilk["hole"] - ilk["dirt"])
    dart = min(art, cut_to(room / ilk["rate"] / ilk["chop"], 18, digits))
    if art > dart:
        if (art - dart) * ilk["rate"] < ilk["dust"]:
            dart = art
        elif dart * ilk["rate"] < ilk["dust"]:
            return "dusty-auction-from-partial-liquidation", None
    dink = cut_to(vault["ink"] * dart / art, 18, digits)
    if not dink > 0:
        return "null-auction", None
    due = dart * ilk["rate"]
    tab = cut_to(due * ilk["chop"], 45, digits)
    vault["ink"] -= dink
    vault["debt"] = (art - dart) * ilk["rate"]
    system["dirt"] += tab
    ilk["dirt"] += tab
    top = cut_to(ilk["price"] * ilk["buf"], 27, digits)
    return "", {"lot": dink, "tab": tab, "due": due, "top": top, "coin": ilk["tip"] + tab * ilk["chip"]}


def falling_price(curve, top, seconds):
    """``curve``: how, and cut, step or tau."""
    if curve["how"] == "linear":
        return top * (curve["tau"] - seconds) / curve["tau"] if seconds < curve["tau"] else Fraction(0)
    times = seconds // curve["step"] if curve["how"] == "stairstep" else seconds
    price = top
    for _ in range(times):
        price *= curve["cut"]
    return price


def take(auction, curve, seconds, amount, digits):
    """Buy from an auction and change it (lot, tab); returns the reason for a refusal, price, paid, bought, returned.

    ``curve``: as above, and tail, cusp, dust, chop; ``amount`` None: all.
    """
    if auction["lot"] == 0 or auction["tab"] == 0:
        return "not-running-auction", 0, 0, 0, 0
    price = cut_to(falling_price(curve, auction["top"], seconds), 27, digits)
    if seconds > curve["tail"] or price / auction["top"] < curve["cusp"]:
        return "needs-reset", price, 0, 0, 0
    lot, tab = auction["lot"], auction["tab"]
    chost = curve["dust"] * curve["chop"]
    piece = lot if amount is None else min(lot, amount)
    owe = piece * price
    if owe > tab:
        owe = tab
        piece = cut_to(owe / price, 18, digits)
    elif owe < tab and piece < lot and tab - owe < chost:
        if not tab > chost:
            return "no-partial-purchase", price, 0, 0, 0
        owe = tab - chost
        piece = cut_to(owe / price, 18, digits)
    auction["tab"] = tab - owe
    auction["lot"] = lot - piece
    back = Fraction(0)
    if auction["lot"] > 0 and auction["tab"] == 0:
        back, auction["lot"] = auction["lot"], Fraction(0)
    return "", price, owe, piece, back


# -- Compound v3: Comet.sol -------------------------------------------------------------------------------------------


def absorb(market, collaterals, debt):
    """Absorb an account; returns the reason for a refusal, what reserves pay out, and the surplus credited.

    ``market``: price and decimals (None: nothing is rounded) of the base asset, supply_index; ``collaterals``: amount,
    price, decimals, threshold, factor.
    """
    decimals = market["decimals"]
    liquidity, worth = -cut_to(debt * market["price"], 8, decimals is not None), Fraction(0)
    for one in collaterals:
        value = cut_to(one["amount"] * one["price"], 8, one["decimals"] is not None)
        liquidity += cut_to(value * one["threshold"], 8, one["decimals"] is not None)
        worth += cut_to(value * one["factor"], 8, one["decimals"] is not None)
    if not liquidity < 0:
        return "NotLiquidatable", 0, 0
    shown = [(market["price"], decimals), *((one["price"], one["decimals"]) for one in collaterals if one["amount"])]
    if any(cut_to(price, 8, known is not None) == 0 for price, known in shown):
        return "BadPrice", 0, 0
    balance = cut_to(worth / market["price"], decimals or 0, decimals is not None) - debt
    new = max(balance, Fraction(0))
    principal = cut_to(new / market["supply_index"], decimals or 0, decimals is not None)
    return "", new + debt, cut_to(principal * market["supply_index"], decimals or 0, decimals is not None)


def buy(market, good, held, reserves, base):
    """Buy absorbed collateral; returns the reason for a refusal, what is quoted, what is bought.

    ``market``: price, decimals, target, store (storefront price factor); ``good``: price, decimals, factor.
    """
    known = good["decimals"] is not None
    discount = market["store"] * (1 - good["factor"])
    price = cut_to(good["price"] * (1 - discount), 8, known)
    out = cut_to(base * market["price"] / price, good["decimals"] or 0, known) if price else Fraction(0)
    if reserves >= 0 and reserves >= market["target"]:
        return "NotForSale", out, 0
    for at, one in ((good["price"], known), (market["price"], market["decimals"] is not None)):
        if cut_to(at, 8, one) == 0:
            return "BadPrice", out, 0
    if price == 0:
        return "Panic(0x12)", out, 0
    if out > held:
        return "InsufficientReserves", out, 0
    return "", out, out
