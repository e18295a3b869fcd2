"""Collateral reuse (METHODS 6), solved by hand."""

import math

import pandas as pd
import pytest

import riskgraph as rg
from tests.reuse_books import METHODS_FAMILIES, METHODS_KINDS, METHODS_ROWS, book, measures, methods_book


def test_the_case_of_the_methods():
    reuse = rg.collateral_reuse(methods_book())
    assert measures(reuse, "ETH") == [210.0, 30.0, 50.0, 130.0]
    assert reuse.multipliers.loc["ETH", "multiplier"] == pytest.approx(210.0 / 130.0, rel=1e-15)
    assert round(reuse.totals["multiplier"], 4) == 1.6154
    assert reuse.totals["reused"] == 80.0
    # Reused by account: A loops 50, B's receipt is 30. At lend: A's row; at other: the receipt.
    hot = reuse.hotspots["reused_usd"]
    assert hot[["account:A", "account:B", "protocol:lend", "protocol:other"]].tolist() == [50.0, 30.0, 50.0, 30.0]
    assert hot[["asset:ETH", "asset:wstETH", "asset:aETH"]].tolist() == [80.0, 50.0, 30.0]


def test_looping_of_the_same_case():
    row = rg.collateral_reuse(methods_book()).looping.iloc[0]
    assert (row.account, row.family, row.looped_usd, row.family_debt_usd) == ("A", "ETH", 50.0, 50.0)
    assert row.leverage == pytest.approx(1.5)  # 150 ÷ (150 − 50)
    assert row.debt_financed_share == pytest.approx(1 / 3)


def test_a_receipt_whose_deposit_is_elsewhere_counts_once():
    reuse = rg.collateral_reuse(methods_book([row for row in METHODS_ROWS if row[2:4] != ("ETH", "collateral")]))
    assert measures(reuse, "ETH") == [180.0, 0.0, 50.0, 130.0]
    row = reuse.unmatched.iloc[0]
    assert (row.token, row.behind, row.issuer) == ("aETH", "ETH", "lend")
    assert (row.claims_usd, row.deposits_usd, row.matched, row.unmatched_usd) == (30.0, 0.0, 0.0, 30.0)
    assert any("unmatched" in note for note in reuse.notes)


def test_a_deposit_at_another_protocol_is_not_the_receipts():
    rows = [("A", "lend", "aETH", "collateral", 30.0), ("B", "third", "ETH", "deposit", 30.0)]
    backing = [("wstETH", "ETH", 1.0, ""), ("aETH", "ETH", 1.0, "other")]
    elsewhere = book(rows, METHODS_KINDS, backing, METHODS_FAMILIES, ["other"])
    assert measures(rg.collateral_reuse(elsewhere), "ETH") == [60.0, 0.0, 0.0, 60.0]
    open_backing = [("wstETH", "ETH", 1.0, ""), ("aETH", "ETH", 1.0, "")]  # no issuer: rows anywhere are its deposits
    anywhere = book(rows, METHODS_KINDS, open_backing, METHODS_FAMILIES)
    assert measures(rg.collateral_reuse(anywhere), "ETH") == [60.0, 30.0, 0.0, 30.0]


def test_a_deposit_is_shared_by_all_claims_on_it():
    # 30 are deposited; 20 in one receipt and 40 in another (10 of it in a wallet) claim 60: half of each is matched.
    kinds = {"ETH": "base", "aETH": "receipt", "bETH": "receipt"}
    rows = [
        ("A", "lend", "ETH", "deposit", 30.0),
        ("B", "other", "aETH", "collateral", 20.0),
        ("C", "other", "bETH", "collateral", 30.0),
        ("D", "", "bETH", "wallet", 10.0),
    ]
    backing = [("aETH", "ETH", 1.0, "lend"), ("bETH", "ETH", 1.0, "lend")]
    reuse = rg.collateral_reuse(book(rows, kinds, backing))
    assert measures(reuse, "ETH") == [80.0, 25.0, 0.0, 55.0]
    assert reuse.unmatched.set_index("token")["unmatched_usd"].to_dict() == {"aETH": 10.0, "bETH": 15.0}


