"""The margin calls of one moment, solved by hand (METHODS 5.3)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg


def frame(columns: str, rows: list) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


def book(wallet: list | None = None, *, drop: str = "", protocols: dict | None = None, more: list = ()) -> rg.Snapshot:
    """Three protocols on which one owner stands, at T = 1.1; ETH costs 1,000."""
    rows = [
        ("ann", "A", "ETH", "collateral", 0.18), ("ann", "A", "USDC", "debt", 150.0),
        ("ann", "B", "ETH", "collateral", 0.27), ("ann", "B", "USDC", "debt", 210.0),
        ("ann", "C", "ETH", "collateral", 0.36), ("ann", "C", "USDC", "debt", 200.0),
        *(("ann", "", token, "wallet", units) for token, units in (wallet or [("USDC", 30.0)])), *more,
    ]  # fmt: skip
    return rg.Snapshot(
        positions=frame("account protocol asset side amount", [row for row in rows if row[1] != drop or not drop]),
        assets=frame("asset price", [("ETH", 1000.0), ("USDC", 1.0), ("MEME", 2.0), ("GOLD", 100.0)]),
        protocols=pd.DataFrame(
            {"protocol": ["A", "B", "C"], "kind": "lending", "call_level": 1.1, **(protocols or {})}
        ),
        markets=frame(
            "protocol asset liquidation_threshold",
            [("A", "ETH", 0.8), ("B", "ETH", 0.75), ("C", "ETH", 0.9), ("A", "GOLD", 0.5)],
        ),
    )


def by_protocol(calls: pd.DataFrame, name: str) -> dict:
    return dict(zip(calls["protocol"], calls[name], strict=True))


def test_the_example_of_the_methods() -> None:
    found = rg.margin_calls(book())
    calls = found.to_frame()
    assert list(calls["protocol"]) == ["A", "B"]  # C has a health of 1.62
    assert list(calls["health"]) == pytest.approx([0.96, 202.5 / 210], rel=1e-15)
    assert list(calls["required_usd"]) == pytest.approx([21 / 1.1, 28.5 / 1.1], rel=1e-13)
    assert list(calls["from_wallet_usd"]) == pytest.approx([14 / 1.1, 19 / 1.1], rel=1e-13)
    assert list(calls["from_excess_usd"]) == pytest.approx([8.75, 38 / 3], rel=1e-12)
    assert list(calls["unmet_usd"]) == [0.0, 0.0]
    assert list(calls["outcome"]) == ["cured", "cured"]
    assert list(calls["health_after"]) == pytest.approx([1.1, 1.1], rel=1e-13)
    (donor,) = found.donors.to_dict("records")
    assert donor["protocol"] == "C" and donor["health"] == pytest.approx(1.62, rel=1e-15)
    assert donor["given_usd"] == pytest.approx(8.75 + 38 / 3, rel=1e-12)
    assert donor["health_after"] == pytest.approx(1.523625, rel=1e-13)


def test_its_payments_and_its_wallet() -> None:
    found = rg.margin_calls(book())
    told = found.payments[["protocol", "token", "source", "use"]].to_numpy().tolist()
    assert told == [
        ["A", "USDC", "wallet", "repays debt"],
        ["A", "ETH", "C", "posted"],
        ["B", "USDC", "wallet", "repays debt"],
        ["B", "ETH", "C", "posted"],
    ]
    assert list(found.payments["units"]) == pytest.approx([14 / 1.1, 0.00875, 19 / 1.1, 0.038 / 3], rel=1e-12)
    assert list(found.payments["usd"]) == pytest.approx([14 / 1.1, 8.75, 19 / 1.1, 38 / 3], rel=1e-12)
    (wallet,) = found.wallets.to_dict("records")
    assert (wallet["account"], wallet["calls"], wallet["wallet_usd"], wallet["left_usd"]) == ("ann", 2, 30.0, 0.0)
    assert wallet["required_usd"] == pytest.approx(45.0, rel=1e-13)
    assert wallet["paid_usd"] == pytest.approx(30.0, rel=1e-13)
    assert wallet["from_excess_usd"] == pytest.approx(8.75 + 38 / 3, rel=1e-12)
    assert found.tokens["reason"].tolist() == [""]
    assert found.summary().startswith("2 calls on 1 account: $45.00 required, $30.00 paid from wallets")
    assert repr(found) == f"<MarginCalls: {found.summary()}>"
    assert "margin_calls" in str(found.provenance)


@pytest.mark.parametrize(
    ("order", "paid"), [(["A", "B"], (21 / 1.1, 30 - 21 / 1.1)), (["B", "A"], (30 - 28.5 / 1.1, 28.5 / 1.1)),
                        (["B"], (30 - 28.5 / 1.1, 28.5 / 1.1))]
)  # fmt: skip
def test_an_order_of_protocols_is_served_one_after_another(order: list, paid: tuple) -> None:
    calls = rg.margin_calls(book(drop="C"), call_sharing=order).to_frame()
    assert by_protocol(calls, "paid_usd") == pytest.approx(dict(zip("AB", paid, strict=True)), rel=1e-12)
    left = {"A": "liquidatable", "B": "restricted"}  # A then has 144/145.9, B 202.5/199.1
    assert by_protocol(calls, "outcome") == {**left, order[0]: "cured"}


def test_what_nobody_takes_is_said() -> None:
    found = rg.margin_calls(book([("MEME", 7.0), ("USDC", 100.0), ("GOLD", 1.0)], drop="C"))
    assert found.tokens[["token", "reason"]].to_numpy().tolist() == [
        ["GOLD", "not needed"], ["MEME", "not accepted"], ["USDC", "not needed"],
    ]  # fmt: skip
    told = found.tokens.set_index("token")
    assert told.loc["USDC", "paid_units"] == pytest.approx(45.0, rel=1e-13)
    assert told.loc["MEME", ["usd", "paid_usd", "left_usd"]].tolist() == [14.0, 0.0, 14.0]
    assert found.wallets["not_accepted_usd"].tolist() == [14.0]
    assert "$14.00 in wallets not accepted" in found.summary()


def test_collateral_is_posted_at_what_it_counts_for_where_it_is_taken() -> None:
    """GOLD counts for half at A and for nothing at B: A needs 21/.5 = 42 of it, B stays unpaid."""
    calls = rg.margin_calls(book([("GOLD", 1.0)], drop="C")).to_frame()
    assert by_protocol(calls, "paid_usd") == pytest.approx({"A": 42.0, "B": 0.0}, rel=1e-13)
    assert by_protocol(calls, "unmet_usd") == pytest.approx({"A": 0.0, "B": 28.5 / 1.1}, rel=1e-13)


def test_a_shock_comes_before_the_calls() -> None:
    """ETH at 650: C has 234 · .9 = 210.6 against 220, and is called too."""
    calls = rg.margin_calls(book(), {"ETH": -0.35}).to_frame()
    assert by_protocol(calls, "required_usd")["C"] == pytest.approx((220 - 210.6) / 1.1, rel=1e-12)
    assert calls["from_excess_usd"].sum() == 0.0


def test_target_grace_and_who_is_not_asked() -> None:
    terms = {"target_health": [1.2, 1.1, 1.1], "grace_rounds": [2.0, 0.0, 0.0]}
    calls = rg.margin_calls(book(drop="C", protocols=terms), topup="never").to_frame()
    assert by_protocol(calls, "required_usd") == pytest.approx({"A": 36 / 1.2, "B": 28.5 / 1.1}, rel=1e-12)
    assert by_protocol(calls, "paid_usd") == pytest.approx({"A": 30.0, "B": 0.0}, rel=1e-12)
    assert by_protocol(calls, "outcome") == {"A": "cured", "B": "liquidatable"}
    short = rg.margin_calls(book([("USDC", 1.0)], drop="C", protocols=terms)).to_frame()
    assert by_protocol(short, "outcome") == {"A": "called", "B": "liquidatable"}
    mild = rg.margin_calls(book([("USDC", 1.0)], drop="C"), {"ETH": 0.05}).to_frame()  # A 1.008, B 1.0125
    assert set(mild["outcome"]) == {"restricted"}
    found = rg.margin_calls(book(drop="C"), topup="never")
    assert found.summary().endswith("2 not asked") and len(found.wallets) == len(found.tokens) == 0


def test_a_venue_of_positions_asks_for_margin() -> None:
    """1 long at 100, maintenance 10 %: T 1.2 asks for 12; collateral 4, so 8; a debt of 2 there leaves 10 lacking.

    What is owed there is posted as everything is; GOLD with a haircut of 20 % cures .8.
    """
    positions = [
        ("bob", "perp", "GOLD", "long", 1.0), ("bob", "perp", "USDC", "collateral", 6.0),
        ("bob", "perp", "MEME", "debt", 1.0), ("bob", "", "MEME", "wallet", 1.0), ("bob", "", "GOLD", "wallet", 0.05),
    ]  # fmt: skip
    snap = rg.Snapshot(
        positions=frame("account protocol asset side amount", positions),
        assets=frame("asset price", [("USDC", 1.0), ("MEME", 2.0), ("GOLD", 100.0)]),
        protocols=frame("protocol kind rule call_level", [("perp", "perp", "perp", 1.2)]),
        markets=frame("protocol asset maintenance_margin haircut", [("perp", "GOLD", 0.1, 0.2)]),
    )
    found = rg.margin_calls(snap)
    calls = found.to_frame()
    assert set(found.payments["use"]) == {"posted"}
    assert calls["required_usd"].tolist() == pytest.approx([8.0], rel=1e-13)
    assert calls["paid_usd"].tolist() == pytest.approx([7.0], rel=1e-13)  # 2 of MEME, 5 of GOLD
    assert calls["unmet_usd"].tolist() == pytest.approx([2.0], rel=1e-12)
    assert calls["health_after"].tolist() == pytest.approx([1.0], rel=1e-12)


def test_nobody_called() -> None:
    found = rg.margin_calls(book(), {"ETH": 1.0})
    for table in (found.to_frame(), found.payments, found.wallets, found.tokens, found.donors):
        assert len(table) == 0
    assert found.summary().startswith("0 calls on 0 accounts: $0.00 required")
    silent = book(protocols={"call_level": float("nan")})
    assert len(rg.margin_calls(silent).to_frame()) == 0


def test_row_order_changes_nothing_and_labels_are_escaped() -> None:
    snap = book()
    shuffled = rg.Snapshot(
        positions=snap.positions.sample(frac=1.0, random_state=3), assets=snap.assets, protocols=book_protocols(),
        markets=snap.markets,
    )  # fmt: skip
    pd.testing.assert_frame_equal(rg.margin_calls(snap).to_frame(), rg.margin_calls(shuffled).to_frame())
    rows = [("<b>", "A", "ETH", "collateral", 0.18), ("<b>", "A", "USDC", "debt", 150.0)]
    page = rg.margin_calls(book(more=rows))._repr_html_()
    assert "&lt;b&gt;" in page and "<b>" not in page


def book_protocols() -> pd.DataFrame:
    return pd.DataFrame({"protocol": ["A", "B", "C"], "kind": "lending", "call_level": 1.1})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"shock": {"MOON": -0.1}}, "shock: expected assets of the snapshot, got 'MOON'"),
        ({"shock": {"ETH": -1.0}}, "expected a relative move above -1"),
        ({"shock": {"ETH": np.nan}}, "expected a relative move above -1"),
        ({"shock": 0.3}, "shock: expected a mapping of assets to numbers"),
        ({"call_sharing": "fair"}, "call_sharing: expected 'pro_rata' or a list of protocols, got 'fair'"),
        ({"call_sharing": ["A", "Z"]}, "call_sharing: expected protocols of the snapshot, got Z"),
        ({"call_sharing": 3}, "call_sharing: expected 'pro_rata' or a list of protocols, got 3"),
        ({"topup": "last"}, "topup: expected 'first', 'never' or nothing, got 'last'"),
        ({"shock": {"ETH": -0.1}, "follow": "fashion"}, "follow: expected one of"),
    ],
)
def test_refused(given: dict, words: str) -> None:
    with pytest.raises(rg.InputError) as error:
        rg.margin_calls(book(), **given)
    assert words in str(error.value)


def test_terms_and_books_that_are_refused() -> None:
    with pytest.raises(rg.InputError, match="target_health: expected at least the call_level"):
        rg.margin_calls(book(protocols={"target_health": 1.05}))
    with pytest.raises(rg.InputError, match="snap: expected a Snapshot"):
        rg.margin_calls("book")  # type: ignore[arg-type]
    blind = book(more=[("ann", "B", "GOLD", "collateral", 1.0)])
    with pytest.raises(rg.InputError, match="GOLD at B"):
        rg.margin_calls(blind)
