"""What a map plays, before any page: states and figures of the toy book frame by frame, and what is refused."""

import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.view.stories import HIT, RUINED, STRAIN, cascade_story, what_if_stories
from riskgraph.view.style import money
from riskgraph.view.what_if import fallen_assets, what_if_grid
from tests.perpetual_books import book


def places(snap):
    labels = [f"{kind}:{name}" for kind in ("asset", "protocol", "account") for name in snap.labels(kind).to_pylist()]
    return {label: at for at, label in enumerate(labels)}


@pytest.fixture(scope="module")
def toy():
    return rg.datasets.load("toy")


def states_at(story, at, known):
    events = zip(story.node, story.frame, story.state, strict=True)
    states = {node: state for node, frame, state in events if frame <= at}
    return {label: states.get(number, 0) for label, number in known.items()}


def test_a_cascade_frame_by_frame(toy):
    """ETH −40 %: all of the family is hit by the shock; bob and dave are liquidated in round 0, which frame 2 shows."""
    cascade, known = rg.liquidation_cascade(toy, {"ETH": -0.4}), places(toy)
    story = cascade_story(cascade, known)
    assert story.name == "Cascade: ETH −40 %"
    assert [label for label, _ in story.frames[:3]] == ["before", "after the shock", "after round 0"]
    assert len(story.frames) == len(cascade.prices)
    before, shocked, first = (states_at(story, at, known) for at in range(3))
    assert set(before.values()) == {0}
    assert {label for label, state in shocked.items() if state == HIT} == {
        f"asset:{a}" for a in ("ETH", "stETH", "wstETH", "aWstETH")
    }
    assert first["account:bob"] >= HIT and first["account:dave"] >= HIT and first["account:carol"] == 0
    assert first["protocol:beta"] == RUINED and first["protocol:gamma"] == 0
    assert states_at(story, 3, known)["protocol:gamma"] == STRAIN  # alice is liquidated there in round 1
    end = states_at(story, len(story.frames), known)
    bad = cascade.accounts.astype({"account": object}).query("bad_debt_usd > 0")["account"]
    assert {label for label, state in end.items() if state == RUINED and label.startswith("account:")} == {
        f"account:{who}" for who in bad
    }
    assert end["protocol:beta"] == RUINED and end["protocol:alpha"] == HIT  # lenders lose; a reserve bears it
    figures = [dict(told) for _, told in story.frames]
    assert figures[0]["Margin accounts liquidated"] == "0" and figures[2]["Margin accounts liquidated"] == "2"
    assert figures[-1]["Bad debt"] == money(cascade.bad_debt_usd)
    why = {row[0]: row for row in story.why}
    bob = why[known["account:bob"]]
    assert bob[1] == 0 and bob[2] == known["asset:ETH"] and bob[3] == pytest.approx(0.4) and bob[4] == "shock"


def test_what_if_is_the_end_of_each_fall(toy):
    known = places(toy)
    grid = what_if_grid(toy, ["ETH"], (0.4, 0.0, 0.2))
    (story,) = what_if_stories(grid, known)
    assert [label for label, _ in story.frames] == ["ETH as it is", "ETH −20 %", "ETH −40 %"]
    assert set(states_at(story, 0, known).values()) == {0}
    for at, fall in ((1, 0.2), (2, 0.4)):
        cascade, states = rg.liquidation_cascade(toy, {"ETH": -fall}), states_at(story, at, known)
        seized = cascade.accounts.astype({"account": object}).query("seized_usd > 0")["account"]
        assert {label for label, state in states.items() if state >= HIT and label.startswith("account:")} == {
            f"account:{who}" for who in seized
        }
        assert (
            dict(story.frames[at][1])["Margin accounts liquidated"] == f"{(cascade.accounts['seized_usd'] > 0).sum():,}"
        )


def test_assets_are_chosen_by_what_stands_on_them(toy):
    assert fallen_assets(toy)[0] == "ETH"
    assert set(what_if_grid(toy, falls=(0.0,)).cascades) == set(fallen_assets(toy))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"assets": ["DOGE"]}, "what_if: expected assets of the snapshot, got 'DOGE'"),
        ({"assets": []}, "what_if: expected assets of the snapshot, got none"),
        ({"assets": ["ETH"], "falls": [1.0]}, r"what_if: expected falls of at least 0 and below 1, got \[1.0\]"),
        ({"assets": ["ETH"], "falls": []}, "what_if: expected falls of at least 0 and below 1, got none"),
    ],
)
def test_grids_that_cannot_be_played(toy, arguments, says):
    with pytest.raises(rg.InputError, match=says):
        what_if_grid(toy, **arguments)


def test_results_of_other_data_are_refused(toy):
    other = rg.datasets.load("curve_founder_202308")
    for name, given in (
        ("cascade", rg.liquidation_cascade(other, {"CRV": -0.1})),
        ("reuse", rg.collateral_reuse(other)),
        ("what_if", what_if_grid(other, ["CRV"], (0.0, 0.1))),
    ):
        with pytest.raises(rg.InputError, match=f"{name}: expected one of the data that are drawn"):
            rg.network_map(toy, **{name: given})