def test_partial_backing_leaves_a_part_untraced():
    # 100 of a token that is half ETH, a quarter USD: 25 rest on nothing known. A owes 20 USD: min(25, 20) is looped.
    kinds = {"ETH": "base", "USD": "stable", "mix": "staked"}
    rows = [("A", "lend", "mix", "collateral", 100.0), ("A", "lend", "USD", "debt", 20.0)]
    reuse = rg.collateral_reuse(book(rows, kinds, [("mix", "ETH", 0.5, ""), ("mix", "USD", 0.25, "")]))
    assert measures(reuse, "ETH") == [50.0, 0.0, 0.0, 50.0]
    assert measures(reuse, "USD") == [25.0, 0.0, 20.0, 5.0]
    assert (reuse.totals["untraced"], reuse.totals["rows"]) == (25.0, 100.0)
    assert any("$25 are the part of tokens that nothing known stands behind" in note for note in reuse.notes)


def test_an_lp_token_is_matched_underlying_by_underlying():
    # The pool holds 40 ETH and 10 USD for a token of 80 that claims 40 of each.
    kinds = {"ETH": "base", "USD": "stable", "pool": "lp"}
    rows = [
        ("A", "dex", "ETH", "deposit", 40.0),
        ("A", "dex", "USD", "deposit", 10.0),
        ("B", "lend", "pool", "collateral", 80.0),
    ]
    reuse = rg.collateral_reuse(book(rows, kinds, [("pool", "ETH", 0.5, "dex"), ("pool", "USD", 0.5, "dex")]))
    assert measures(reuse, "ETH") == [80.0, 40.0, 0.0, 40.0]
    assert measures(reuse, "USD") == [50.0, 10.0, 0.0, 40.0]


CHAIN_KINDS = {"ETH": "base", "aETH": "receipt", "bETH": "receipt", "cETH": "receipt"}
CHAIN_BACKING = [("aETH", "ETH", 1.0, "p1"), ("bETH", "aETH", 1.0, "p2"), ("cETH", "bETH", 1.0, "p3")]
CHAIN_ROWS = [
    ("A", "p1", "ETH", "deposit", 30.0),
    ("B", "p2", "aETH", "deposit", 30.0),
    ("C", "p3", "bETH", "collateral", 20.0),
]


def test_a_chain_over_three_protocols():
    # 30 ETH → its receipt, deposited → 20 of that receipt's receipt posted: 80 stand on 30.
    reuse = rg.collateral_reuse(book(CHAIN_ROWS, CHAIN_KINDS, CHAIN_BACKING))
    assert measures(reuse, "ETH") == [80.0, 50.0, 0.0, 30.0]
    chains = reuse.chains()
    assert chains["path"].tolist() == ["ETH → aETH → deposit at p2", "ETH → aETH → bETH → collateral at p3"]
    assert chains[["usd", "links", "issuers", "accounts"]].values.tolist() == [
        [30.0, 1, "p1", 1],
        [20.0, 2, "p1 → p2", 1],
    ]
    assert chains.attrs["cut"] == ""
    assert len(reuse.chains(links=0)) == 3
    assert reuse.chains(links=2)["token"].tolist() == ["bETH"]
    one = reuse.chains(1)
    assert len(one) == 1
    assert one.attrs["cut"] == "cut: the first 1 were asked for; every other chain carries at most $20.00"
    assert "1 paths were looked into" in reuse.chains(budget=1).attrs["cut"]
    assert reuse.hotspots["reused_usd"][["asset:ETH", "asset:aETH", "asset:bETH"]].tolist() == [50.0, 50.0, 20.0]


def test_an_account_with_two_buckets_is_one_holder():
    rows = pd.DataFrame(
        {
            "account": "A",
            "protocol": "lend",
            "asset": "s",
            "side": "collateral",
            "amount": [3.0, 4.0],
            "bucket": ["1", "2"],
        }
    )
    assets = pd.DataFrame({"asset": ["b", "s"], "price": 1.0, "kind": ["base", "staked"], "family": "b"})
    chain = rg.collateral_reuse(rg.Snapshot(positions=rows, assets=assets)).chains().iloc[0]
    assert (chain.path, chain.usd, chain.accounts) == ("b → s → collateral at lend", 7.0, 1)


