"""Collateral reuse (METHODS 6) against plain loops, and what must hold for every book."""

import math

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskgraph as rg
from tests import naive
from tests.reuse_books import KINDS, PROTOCOLS, book, books, measures, plain, snapshot

# -- against plain loops ---------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books())
def test_against_walking_every_path(case):
    rows, families, backing = case
    families, links, issuers = plain(families, backing)
    reuse = rg.collateral_reuse(snapshot(rows, families, backing))
    expected, used = naive.reuse(rows, KINDS, families, links, issuers, PROTOCOLS)
    scale = sum(row[4] for row in rows)
    frame = reuse.multipliers
    label = {name: f"protocol:{name}" for name in PROTOCOLS}
    for base, numbers in expected.items():
        assert measures(reuse, label.get(base, base)) == pytest.approx(numbers, rel=1e-9, abs=1e-9 * scale)
        told = frame.loc[label.get(base, base), "multiplier"]
        if not math.isnan(told):
            assert told == pytest.approx(numbers[0] / numbers[3], rel=1e-7)
    assert set(frame.index[frame["gross"] > 1e-9]) == {label.get(base, base) for base in expected}
    hot = reuse.hotspots["reused_usd"]
    for kind in ("account", "protocol", "asset"):
        for name, usd in used[kind].items():
            assert hot[f"{kind}:{name}"] == pytest.approx(usd, rel=1e-9, abs=1e-9 * scale)
        assert hot[hot.index.str.startswith(kind)].sum() == pytest.approx(sum(used[kind].values()), abs=1e-9 * scale)
    total = reuse.totals
    assert sum(used["end"].values()) == pytest.approx(total["reused"], abs=1e-9 * scale)
    assert total["gross"] + total["untraced"] + total["baskets"] + total["insolvent"] == pytest.approx(total["rows"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books())
def test_common_collateral_and_chains_against_plain_loops(case):
    rows, families, backing = case
    families, links, issuers = plain(families, backing)
    reuse = rg.collateral_reuse(snapshot(rows, families, backing))
    equity = naive.reuse_equity(rows, KINDS, links, issuers)
    solvent = [row for row in rows if equity[row[0]] > 0.0 and row[2] != "REST"]
    expected = naive.common_collateral(solvent, links, PROTOCOLS)
    found = {
        (row.asset, row.protocol_a, row.protocol_b): (row.overlap_usd, row.wallets, row.wallets_usd)
        for row in reuse.overlap.itertuples()
    }
    assert set(found) == set(expected)
    for key, numbers in expected.items():
        assert found[key] == pytest.approx(numbers, rel=1e-9)
    carried = {}
    for _, protocol, asset, side, usd in solvent:
        if side in ("collateral", "deposit"):
            for nodes, share in naive.backing_paths(links, asset):
                shown = [f"protocol:{node}" if node in PROTOCOLS else node for node in reversed(nodes)]
                path = " → ".join([*shown, f"{side} at {protocol}"])
                if len(nodes) > 1:
                    carried[path] = carried.get(path, 0.0) + usd * share
    chains = reuse.chains(12)
    assert chains["usd"].tolist() == pytest.approx(sorted(carried.values(), reverse=True)[:12], rel=1e-9)
    for row in chains.itertuples():
        assert carried[row.path] == pytest.approx(row.usd, rel=1e-9)


# -- properties ------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books(), st.randoms(use_true_random=False))
def test_bounds_row_order_and_scaling(case, random):
    rows, families, backing = case
    reuse = rg.collateral_reuse(snapshot(rows, families, backing))
    frame = reuse.multipliers
    assert (frame["unique"] >= 0.0).all()
    assert (frame["unique"] <= frame["gross"]).all()
    told = frame["multiplier"].notna()
    assert (frame["multiplier"][told] >= 1.0).all()
    assert ((frame["reason"] == "") == told).all()
    mixed = list(rows)
    random.shuffle(mixed)
    other = rg.collateral_reuse(snapshot(mixed, families, backing[::-1]))
    pd.testing.assert_frame_equal(other.multipliers, frame, check_exact=True)
    pd.testing.assert_frame_equal(other.overlap, reuse.overlap, check_exact=True)
    pd.testing.assert_frame_equal(other.hotspots, reuse.hotspots, check_exact=True)
    twice = rg.collateral_reuse(snapshot([(*row[:4], 2.0 * row[4]) for row in rows], families, backing))
    columns = ["gross", "rehypothecated", "looped", "unique", "insolvent"]
    pd.testing.assert_frame_equal(twice.multipliers[columns], 2.0 * frame[columns])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books())
def test_renaming_changes_nothing(case):
    rows, families, backing = case
    if any(families.values()) and families["b1"] == families["b2"]:
        families = {"b1": "b1", "b2": "b2"}
    names = dict(zip(KINDS, ["q7", "k2", "z", "a1", "m", "c", "n", "w", "e", "REST"], strict=True))
    names |= dict(zip(PROTOCOLS, ["v3", "v1", "v2"], strict=True))
    renamed = book(
        [
            ({"A": "t", "B": "h", "C": "j", "D": "g"}[row[0]], names.get(row[1], ""), names[row[2]], *row[3:])
            for row in rows
        ],
        {names[asset]: kind for asset, kind in KINDS.items()},
        [(names[token], names[behind], share, names.get(by, "")) for token, behind, share, by in backing],
        protocols=[names[protocol] for protocol in PROTOCOLS],
    )
    before = rg.collateral_reuse(snapshot(rows, families, backing))
    after = rg.collateral_reuse(renamed)
    for base in before.multipliers.index:
        new = f"protocol:{names[base[9:]]}" if base.startswith("protocol:") else names[base]
        scale = before.totals["rows"]
        assert measures(after, new) == pytest.approx(measures(before, base), rel=1e-9, abs=1e-9 * scale)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from("ABC"), st.sampled_from(PROTOCOLS), st.sampled_from(["b1", "b2"])),
        st.integers(1, 1000),
        min_size=1,
    )
)
def test_without_wrappers_and_debt_every_dollar_is_used_once(amounts):
    rows = [(*key, "collateral", float(usd)) for key, usd in amounts.items()]
    reuse = rg.collateral_reuse(book(rows, {"b1": "base", "b2": "base"}, []))
    assert (reuse.multipliers["multiplier"] == 1.0).all()
    assert reuse.totals["reused"] == 0.0


@settings(max_examples=30, deadline=None)
@given(books())
def test_a_staked_wrapper_in_two_steps_is_one(case):
    rows, families, backing = case
    before = rg.collateral_reuse(snapshot(rows, families, backing))
    whole = [row if row[0] != "s" else ("s", "mid", 1.0, "") for row in backing]
    (old,) = [row for row in backing if row[0] == "s"]
    own = {asset: families.get(asset, asset) for asset in KINDS} | {"mid": "mid"}
    whole.append(("mid", *old[1:]))
    if own["b1"] == own["b2"] == "F":
        whole.append(("b2", "b1", 0.0, ""))
    after = rg.collateral_reuse(book(rows, KINDS | {"mid": "staked"}, whole, own, list(PROTOCOLS)))
    pd.testing.assert_frame_equal(after.multipliers, before.multipliers, rtol=1e-12)
    shared = before.hotspots.index
    pd.testing.assert_series_equal(
        after.hotspots["reused_usd"][shared], before.hotspots["reused_usd"][shared], rtol=1e-9, check_exact=False
    )