def test_a_graph_alone_shows_no_empty_parts_and_everything_the_rest(toy):
    bare = rg.network_map(rg.exposure_graph(toy))
    assert not bare.facts.stories and not bare.facts.chains and "stories" not in bare.summary()
    cascade = rg.liquidation_cascade(toy, {"ETH": -0.4})
    whole = rg.network_map(
        toy,
        cascade=[cascade, rg.liquidation_cascade(toy, {"stETH": -0.2})],
        reuse=rg.collateral_reuse(toy),
        what_if=["ETH"],
    )
    assert [story.kind for story in whole.facts.stories] == ["cascade", "cascade", "what-if"]
    assert set(whole.facts.scores) >= {"health", "impact", "reused"}
    at = list(whole.drawing.labels).index("account:bob")
    health = rg.health(toy).astype({"account": object})
    assert whole.facts.scores["health"][at] == pytest.approx(health.loc[health["account"] == "bob", "health"].min())
    assert (
        whole.html
        == rg.network_map(
            toy,
            cascade=[cascade, rg.liquidation_cascade(toy, {"stETH": -0.2})],
            reuse=rg.collateral_reuse(toy),
            what_if=["ETH"],
        ).html
    )


def test_a_book_without_thresholds_has_no_health(toy):
    bare = rg.Snapshot(
        positions=pd.DataFrame(
            {
                "account": ["a", "a"],
                "protocol": ["p", "p"],
                "asset": ["X", "Y"],
                "side": ["collateral", "debt"],
                "amount": [2.0, 1.0],
            }
        ),
        assets=pd.DataFrame({"asset": ["X", "Y"], "price": 1.0}),
    )
    drawn = rg.network_map(bare)
    assert "health" not in drawn.facts.scores
    (note,) = drawn.facts.notes
    assert note.startswith("no health factors are shown: ") and note.split(": ", 1)[1][:40] in drawn.html


def perpetuals():
    """Two longs of BTC, one of which falls below maintenance; a short whose gain pays for nothing of it."""
    return book(
        ("ann", "USDC", "collateral", 500.0),
        ("ann", "BTC", "long", 0.2, 20_000.0),
        ("bob", "USDC", "collateral", 4_000.0),
        ("bob", "BTC", "long", 0.2, 20_000.0),
        ("cat", "USDC", "collateral", 4_000.0),
        ("cat", "BTC", "short", 0.4, 20_000.0),
    )


def test_accounts_that_a_venue_closes_are_hit():
    """Ann holds 500 against 4,000 of BTC: at −11 % she has 60 left, below 2 % of 3,560; bob has 3,560."""
    snap = perpetuals()
    cascade, known = rg.liquidation_cascade(snap, {"BTC": -0.11}), places(snap)
    story = cascade_story(cascade, known)
    end = states_at(story, len(story.frames), known)
    assert end["account:ann"] == HIT and end["account:bob"] == end["account:cat"] == 0
    assert end["protocol:hl"] >= STRAIN
    assert dict(story.frames[-1][1])["Margin accounts liquidated"] == "1"


def test_accounts_that_a_comet_absorbs_are_hit():
    """Ann's 10 ETH at 80 count 720 against 750; no pair of hers is called, all of her is absorbed."""
    ann = [("ann", "ETH", "collateral", 10.0), ("ann", "USDC", "debt", 750.0)]
    snap = rg.Snapshot(
        positions=pd.DataFrame(
            [*ann, ("bob", "ETH", "collateral", 10.0), ("bob", "USDC", "debt", 50.0)],
            columns=["account", "asset", "side", "amount"],
        ).assign(protocol="comet"),
        assets=pd.DataFrame({"asset": ["ETH", "USDC"], "price": [100.0, 1.0]}),
        protocols=pd.DataFrame([{"protocol": "comet", "rule": "compound_v3", "reserves": 1000.0}]),
        markets=pd.DataFrame(
            [{"protocol": "comet", "asset": "ETH", "liquidation_threshold": 0.9, "liquidation_factor": 0.95}]
        ),
    )
    cascade, known = rg.liquidation_cascade(snap, {"ETH": -0.2}), places(snap)
    assert "absorbed" in set(cascade.steps["action"])
    story = cascade_story(cascade, known)
    end = states_at(story, len(story.frames), known)
    assert end["account:ann"] == HIT and end["account:bob"] == 0 and end["protocol:comet"] >= STRAIN
    assert dict(story.frames[-1][1])["Margin accounts liquidated"] == "1"


@pytest.mark.parametrize("shock", [{"ETH": -0.4}, {"ETH": -0.7}, {"stETH": -0.3}, {"ETH": -0.35, "USDC": -0.02}])
def test_no_account_and_no_protocol_is_better_than_it_was(toy, shock):
    story, known = cascade_story(rg.liquidation_cascade(toy, shock), places(toy)), places(toy)
    before = states_at(story, 0, known)
    for at in range(1, len(story.frames)):
        now = states_at(story, at, known)
        assert all(now[label] >= before[label] for label in known if not label.startswith("asset:"))
        before = now


def test_no_assets_to_fall_is_no_wish_for_all(toy):
    with pytest.raises(rg.InputError, match="what_if: expected assets of the snapshot, got none"):
        rg.network_map(toy, what_if=[])
    assert not rg.network_map(toy, what_if=False).facts.stories