def test_a_loop_of_backing_with_a_gain_below_one():
    # x = ½ base + ½ y, y = ½ x (the rest unbacked). Of 100 x: base gets 50 (1 + ¼ + …) = 66.67, the rest is untraced.
    kinds = {"base": "base", "x": "staked", "y": "staked"}
    backing = [("x", "base", 0.5, ""), ("x", "y", 0.5, ""), ("y", "x", 0.5, "")]
    rows = [("A", "lend", "x", "collateral", 90.0), ("B", "other", "y", "collateral", 30.0)]
    reuse = rg.collateral_reuse(book(rows, kinds, backing))
    # 90 · ⅔ + 30 · ½ · ⅔ = 70
    assert measures(reuse, "base") == pytest.approx([70.0, 0.0, 0.0, 70.0])
    assert reuse.totals["untraced"] == pytest.approx(50.0)
    loop = reuse.loops.iloc[0]
    assert (loop.tokens, loop.posted_usd) == ("x, y", 120.0)
    assert loop.gain == pytest.approx(0.5)  # spectral radius of [[0, ½], [½, 0]]
    assert loop.comes_back == pytest.approx(0.25)  # ½ · ½
    first = reuse.chains(2)
    assert first["path"].tolist() == ["base → x → collateral at lend", "base → x → y → x → collateral at lend"]
    assert first["usd"].tolist() == [45.0, 11.25]
    # 15 of B's 30 pass x; half of A's 90 pass y. Nobody stands at both.
    common = reuse.overlap.set_index("asset")["overlap_usd"].to_dict()
    assert common == pytest.approx({"x": 15.0, "y": 30.0, "base": 10.0})


def test_a_debt_backed_token_rests_on_all_that_stands_at_its_protocol():
    # 150 ETH at maker; 100 of its dollar posted at lend, 50 put back into maker (no backing of itself).
    kinds = {"ETH": "base", "dollar": "debt_backed"}
    rows = [
        ("A", "maker", "ETH", "collateral", 60.0),
        ("A", "maker", "dollar", "debt", 50.0),
        ("B", "lend", "dollar", "collateral", 100.0),
        ("C", "maker", "dollar", "deposit", 20.0),
    ]
    reuse = rg.collateral_reuse(book(rows, kinds, [("dollar", "maker", 1.0, "")]))
    # Claims of 120 on 60 that stand there: half of every dollar is a second use.
    assert measures(reuse, "protocol:maker") == [120.0, 60.0, 0.0, 60.0]
    assert measures(reuse, "ETH") == [60.0, 0.0, 0.0, 60.0]


def test_several_bases_of_one_family_share_what_is_looped():
    # A posts 60 and 40 of two dollars of one family against 30 of the first: 30 looped, 18 and 12.
    kinds = {"USD1": "stable", "USD2": "stable", "x": "receipt"}
    rows = [
        ("A", "lend", "USD1", "collateral", 60.0),
        ("A", "lend", "x", "collateral", 40.0),
        ("A", "lend", "USD1", "debt", 30.0),
        ("B", "other", "USD1", "collateral", 20.0),
    ]
    families = {"USD1": "USD", "x": "USD", "USD2": "Z"}
    reuse = rg.collateral_reuse(book(rows, kinds, [("x", "USD2", 1.0, "")], families))
    # x belongs to the family USD but rests on USD2, another family: nothing of it is looped.
    assert measures(reuse, "USD1") == [80.0, 0.0, 30.0, 50.0]
    assert measures(reuse, "USD2") == [40.0, 0.0, 0.0, 40.0]
    bundled = {"USDC": "stable", "USDT": "stable"}
    rows = [
        ("A", "lend", "USDC", "collateral", 60.0),
        ("A", "lend", "USDT", "collateral", 40.0),
        ("A", "lend", "USDC", "debt", 30.0),
    ]
    reuse = rg.collateral_reuse(book(rows, bundled, [], {"USDC": "USD", "USDT": "USD"}))
    assert measures(reuse, "USDC") == [60.0, 0.0, 18.0, 42.0]
    assert measures(reuse, "USDT") == [40.0, 0.0, 12.0, 28.0]


def test_insolvent_accounts_stand_apart():
    rows = [
        ("A", "lend", "ETH", "collateral", 40.0),
        ("B", "lend", "ETH", "collateral", 50.0),
        ("B", "lend", "USD", "debt", 50.0),
        ("C", "other", "aETH", "collateral", 60.0),
        ("D", "other", "aETH", "collateral", 20.0),
        ("D", "other", "USD", "debt", 25.0),
    ]
    kinds = {"ETH": "base", "USD": "stable", "aETH": "receipt"}
    reuse = rg.collateral_reuse(book(rows, kinds, [("aETH", "ETH", 1.0, "lend")]))
    # Neither B's deposit nor D's receipt counts, so C's receipt of 60 is matched by A's 40: G 100, H 40.
    assert measures(reuse, "ETH") == [100.0, 40.0, 0.0, 60.0]
    assert reuse.insolvent.loc["B"].tolist() == [0.0, 50.0, 50.0]
    assert reuse.insolvent.loc["D"].tolist() == [-5.0, 20.0, 25.0]
    assert (reuse.totals["insolvent"], reuse.totals["rows"]) == (70.0, 170.0)
    assert reuse.multipliers.loc["ETH", "insolvent"] == 70.0


