"""Liquity v1 and v2 again, from the rules' text: trove by trove in Fractions, the system summed up anew each time.

A system is a dict: ``troves`` (name -> {coll, debt, stake}), ``deposits`` (name -> units), ``pool`` (units in the pool
with those of depositors who are not named, None: of the named alone), ``gains`` and ``surplus`` (name -> units of
collateral). With ``decimals`` every amount is a whole number of 10^-decimals, rounded down where a contract divides,
and ratios have 18 digits. A batch changes the system and tells of every name in it what happened.
"""

from __future__ import annotations

import math
from fractions import Fraction

V1 = {"mcr": Fraction(11, 10), "ccr": Fraction(3, 2), "stays": 1, "share": Fraction(1, 200), "reserve": 200}
V2 = {
    "mcr": Fraction(11, 10),
    "stays": 1,
    "share": Fraction(1, 200),
    "cap": 2,
    "weth": Fraction(375, 10_000),
    "sp": Fraction(5, 100),
    "red": Fraction(10, 100),
}
NOT_ENDING = math.inf


def floor(value, decimals):
    if decimals is None:
        return value
    return Fraction(math.floor(value * 10**decimals), 10**decimals)


def ratio(coll, debt, price, decimals):
    if debt == 0:
        return NOT_ENDING
    return floor(coll * price / debt, None if decimals is None else 18)


def stake_of(coll, snapshots):
    """What a trove's stake is where nobody says: its collateral, scaled as the last snapshots say."""
    return coll if snapshots is None else coll * snapshots[0] / snapshots[1]


def system(troves, deposits=None, pool=None, stakes=None, snapshots=None):
    """Troves are name -> (collateral, debt); stakes name -> stake of those that are given."""
    return {
        "troves": {
            name: {"coll": coll, "debt": debt, "stake": (stakes or {}).get(name, stake_of(coll, snapshots))}
            for name, (coll, debt) in troves.items()
        },
        "deposits": dict(deposits or {}),
        "pool": pool,
        "gains": dict.fromkeys(deposits or {}, Fraction(0)),
        "surplus": {},
    }


def pool_of(state):
    return sum(state["deposits"].values(), Fraction(0)) if state["pool"] is None else state["pool"]


def total_ratio(state, pots, price, decimals):
    """All troves that are still open, and what closed ones of this batch have left to be handed on."""
    coll = sum((t["coll"] for t in state["troves"].values()), Fraction(0)) + sum(p["red_coll"] for p in pots)
    debt = sum((t["debt"] for t in state["troves"].values()), Fraction(0)) + sum(p["red_debt"] for p in pots)
    return ratio(coll, debt, price, decimals)


def nobody_left(state, name):
    """Whether no other trove could take what this one would hand on."""
    return not any(t["stake"] > 0 for other, t in state["troves"].items() if other != name)


def v1(state, order, price, terms=V1, decimals=None):
    """``batchLiquidateTroves`` of v1."""
    told, pots = [], []
    pool = pool_of(state)
    available = pool - min(pool, terms["stays"])
    recovery = total_ratio(state, pots, price, decimals) < terms["ccr"]
    for name in order:
        trove = state["troves"][name]
        tcr = total_ratio(state, pots, price, decimals)
        icr = ratio(trove["coll"], trove["debt"], price, decimals)
        left = available - sum(p["offset"] for p in pots)
        pot = v1_trove(trove, icr, tcr, left, recovery, price, terms, decimals)
        seen = {"name": name, "icr": icr, "tcr": tcr, "recovery": recovery, "pool": left}
        if pot is None or nobody_left(state, name):
            told.append({**seen, "pot": None})
            continue
        pots.append(pot)
        told.append({**seen, "pot": pot})
        close(state, name, pot)
        if recovery and total_ratio(state, pots, price, decimals) >= terms["ccr"]:
            recovery = False
    finish(state, pots, decimals)
    return told, ("nothing to liquidate" if not pots else "")


