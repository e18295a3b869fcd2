"""Public liquidation calls: what they leave, who pays and receives, what is refused as input."""

from __future__ import annotations

import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.errors import InputError

ASSETS = pd.DataFrame({"asset": ["BTC", "ETH", "USDC", "DAI"], "price": [20_000.0, 1_500.0, 1.0, 1.0]})
PROTOCOLS = pd.DataFrame({"protocol": ["aave", "lend"], "rule": ["aave_v3", "lending"]})
TERMS = {"liquidation_threshold": 0.8, "liquidation_bonus": 0.05, "protocol_fee": 0.1}
MARKETS = pd.DataFrame([{"protocol": p, "asset": a, **TERMS} for p in ("aave", "lend") for a in ("BTC", "ETH")])


def book(*rows: tuple, **tables) -> rg.Snapshot:
    positions = pd.DataFrame(rows, columns=["account", "protocol", "asset", "side", "amount"])
    given = {"assets": ASSETS, "protocols": PROTOCOLS, "markets": MARKETS, **tables}
    return rg.Snapshot(positions, **given)


ANN = (("ann", "aave", "ETH", "collateral", 10.0), ("ann", "aave", "USDC", "debt", 12_500.0))
BOB = (("bob", "aave", "ETH", "collateral", 4.0), ("bob", "aave", "DAI", "debt", 6_500.0))


def amounts(snap: rg.Snapshot) -> dict[tuple[str, ...], float]:
    rows = snap.positions.astype({"account": str, "protocol": str, "side": str, "asset": str})
    return rows.set_index(["account", "protocol", "side", "asset"])["amount"].to_dict()


def test_a_call_moves_debt_collateral_and_the_protocols_share():
    """Half of 12,500 for 6,250 · 1.05 / 1,500 = 4.375 ETH; the bonus is 4.375 / 21 = .208333 ETH, a tenth the fee."""
    done = rg.liquidate(book(*ANN), "aave", ["ann"])
    fee = 4.375 / 21 / 10
    assert amounts(done.after) == pytest.approx(
        {
            ("ann", "aave", "collateral", "ETH"): 5.625,
            ("ann", "aave", "debt", "USDC"): 6_250.0,
            ("aave", "aave", "deposit", "ETH"): fee,  # the treasury: an account with the protocol's label
        }
    )
    step = done.steps.iloc[0]
    assert (step["refused"], step["liquidatable"], step["written_off"]) == ("", True, False)
    assert step["health_before"] == pytest.approx(0.96) and step["health_after"] == pytest.approx(5.625 * 0.192)
    assert step["bonus_usd"] == pytest.approx(312.5) and step["fee_usd"] == pytest.approx(31.25)
    assert done.after.notes[-1] == "1 liquidation call carried out at aave"
    assert done.movements["why"].tolist() == ["repaid", "seized", "fee"]


def test_a_named_liquidator_pays_from_and_receives_into_its_wallet():
    wallet = ("liz", "", "USDC", "wallet", 7_000.0)
    done = rg.liquidate(book(*ANN, wallet), "aave", ["ann"], liquidator="liz")
    left = amounts(done.after)
    assert left["liz", "", "wallet", "USDC"] == 750.0
    assert left["liz", "", "wallet", "ETH"] == pytest.approx(4.375 - 4.375 / 210)
    poor = book(*ANN, ("liz", "", "USDC", "wallet", 6_000.0))
    with pytest.raises(InputError, match=r"liquidator: expected a wallet of liz that holds what .*, got 250"):
        rg.liquidate(poor, "aave", ["ann"], liquidator="liz")


def test_calls_are_carried_out_in_order_and_an_account_may_stand_twice():
    """Bob holds 6,000 against 6,500, health .738: all of his debt may be repaid, his collateral pays 5,714."""
    done = rg.liquidate(book(*ANN, *BOB), "aave", ["bob", "ann", "bob"])
    assert done.steps["account"].tolist() == ["bob", "ann", "bob"]
    assert done.steps["refused"].tolist() == ["", "", "HealthFactorNotBelowThreshold"]
    first = done.steps.iloc[0]
    assert (first["seized"], first["written_off"]) == (4.0, True)
    assert first["repaid"] == pytest.approx(6_000 / 1.05) and first["bad_debt"] == pytest.approx(6_500 - 6_000 / 1.05)
    left = amounts(done.after)
    assert left["bob", "aave", "debt", "DAI"] == 0.0
    protocols = done.after.protocols.set_index("protocol")
    assert protocols.loc["aave", "deficit_usd"] == pytest.approx(6_500 - 6_000 / 1.05)  # no lender is written down