def test_a_multiplier_that_says_nothing_is_not_told():
    kinds = {"ETH": "base", "USD": "stable"}
    thin = [("A", "lend", "ETH", "collateral", 1000.0), ("A", "lend", "ETH", "debt", 995.0)]
    row = rg.collateral_reuse(book(thin, kinds, [])).multipliers.loc["ETH"]
    assert math.isnan(row.multiplier)
    assert row.reason == "unique collateral is under 1% of gross"
    assert row["unique"] == 5.0
    sunk = [
        ("A", "lend", "ETH", "collateral", 10.0),
        ("B", "lend", "ETH", "collateral", 11.0),
        ("B", "lend", "USD", "debt", 12.0),
    ]
    reuse = rg.collateral_reuse(book(sunk, kinds, []))
    assert math.isnan(reuse.multipliers.loc["ETH", "multiplier"])
    assert reuse.multipliers.loc["ETH", "reason"] == "insolvent accounts hold over half"
    assert "not told" in reuse.summary()


def test_baskets_and_empty_books():
    kinds = {"ETH": "base", "REST": "basket"}
    rows = [
        ("A", "lend", "REST", "collateral", 70.0),
        ("A", "lend", "REST", "debt", 30.0),
        ("A", "lend", "ETH", "deposit", 5.0),
    ]
    reuse = rg.collateral_reuse(book(rows, kinds, []))
    assert reuse.multipliers.index.tolist() == ["ETH"]
    assert (reuse.totals["baskets"], reuse.totals["looped"], reuse.totals["rows"]) == (70.0, 0.0, 75.0)
    assert "asset:REST" not in reuse.hotspots.index
    empty = rg.collateral_reuse(book([("A", "", "ETH", "wallet", 5.0)], kinds, []))
    assert empty.multipliers.empty
    assert empty.totals["gross"] == 0.0
    assert math.isnan(empty.totals["multiplier"])
    assert empty.overlap.empty
    assert empty.chains().empty
    assert empty.looping.empty
    assert (empty.hotspots["reused_usd"] == 0.0).all()
    assert "CollateralReuse" in repr(empty)


def test_the_toy_book():
    reuse = rg.collateral_reuse(rg.datasets.load("toy"))
    assert measures(reuse, "ETH") == [528_000.0, 120_000.0, 80_000.0, 328_000.0]
    assert round(reuse.multipliers.loc["ETH", "multiplier"], 4) == 1.6098
    assert reuse.multipliers.loc["USDC", "multiplier"] == 1.0
    top = reuse.overlap.iloc[0]
    # alice's deposit at alpha and her receipt at gamma rest on the same 120,000.
    assert (top.asset, top.protocol_a, top.protocol_b) == ("ETH", "alpha", "gamma")
    assert (top.overlap_usd, top.wallets, top.wallets_usd) == (120_000.0, 1, 120_000.0)


def test_a_break_reaches_every_holder_once():
    # stETH by 10 %: alice 12,000 (deposit and receipt are one), bob 12,000, dave 4,800; ETH debts stay where they are.
    reuse = rg.collateral_reuse(rg.datasets.load("toy"))
    broken = reuse.break_("stETH", 0.1)
    assert broken.to_frame()["net_usd"].round(6).to_dict() == {"alice": 12_000.0, "bob": 12_000.0, "dave": 4_800.0}
    assert broken.to_frame()["share"].round(6).to_dict() == {"alice": 0.171429, "bob": 0.222222, "dave": 0.266667}
    assert broken.protocols["loss_usd"].round(6).to_dict() == {"alpha": 24_000.0, "gamma": 12_000.0, "beta": 4_800.0}
    assert broken.loss_usd == pytest.approx(28_800.0)
    assert not broken.holders["wiped_out"].any()
    # ETH by half takes bob's debt of 80,000 along: 70,000 − 40,000.
    bob = reuse.break_("ETH", 0.5).holders.loc["bob"]
    assert (bob.loss_usd, bob.relief_usd, bob.net_usd) == pytest.approx((70_000.0, 40_000.0, 30_000.0))
    assert "stETH falls by 10.00%" in broken.summary()