def v1_trove(trove, icr, tcr, pool, recovery, price, terms, decimals):
    coll, debt = trove["coll"], trove["debt"]
    if recovery and icr <= 1:
        gas = floor(coll * terms["share"], decimals)
        return pot_of(red_debt=debt, red_coll=coll - gas, gas=gas)
    if icr < terms["mcr"]:
        gas = floor(coll * terms["share"], decimals)
        offset = debt if pool >= debt else pool
        to_pool = floor((coll - gas) * offset / debt, decimals)
        return pot_of(offset=offset, to_pool=to_pool, red_debt=debt - offset, red_coll=coll - gas - to_pool, gas=gas)
    if recovery and icr < tcr and pool >= debt and debt > 0:
        capped = floor(debt * terms["mcr"] / price, decimals)
        gas = floor(capped * terms["share"], decimals)
        return pot_of(offset=debt, to_pool=capped - gas, gas=gas, surplus=coll - capped)
    return None


def v2(state, order, price, terms=V2, decimals=None):
    """``batchLiquidateTroves`` of v2."""
    before = {name: dict(trove) for name, trove in state["troves"].items()}, dict(state["surplus"])
    told, pots = [], []
    pool = pool_of(state)
    for name in order:
        trove = state["troves"][name]
        icr = ratio(trove["coll"], trove["debt"], price, decimals)
        left = pool - min(pool, terms["stays"]) - sum(p["offset"] for p in pots)
        seen = {"name": name, "icr": icr, "tcr": total_ratio(state, pots, price, decimals), "pool": left}
        if icr >= terms["mcr"]:
            told.append({**seen, "pot": None})
            continue
        if nobody_left(state, name):
            state["troves"], state["surplus"] = before
            return [], "OnlyOneTroveLeft"
        pots.append(v2_trove(trove, left, price, terms, decimals))
        told.append({**seen, "pot": pots[-1]})
        close(state, name, pots[-1])
    finish(state, pots, decimals)
    return told, ("NothingToLiquidate" if not pots else "")


def v2_trove(trove, pool, price, terms, decimals):
    def most(debt, penalty):
        return NOT_ENDING if price == 0 else floor(debt * (1 + penalty) / price, decimals)

    coll, debt = trove["coll"], trove["debt"]
    offset = min(debt, pool)
    part = floor(coll * offset / debt, decimals)
    gas = min(floor(part * terms["share"], decimals), terms["cap"])
    to_pool = min(part - gas, most(offset, terms["sp"]))
    over = part - gas - to_pool
    red_debt, red_coll = debt - offset, Fraction(0)
    if red_debt > 0 and coll > part:
        red_coll = min(coll - part + over, most(red_debt, terms["red"]))
    surplus = coll - gas - to_pool - red_coll
    return pot_of(offset=offset, to_pool=to_pool, red_debt=red_debt, red_coll=red_coll, gas=gas, surplus=surplus)


def pot_of(offset=0, to_pool=0, red_debt=0, red_coll=0, gas=0, surplus=0):
    return {
        "offset": offset,
        "to_pool": to_pool,
        "red_debt": red_debt,
        "red_coll": red_coll,
        "gas": gas,
        "surplus": surplus,
    }


def close(state, name, pot):
    state["troves"][name].update(coll=Fraction(0), debt=Fraction(0), stake=Fraction(0))
    state["surplus"][name] = state["surplus"].get(name, Fraction(0)) + pot["surplus"]


def finish(state, pots, decimals):
    """Every depositor and every trove gets its share of the batch."""
    sums = {key: sum((pot[key] for pot in pots), Fraction(0)) for key in ("offset", "to_pool", "red_debt", "red_coll")}
    pool = pool_of(state)
    if sums["offset"] > 0:
        for name, deposit in state["deposits"].items():
            state["deposits"][name] = floor(deposit * (pool - sums["offset"]) / pool, decimals)
            state["gains"][name] += floor(sums["to_pool"] * deposit / pool, decimals)
        if state["pool"] is not None:
            state["pool"] -= sums["offset"]
    stakes = sum((trove["stake"] for trove in state["troves"].values()), Fraction(0))
    if sums["red_debt"] > 0:
        for trove in state["troves"].values():
            trove["debt"] += floor(trove["stake"] * sums["red_debt"] / stakes, decimals)
            trove["coll"] += floor(trove["stake"] * sums["red_coll"] / stakes, decimals)