def test_what_no_collateral_is_left_for_takes_the_reserve_then_the_lenders():
    """Of 6,500 the collateral pays 5,714.29; of 785.71 left the reserve bears 200, lenders of 10,000 the rest."""
    rows = [(who, "lend", *rest) for who, _, *rest in BOB]
    rows += [("cat", "lend", "DAI", "deposit", 8_000.0), ("dan", "lend", "DAI", "deposit", 2_000.0)]
    protocols = PROTOCOLS.assign(reserve_usd=[None, 200.0], close_factor=[None, 1.0]).astype({"reserve_usd": float})
    done = rg.liquidate(book(*rows, protocols=protocols), "lend", ["bob"])
    lost = 6_500 - 6_000 / 1.05
    left = amounts(done.after)
    assert left["cat", "lend", "deposit", "DAI"] == pytest.approx(8_000 * (1 - (lost - 200) / 10_000))
    assert left["dan", "lend", "deposit", "DAI"] == pytest.approx(2_000 * (1 - (lost - 200) / 10_000))
    assert done.after.protocols.set_index("protocol").loc["lend", "reserve_usd"] == 0.0


def test_a_refused_call_is_a_result_and_changes_nothing():
    fine = book(("ann", "aave", "ETH", "collateral", 10.0), ("ann", "aave", "USDC", "debt", 12_000.0))
    quote = rg.liquidation_quote(fine, "ann", "aave")
    assert (quote.refused, quote.liquidatable, quote.health_before) == ("HealthFactorNotBelowThreshold", False, 1.0)
    assert (quote.repaid, quote.seized, quote.bonus, quote.bad_debt_usd) == (0.0, 0.0, 0.0, 0.0)
    assert "refused, HealthFactorNotBelowThreshold" in quote.summary()
    done = rg.liquidate(fine, "aave", ["ann"])
    assert amounts(done.after) == amounts(fine) and len(done.movements) == 0


def test_accounts_without_debt_or_collateral():
    idle = book(("ann", "aave", "ETH", "collateral", 10.0), ("eve", "aave", "USDC", "debt", 5.0))
    assert rg.liquidation_quote(idle, "ann", "aave").refused == "HealthFactorNotBelowThreshold"
    bare = rg.liquidation_quote(idle, "eve", "aave")  # nothing to seize: the contract refuses, the debt stays
    assert (bare.liquidatable, bare.refused) == (True, "CollateralCannotBeLiquidated")
    assert (bare.repaid, bare.seized, bare.bad_debt, bare.written_off) == (0.0, 0.0, 5.0, False)


def test_the_largest_pair_is_called_and_ties_go_by_label():
    rows = [("ann", "aave", "ETH", "collateral", 8.0), ("ann", "aave", "BTC", "collateral", 0.6)]  # 12,000 each
    rows += [("ann", "aave", "USDC", "debt", 12_000.0), ("ann", "aave", "DAI", "debt", 12_000.0)]
    quote = rg.liquidation_quote(book(*rows), "ann", "aave")
    assert (quote.collateral_asset, quote.debt_asset) == ("BTC", "DAI")
    named = rg.liquidation_quote(book(*rows), "ann", "aave", collateral_asset="ETH", debt_asset="USDC", repay=100.0)
    assert (named.collateral_asset, named.debt_asset, named.repaid) == ("ETH", "USDC", 100.0)


