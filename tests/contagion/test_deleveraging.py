"""Fire sales: by hand, against plain loops, and what must hold of every set of portfolios."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from riskgraph.contagion.deleveraging import fire_sale
from tests import naive
from tests.portfolios import SMALL_FALLS, falls_of, portfolios

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("RISKGRAPH_REFERENCE", ROOT / ".." / "shared" / "reference"))

# A, B and C hold x and loans y (nobody buys loans); debts of 90, 80 and 0
BANKS = pd.DataFrame([[80.0, 20.0], [50.0, 50.0], [30.0, 0.0]], index=["A", "B", "C"], columns=["x", "y"])
EQUITY = pd.Series({"A": 10.0, "B": 20.0, "C": 30.0})
IMPACT = pd.Series({"x": 0.001, "y": 0.0})


def tight(**more):
    return {"model": "threshold", "max_leverage": {"A": 11.5, "B": 20, "C": 20}, "target_leverage": 10, **more}


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_three_banks_return_to_their_leverage():
    # y falls by 10 %: A loses 2 and sells 9·2 = 18, B loses 5 and sells 4·5 = 20, C loses and sells nothing.
    # Of x go 0.8·18 + 0.5·20 = 24.4: its price falls by 0.0244; of y go 3.6 + 10, and nothing moves it.
    sale = fire_sale(BANKS, EQUITY, IMPACT, {"y": 0.1})
    assert sale.assets["sold_usd"].tolist() == pytest.approx([24.4, 13.6])
    assert sale.assets["price_fall"].tolist() == pytest.approx([0.0244, 0.0])
    lost = [80 * 0.0244, 50 * 0.0244, 30 * 0.0244]
    assert sale.to_frame()["indirect_loss_usd"].tolist() == pytest.approx(lost)
    assert sale.aggregate_vulnerability == pytest.approx(sum(lost) / 60)
    assert sale.indirect_vulnerability.to_dict() == pytest.approx(
        {"A": lost[0] / 10, "B": lost[1] / 20, "C": lost[2] / 30}
    )
    # a dollar of x sold costs all 160 · 0.001: A sold 14.4 of it, B 10
    assert sale.systemicness.tolist() == pytest.approx([14.4 * 0.16 / 60, 10 * 0.16 / 60, 0.0])
    parts = sale.decomposition.loc["A"]
    assert parts[["linkage", "size", "selling", "leverage", "exposure"]].tolist() == pytest.approx(
        [0.8 * 0.16, 100 / 60, 0.18, 9, 0.02]
    )
    assert sale.status.to_dict() == {"A": "deleveraged", "B": "deleveraged", "C": "untouched"}
    assert sale.sales.set_index(["institution", "asset"])["sold_usd"].to_dict() == pytest.approx(
        {("A", "x"): 14.4, ("A", "y"): 3.6, ("B", "x"): 10.0, ("B", "y"): 10.0}
    )
    assert (sale.rounds, sale.direct.tolist()) == (1, [2.0, 5.0, 0.0])


def test_one_that_cannot_get_back_sells_all_that_is_left():
    # b = 9: a loss of 12 asks for 108, and 88 are left; the loss has taken the equity of 10
    sale = fire_sale(BANKS, EQUITY, IMPACT, {"x": 0.15})
    assert sale.sales.groupby("institution")["sold_usd"].sum().to_dict() == pytest.approx({"A": 88.0, "B": 30.0})
    assert sale.status["A"] == "insolvent"
    assert fire_sale(BANKS, EQUITY, IMPACT, {"x": 0.15}, insolvent="hold").sales["institution"].unique().tolist() == [
        "B"
    ]
    # 99 times the loss of 0.97, still less than the 99.03 left
    thin = fire_sale([[100.0]], [1.0], 0.0, [0.0097])
    assert (thin.outcome.sales.sum(), thin.status.tolist()) == (pytest.approx(99 * 0.97), ["deleveraged"])


def test_two_rounds_of_threshold_sales():
    # y falls by 10 %: A has 98 and equity 8, leverage 12.25 > 11.5, and sells 98 - 80 = 18 of its x (not y)
    sale = fire_sale(BANKS, EQUITY, IMPACT, {"y": 0.1}, **tight(illiquid=["y"]))
    fall = 0.018
    equity = 8 - fall * (80 - 9)  # what it sells bears half of the fall
    left = 62 * (1 - fall)
    assert (left + 18) / equity > 11.5  # 11.735: a second round
    more = left + 18 - 10 * equity
    second = more / 1000
    equity -= second * (left - more / 2)
    assert ((left - more) * (1 - second) + 18) / equity < 11.5
    frame = sale.to_frame()
    assert frame["sold_usd"].tolist() == pytest.approx([18 + more, 0, 0])
    assert frame["equity_after_usd"].tolist() == pytest.approx(
        [equity, 15 - 50 * (1 - (1 - fall) * (1 - second)), 30 - 30 * (1 - (1 - fall) * (1 - second))]
    )
    assert sale.assets["price_fall"].tolist() == pytest.approx([1 - (1 - fall) * (1 - second), 0.0])
    assert sale.history["sold_usd"].tolist() == pytest.approx([18, more])
    assert sale.history.index.tolist() == [1, 2] and sale.history["sellers"].tolist() == [1, 1]
    assert sale.status.tolist() == ["deleveraged", "untouched", "untouched"]
    assert sale.systemicness["A"] == pytest.approx(sale.aggregate_vulnerability)


def test_illiquid_and_insolvent_are_two_things():
    # the loss of y leaves A equity 2 and 80 of x: all of it goes, and leverage stays above 11.5 with 12 of y
    frame = BANKS.assign(y=[80.0, 0.0, 0.0])
    sale = fire_sale(frame, [10.0, 40.0, 30.0], [0.0, 0.0], {"y": 0.1}, **tight(illiquid=["y"], target_leverage=5))
    assert sale.status["A"] == "illiquid" and sale.to_frame().loc["A", ["sold_usd", "equity_after_usd"]].tolist() == [
        80,
        2,
    ]
    gone = fire_sale(frame, [10.0, 40.0, 30.0], [0.0, 0.0], {"y": 0.2}, **tight(illiquid=["y"]))
    assert gone.status["A"] == "insolvent" and gone.to_frame().loc["A", "sold_usd"] == 80
    held = fire_sale(frame, [10.0, 40.0, 30.0], [0.0, 0.0], {"y": 0.2}, **tight(illiquid=["y"], insolvent="hold"))
    assert held.status["A"] == "insolvent" and held.rounds == 0


def test_level_dependent_impact_stops_at_its_floor():
    # the first dollar has the same impact in both forms; selling without end halves the price
    few = fire_sale(
        [[100.0]], [10.0], 1e-9, [0.02], **tight(max_leverage=10, impact="level_dependent", price_floor=0.5)
    )
    line = fire_sale([[100.0]], [10.0], 1e-9, [0.02], **tight(max_leverage=10))
    assert few.outcome.price_fall[0] == pytest.approx(line.outcome.price_fall[0], rel=1e-6)
    many = fire_sale(
        [[100.0]], [10.0], 1.0, [0.02], **tight(max_leverage=10, impact="level_dependent", price_floor=0.5)
    )
    assert many.outcome.price_fall[0] == pytest.approx(0.5)
    assert fire_sale([[100.0]], [10.0], 1.0, [0.02], **tight(max_leverage=10)).outcome.price_fall[0] == 1.0


@pytest.mark.reference
def test_the_reference_with_two_banks():
    if not (FOLDER / "published_examples.json").is_file():
        pytest.skip(f"no reference examples at {FOLDER} (set RISKGRAPH_REFERENCE)")
    examples = json.loads((FOLDER / "published_examples.json").read_text(encoding="utf-8"))["examples"]
    case = next(one for one in examples if one["id"] == "glt_2bank_2asset")
    given_, told = case["inputs"], case["outputs"]
    total = np.array(given_["total_assets"], dtype=float)
    equity = total / (1.0 + np.array(given_["debt_to_equity"]))
    assert equity == pytest.approx(told["equity"], rel=1e-14)
    holdings = np.array(given_["weights"]) * total[:, None]
    sale = fire_sale(holdings, equity, given_["price_impact_per_unit_sold"], -np.array(given_["shock"], dtype=float))
    assert (-sale.direct / total) == pytest.approx(told["return_round1"], rel=1e-13)
    assert -sale.assets["sold_usd"].to_numpy() == pytest.approx(told["net_asset_flow"], rel=1e-13)
    assert -sale.assets["price_fall"].to_numpy() == pytest.approx(told["price_impact"], rel=1e-13)
    assert -sale.outcome.indirect == pytest.approx(told["bank_loss"], rel=1e-13)
    assert sale.aggregate_vulnerability == pytest.approx(told["aggregate_vulnerability"], rel=1e-13)
    assert sale.indirect_vulnerability.tolist() == pytest.approx(told["indirect_vulnerability"], rel=1e-13)


# -- against plain loops ---------------------------------------------------------------------------------------------


@given(portfolios(), st.data())
@settings(max_examples=80, deadline=None)
def test_leverage_targeting_against_plain_loops(books, data):
    H, E, impact = books
    f, does = falls_of(data, impact), data.draw(st.sampled_from(["sell", "hold"]))
    sale = fire_sale(sparse.csr_array(np.array(H)), E, impact, f, insolvent=does)
    sales, g, lost, S, AV = naive.leverage_targeting(H, E, impact, f.tolist(), range(len(impact)), does)
    assert sale.outcome.sales.toarray() == pytest.approx(np.array(sales), abs=1e-9)
    assert sale.outcome.price_fall == pytest.approx(g, abs=1e-12)
    assert sale.outcome.indirect == pytest.approx(lost, abs=1e-9)
    assert sale.systemicness.tolist() == pytest.approx(S, abs=1e-9)
    assert sale.aggregate_vulnerability == pytest.approx(AV, abs=1e-9)


@given(portfolios(), st.data())
@settings(max_examples=120, deadline=None)
def test_threshold_sales_against_plain_loops(books, data):
    H, E, impact = books
    n, m = len(E), len(impact)
    f = falls_of(data, impact)
    most = [data.draw(st.sampled_from([3.17, 7.31, 12.9])) for _ in range(n)]
    target = [data.draw(st.sampled_from([1.0, 0.95, 0.6])) * one for one in most]
    barred = [data.draw(st.booleans()) for _ in range(m)]
    floor, alpha = data.draw(st.sampled_from([None, 0.0, 0.5])), data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    does = data.draw(st.sampled_from(["sell", "hold"]))
    form = {} if floor is None else {"impact": "level_dependent", "price_floor": floor}
    names = [str(a) for a in range(m) if barred[a]]
    sale = fire_sale(
        H, E, impact, f, model="threshold", max_leverage=most, target_leverage=[max(1.0, one) for one in target],
        illiquid=names, execution=alpha, insolvent=does, **form,
    )  # fmt: skip
    free = [not one for one in barred]
    told = naive.threshold_sales(H, E, impact, f.tolist(), range(m), most, target, free, floor, alpha, does)
    sales, S, lost, caused, equity, _ = told
    assert sale.outcome.sales.toarray() == pytest.approx(np.array(sales), abs=1e-9)
    assert 1.0 - sale.outcome.price_fall == pytest.approx(S, abs=1e-9)
    assert sale.outcome.indirect == pytest.approx(lost, abs=1e-9)
    assert sale.outcome.caused == pytest.approx(caused, abs=1e-9)
    assert sale.outcome.equity == pytest.approx(equity, abs=1e-9)


# -- what must hold --------------------------------------------------------------------------------------------------

MODELS = st.sampled_from(
    [
        {},
        {"model": "threshold", "max_leverage": 5.3},
        {**tight(max_leverage=6.1, impact="level_dependent"), "target_leverage": 4},
    ]
)


@given(portfolios(), st.data(), MODELS)
@settings(max_examples=60, deadline=None)
def test_what_is_caused_is_what_is_lost(books, data, model):
    H, E, impact = books
    sale = fire_sale(H, E, impact, falls_of(data, impact), **model)
    assert sale.systemicness.sum() == pytest.approx(sale.aggregate_vulnerability, abs=1e-12)
    assert sale.outcome.equity == pytest.approx(np.array(E) - sale.direct - sale.outcome.indirect, abs=1e-9)
    assert (sale.outcome.price_fall >= 0.0).all() and (sale.outcome.price_fall[np.array(impact) == 0.0] == 0.0).all()
    held = np.array(H) * (1.0 - sale.shock)
    assert sale.outcome.sales.sum() <= held.sum() * (1.0 + 1e-12)
    if model:
        assert (sale.outcome.price_fall <= 1.0).all()
        assert (sale.outcome.sales.toarray() <= held * (1.0 + 1e-12)).all()
    parts = sale.decomposition.dropna(subset=["linkage"])
    assert (parts["linkage"] * parts["size"] * parts["selling"]).tolist() == pytest.approx(
        parts["systemicness"].tolist()
    )


@given(portfolios(), st.data(), MODELS)
@settings(max_examples=40, deadline=None)
def test_order_names_and_units(books, data, model):
    H, E, impact = np.array(books[0]), np.array(books[1]), np.array(books[2])
    f = falls_of(data, impact)
    sale = fire_sale(H, E, impact, f, **model)
    rows, columns = (np.array(data.draw(st.permutations(range(k))), dtype=int) for k in H.shape)
    turned = fire_sale(H[np.ix_(rows, columns)], E[rows], impact[columns], f[columns], **model)
    for name in ("indirect", "caused", "equity"):
        assert getattr(turned.outcome, name) == pytest.approx(getattr(sale.outcome, name)[rows], abs=1e-9)
    assert turned.outcome.price_fall == pytest.approx(sale.outcome.price_fall[columns], abs=1e-12)
    scaled = fire_sale(H * 1024, E * 1024, impact / 1024, f, **model)
    assert scaled.outcome.price_fall.tolist() == sale.outcome.price_fall.tolist()
    assert scaled.aggregate_vulnerability == pytest.approx(sale.aggregate_vulnerability, rel=1e-13, abs=1e-15)


@given(portfolios(part=st.sampled_from([0.2, 0.4, 1.0])), st.data())
@settings(max_examples=40, deadline=None)
def test_a_larger_fall_never_costs_less_while_all_can_sell_enough(books, data):
    H, E, impact = books
    small = falls_of(data, impact, SMALL_FALLS)
    large = np.maximum(small, falls_of(data, impact, SMALL_FALLS))
    low, high = fire_sale(H, E, impact, small), fire_sale(H, E, impact, large)
    assert (low.outcome.indirect <= high.outcome.indirect + 1e-12).all()
    assert low.outcome.indirect * 2 == pytest.approx(fire_sale(H, E, impact, small * 2).outcome.indirect, abs=1e-12)


@given(portfolios(), st.data(), MODELS)
@settings(max_examples=30, deadline=None)
def test_without_impact_nothing_follows_and_an_outsider_loses_nothing(books, data, model):
    H, E, impact = books
    f = falls_of(data, impact)
    assert not fire_sale(H, E, 0.0, f, **model).outcome.indirect.any()
    apart = np.pad(np.array(H), ((0, 1), (0, 1)))
    apart[-1, -1] = 10.0
    with_one = fire_sale(apart, [*E, 10.0], [*impact, 0.02], [*f, 0.0], **model)
    assert (with_one.outcome.indirect[-1], with_one.outcome.price_fall[-1]) == (0.0, 0.0)
    assert with_one.outcome.indirect[:-1] == pytest.approx(
        fire_sale(H, E, impact, f, **model).outcome.indirect, abs=1e-12
    )


# -- what it shows ------------------------------------------------------------------------------------------------


def test_shows_itself():
    sale = fire_sale(BANKS.rename(index={"A": "<b>A</b>"}), EQUITY.rename({"A": "<b>A</b>"}), IMPACT, {"y": 0.1})
    assert repr(sale).startswith("<FireSale: leverage_targeting, 3 institutions, 2 assets, 1 round; sold $38")
    assert "&lt;b&gt;A" in sale._repr_html_() and "<b>A" not in sale._repr_html_()
    assert "2 deleveraged, 0 illiquid, 0 insolvent" in sale.summary()
    assert "shock={'y': 0.1}, model='leverage_targeting'" in str(sale.provenance)
    with pytest.raises(ValueError, match="read-only"):
        sale.portfolios.holdings.data[0] = 0.0
    named = fire_sale(BANKS.to_numpy(), EQUITY, IMPACT, {"y": 0.1})  # labels of Series stand where a frame has none
    assert named.systemicness.index.tolist() == ["A", "B", "C"]
