"""Aave v2 solved by hand: half of the chosen debt, no fee, no write-off, percentages that round half up."""

from __future__ import annotations

import pytest

import riskgraph as rg
from tests.pairs import book, left, quote

TERMS = {"liquidation_threshold": 0.8, "liquidation_bonus": 0.05}
MARKETS = {"ETH": TERMS, "BTC": TERMS}


def test_half_of_the_chosen_debt():
    """10 ETH are worth 8,000 of a debt of 6,000 + 2,600, health .9302.

    Of 6,000 USDC 3,000 may be repaid, for 3,000 · 1.05 / 1,000 = 3.15 ETH; then 6.85 · 800 / 5,600 = .978571. Of 2,600
    DAI 1,300, for 1.365 ETH, which leaves 8.635 · 800 / 7,300 = .946301.
    """
    snap = book("aave_v2", ("ETH", "collateral", 10.0), ("USDC", "debt", 6_000.0), ("DAI", "debt", 2_600.0),
                markets=MARKETS)  # fmt: skip
    first = quote(snap)
    assert (first.refused, first.debt_asset, first.repaid, first.seized, first.fee) == ("", "USDC", 3_000.0, 3.15, 0.0)
    assert (first.health_before, first.health_after) == pytest.approx((80 / 86, 6.85 * 800 / 5_600))
    other = quote(snap, debt_asset="DAI")
    assert (other.repaid, other.seized) == (1_300.0, 1.365)
    assert other.health_after == pytest.approx(8.635 * 800 / 7_300)
    assert (quote(snap, repay=100.0).seized, quote(snap, repay=9_000.0).repaid) == (0.105, 3_000.0)  # cut, not refused


def test_collateral_that_falls_short_pays_what_it_is_worth_and_the_rest_stays_owed():
    """2 ETH pay 2,000 / 1.05 = 1,904.7619 of the 3,000 that may be repaid; nobody writes the other 4,095.2381 off."""
    snap = book("aave_v2", ("ETH", "collateral", 2.0), ("USDC", "debt", 6_000.0), ("bob", "USDC", "deposit", 9_000.0),
                markets=MARKETS)  # fmt: skip
    done = rg.liquidate(snap, "p", ["ann", "ann"])
    first, second = done.steps.to_dict("records")
    assert (first["seized"], first["written_off"]) == (2.0, False)
    assert (first["repaid"], first["bad_debt"]) == pytest.approx((2_000 / 1.05, 6_000 - 2_000 / 1.05))
    assert second["refused"] == "LPCM_COLLATERAL_CANNOT_BE_LIQUIDATED"  # none is left, and the debt grows on
    assert left(done.after)["ann", "debt", "USDC"] == pytest.approx(6_000 - 2_000 / 1.05)
    assert left(done.after)["bob", "deposit", "USDC"] == 9_000.0


def test_percentages_round_half_up_and_amounts_down():
    """Half of 7 units of debt is 3.5, 4 units: 4e-6 · 1.05 / 1,000 = 4.2e-9 ETH, 0 whole units of 1e-8.

    Short of collateral: 1 unit of 1e-8 ETH is worth 1e-5 dollars, 10 units, which pay for 10 / 1.05 = 9.52, 10 units.
    """
    markets = {"ETH": {"liquidation_threshold": 0.001, "liquidation_bonus": 0.05}}
    unit = {"decimals": {"ETH": 8, "USDC": 6}, "markets": markets}
    odd = quote(book("aave_v2", ("ETH", "collateral", 1e-6), ("USDC", "debt", 7e-6), **unit))
    assert (odd.repaid, odd.seized) == (4e-6, 0.0)
    short = quote(book("aave_v2", ("ETH", "collateral", 1e-8), ("USDC", "debt", 1.0), **unit))
    assert (short.repaid, short.seized) == (1e-5, 1e-8)


def test_worthless_collateral_goes_for_nothing_and_worthless_debt_takes_none():
    dead = {"ETH": 0.0}
    gone = quote(book("aave_v2", ("ETH", "collateral", 2.0), ("USDC", "debt", 6.0), prices=dead, markets=MARKETS))
    assert (gone.refused, gone.repaid, gone.seized, gone.bad_debt) == ("", 0.0, 2.0, 6.0)
    rows = (("ETH", "collateral", 2.0), ("USDC", "debt", 6.0), ("DAI", "debt", 1_900.0))
    free = quote(book("aave_v2", *rows, prices={"USDC": 0.0}, markets=MARKETS), debt_asset="USDC")
    assert (free.refused, free.repaid, free.seized) == ("", 3.0, 0.0)


def test_refusals():
    healthy = book("aave_v2", ("ETH", "collateral", 2.0), ("USDC", "debt", 1_600.0), markets=MARKETS)
    assert quote(healthy).health_before == 1.0  # exactly 1 is healthy
    assert quote(healthy).refused == "LPCM_HEALTH_FACTOR_NOT_BELOW_THRESHOLD"
    markets = {"ETH": TERMS, "BTC": {**TERMS, "liquidation_threshold": 0.0}}
    rows = (("ETH", "collateral", 2.0), ("BTC", "collateral", 1.0), ("USDC", "debt", 1_700.0))
    off = quote(book("aave_v2", *rows, markets=markets), collateral_asset="BTC")
    assert off.refused == "LPCM_COLLATERAL_CANNOT_BE_LIQUIDATED"
