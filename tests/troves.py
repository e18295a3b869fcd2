"""Random trove systems, as the naive oracle takes them and as snapshots, and how the two are compared."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
from hypothesis import strategies as st

import riskgraph as rg
from tests.naive import liquity as naive

HERE = "liquity"
PRICES = ("1e-12", "0.001", "1", "100", "1234.5", "2000", "1e9")
# collateral ÷ debt: at and beside every edge of the rules
RATIOS = ("0", "0.5", "0.99", "1", "1.0000001", "1.04", "1.0999999", "1.1", "1.1000001", "1.3", "1.4999999", "1.5", "3")
# columns of steps, and parts of a trove in the oracle
PARTS = {
    "offset": "offset",
    "to_pool": "to_pool",
    "redistributed_debt": "red_debt",
    "redistributed_collateral": "red_coll",
    "gas_collateral": "gas",
    "surplus": "surplus",
}
DEBTS = ("0", "0.000001", "1", "1800", "2000", "54321", "1000000")


def said(value) -> Fraction:
    """The number that a table holds: the shortest decimal of the nearest float."""
    return Fraction(repr(float(value)))


def thousandths(low: int, high: int):
    return st.integers(low, high).map(lambda number: f"{number / 1000}")


# all kinds of troves; or troves around the edges of recovery mode, where the pool may take more than it does otherwise
ANYWHERE = st.sampled_from(RATIOS) | thousandths(0, 5000)
RECOVERY = st.sampled_from(("1.05", "1.1", "1.1000001", "1.4999999", "1.5")) | thousandths(1050, 1700)


@st.composite
def systems(draw, ratios=ANYWHERE) -> dict:
    """A system of 2 to 12 troves with its price, pool, stakes and two batches of calls."""
    price, decimals = Fraction(draw(st.sampled_from(PRICES))), draw(st.sampled_from((None, None, 6, 18)))
    names = [f"t{at}" for at in range(draw(st.integers(2, 12)))]
    size = st.sampled_from(DEBTS) | st.integers(1, 10**6).map(str)
    troves = {}
    for name in names:
        debt = Fraction(draw(size))
        worth = debt if debt else Fraction(1000)  # collateral without debt
        troves[name] = said(naive.floor(worth * Fraction(draw(ratios)) / price, decimals)), said(debt)
    owed = sum(debt for _, debt in troves.values())
    pool = naive.floor(owed * Fraction(draw(st.sampled_from(("0", "0.01", "0.3", "0.8", "1", "1.5")))), decimals)
    pool += draw(st.sampled_from((Fraction(0), Fraction(1, 2), Fraction(1))))
    depositors = draw(st.lists(st.sampled_from(["t0", "p0", "p1"]), unique=True))
    deposits = {name: said(naive.floor(pool / (at + 2), decimals)) for at, name in enumerate(depositors)}
    published = said(pool) if not depositors or draw(st.booleans()) else None
    if published is not None and sum(deposits.values()) > published:
        deposits = {}
    given = draw(st.sampled_from(("none", "some", "all")))
    chosen = {"none": [], "some": names[::2], "all": names}[given]
    stakes = {name: said(naive.floor(troves[name][0] * Fraction(at + 1, 7), 18)) for at, name in enumerate(chosen)}
    snapshots = (Fraction(3), Fraction(4)) if given != "none" and draw(st.booleans()) else None
    batches = [draw(st.lists(st.sampled_from(names), min_size=1, max_size=14)) for _ in range(2)]
    return {
        "price": price,
        "decimals": decimals,
        "troves": troves,
        "deposits": deposits,
        "pool": published,
        "stakes": stakes,
        "snapshots": snapshots,
        "batches": batches,
    }


def snapshot(given: dict, rule: str, **terms: float) -> rg.Snapshot:
    """The system as tables."""
    rows = [(name, "ETH", "collateral", coll) for name, (coll, _) in given["troves"].items()]
    rows += [(name, "USD", "debt", debt) for name, (_, debt) in given["troves"].items()]
    rows += [(name, "USD", "deposit", amount) for name, amount in given["deposits"].items()]
    positions = pd.DataFrame(rows, columns=["account", "asset", "side", "amount"])
    protocol = {"protocol": HERE, "rule": rule, **terms}
    if given["pool"] is not None:
        protocol["stability_pool"] = float(given["pool"])
    if given["snapshots"]:
        protocol["total_stakes_snapshot"], protocol["total_collateral_snapshot"] = map(float, given["snapshots"])
    accounts = pd.DataFrame(
        {"account": list(given["stakes"]), "protocol": HERE, "stake": [float(one) for one in given["stakes"].values()]}
    )
    assets = pd.DataFrame({"asset": ["ETH", "USD"], "price": [float(given["price"]), 1.0]})
    if given["decimals"] is not None:
        assets["decimals"] = given["decimals"]
    return rg.Snapshot(
        positions=positions.assign(protocol=HERE, amount=positions["amount"].astype(float)),
        assets=assets,
        protocols=pd.DataFrame([protocol]),
        markets=pd.DataFrame({"protocol": [HERE], "asset": ["ETH"], "liquidation_ratio": [1.1]}),
        accounts=accounts if given["stakes"] else None,
    )


def system(given: dict) -> dict:
    """The system for the oracle."""
    return naive.system(given["troves"], given["deposits"], given["pool"], given["stakes"], given["snapshots"])


def as_told(state: dict) -> None:
    """Turn every number of a system into the float that a snapshot of it holds."""
    for trove in state["troves"].values():
        trove.update({name: said(value) for name, value in trove.items()})
    state["deposits"] = {name: said(value) for name, value in state["deposits"].items()}
    state["gains"] = {name: said(value) for name, value in state["gains"].items()}
    state["surplus"] = {name: said(value) for name, value in state["surplus"].items()}
    if state["pool"] is not None:
        state["pool"] = said(state["pool"])


def same(found: float, wanted, what: str) -> None:
    """The float nearest to the exact number, or one beside it."""
    assert abs(Fraction(float(found)) - wanted) <= abs(wanted) * Fraction(1, 10**15), (what, found, float(wanted))


def compare(done: rg.Liquidated, state: dict, told: list[dict], refused: str) -> None:
    """Every step, every holding and every parameter."""
    steps = done.steps.to_dict("records")
    if not told:
        assert {step["refused"] for step in steps} == {refused}
    for step, wanted in zip(steps, told, strict=False):
        pot = wanted["pot"]
        assert step["account"] == wanted["name"]
        assert (step["refused"] == "") == (pot is not None)
        for name in ("icr", "tcr", "pool"):
            if wanted[name] == naive.NOT_ENDING:
                assert step[name] == float("inf")
            else:
                same(step[name], wanted[name], name)
        assert step["recovery_mode"] == wanted.get("recovery", False)
        for name, key in PARTS.items():
            same(step[name], Fraction(0) if pot is None else Fraction(pot[key]), name)
    after = done.after.positions.astype({"account": str, "side": str, "asset": str})
    amounts = after.set_index(["account", "side", "asset"])["amount"].to_dict()
    for name, trove in state["troves"].items():
        same(amounts[name, "collateral", "ETH"], trove["coll"], f"collateral of {name}")
        same(amounts[name, "debt", "USD"], trove["debt"], f"debt of {name}")
    for name, deposit in state["deposits"].items():
        same(amounts[name, "deposit", "USD"], deposit, f"deposit of {name}")
    for name in {*state["troves"], *state["deposits"]}:
        claim = state["gains"].get(name, Fraction(0)) + state["surplus"].get(name, Fraction(0))
        same(amounts.get((name, "deposit", "ETH"), 0.0), claim, f"claim of {name}")
    if state["pool"] is not None:
        same(done.after.protocols.loc[0, "stability_pool"], state["pool"], "pool")


def shuffled(snap: rg.Snapshot, by) -> rg.Snapshot:
    """The same snapshot from tables whose rows stand in another order."""
    frames = {}
    for name in ("positions", "accounts"):
        frame = getattr(snap, name)
        order = list(range(len(frame)))
        by.shuffle(order)
        frames[name] = frame.iloc[order] if len(frame) else None
    return snap.replace(**frames)


def gain_outside(done: rg.Liquidated, given: dict) -> float:
    """Collateral of depositors who are not in the snapshot."""
    if given["pool"] is None or not given["pool"]:
        return 0.0
    inside = sum(given["deposits"].values()) / given["pool"]
    return float(done.steps["to_pool"].sum()) * float(1 - inside)