def test_buckets_are_called_apart():
    positions = pd.DataFrame(
        [("ann", "aave", "ETH", "collateral", 10.0, bucket) for bucket in ("", "iso")]
        + [("ann", "aave", "USDC", "debt", debt, bucket) for bucket, debt in (("", 1.0), ("iso", 12_500.0))],
        columns=["account", "protocol", "asset", "side", "amount", "bucket"],
    )
    snap = rg.Snapshot(positions, ASSETS, PROTOCOLS, MARKETS)
    assert not rg.liquidation_quote(snap, "ann", "aave").liquidatable
    assert rg.liquidation_quote(snap, "ann", "aave", bucket="iso").repaid == 6_250.0
    done = rg.liquidate(snap, "aave", ["ann", "ann"], buckets=["iso", ""])
    assert done.steps["bucket"].tolist() == ["iso", ""]
    assert done.after.positions["amount"].sum() == pytest.approx(20.0 + 12_501.0 - 6_250.0 - 4.375 + 4.375 / 210)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"account": "zoe"}, r"account: expected accounts with a position at aave, got 'zoe'"),
        ({"protocol": "mars"}, r"protocol: expected a protocol of the snapshot, got 'mars'"),
        ({"bucket": "iso"}, r"got 'ann' \(bucket 'iso'\)"),
        (
            {"debt_asset": "DAI"},
            r"debt_asset: expected an asset .* owes, got 'DAI', which ann does not owe",
        ),
        ({"debt_asset": "XYZ"}, r"debt_asset: expected an asset of the snapshot, got 'XYZ'"),
        ({"collateral_asset": "BTC"}, r"collateral_asset: expected .* pledges, got 'BTC', which ann does not pledge"),
        ({"repay": -1.0}, r"repay: expected amounts of at least 0, got -1"),
        ({"repay": float("nan")}, r"repay: expected amounts of at least 0, got nan"),
        ({"repay": "much"}, r"repay: expected a number of units"),
        ({"seize": 1.0}, r"seize: expected what a call under rule aave_v3 can be asked for \(repay\), got seize"),
        ({"liquidator": "zoe"}, r"liquidator: expected an account of the snapshot, got 'zoe'"),
    ],
)
def test_bad_input_is_named(call, words):
    snap = book(*ANN, ("bob", "lend", "DAI", "debt", 1.0))
    given = {"account": "ann", "protocol": "aave", **call}
    with pytest.raises(InputError, match=words):
        rg.liquidation_quote(snap, given.pop("account"), given.pop("protocol"), **given)


def test_missing_terms_are_named():
    with pytest.raises(InputError, match=r"markets.liquidation_threshold: .* got none for ETH at aave"):
        rg.liquidation_quote(book(*ANN, markets=None), "ann", "aave")
    bare = MARKETS.drop(columns="liquidation_bonus")
    with pytest.raises(InputError, match=r"markets.liquidation_bonus: .*rule aave_v3.* got none for ETH at aave"):
        rg.liquidation_quote(book(*ANN, markets=bare), "ann", "aave")
    with pytest.raises(InputError, match="accounts: expected at least one account, got none"):
        rg.liquidate(book(*ANN), "aave", [])
    with pytest.raises(InputError, match="buckets: expected one for each of 1 accounts, got 2"):
        rg.liquidate(book(*ANN), "aave", ["ann"], buckets=["", ""])
    with pytest.raises(InputError, match="repay: expected a number of units, or one for each of 1 calls"):
        rg.liquidate(book(*ANN), "aave", ["ann"], repay=[1.0, 2.0])


def test_results_say_where_they_come_from():
    snap = book(*ANN)
    quote = rg.liquidation_quote(snap, "ann", "aave", repay=100.0)
    assert quote.provenance.digest == snap.digest
    assert dict(quote.provenance.arguments) == {"account": "ann", "protocol": "aave", "repay": 100.0}
    assert quote.to_frame().loc[0, "repaid"] == 100.0
    assert repr(quote).startswith("<Quote: ann at aave (aave_v3), health 0.96: repays 100 USDC")
    done = rg.liquidate(snap, "aave", "ann")
    assert done.summary() == "1 call, 0 refused: $6,250 repaid, $6,562 seized, $0 of bad debt"
    assert done.to_frame() is done.steps


def test_notebooks_show_results_and_run_nothing_that_labels_say():
    hostile = "<img src=x onerror=alert(1)>"
    rows = [(hostile, "aave", *rest) for _, _, *rest in ANN]
    for shown in (rg.liquidation_quote(book(*rows), hostile, "aave"), rg.liquidate(book(*rows), "aave", [hostile])):
        page = shown._repr_html_()
        assert "<table" in page and "&lt;img src=x" in page and "<img" not in page
