"""A rule from outside the package, in under 40 lines, and the shelf as it was when it is gone."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.errors import InputError
from riskgraph.margin.rules.rule import Pair, PairCall, PairRule, first_reason, seized_with_bonus
from riskgraph.margin.rules.shelf import add_rule, remove_rule, rule_named
from riskgraph.snapshot.parameters import PARAMETERS, RULES, Parameter, RuleDefault
from riskgraph.snapshot.schema import TABLES


class Sliding(PairRule):
    """A close factor that grows from ``gentle`` at a health of 1 to the whole debt at 0, a bonus, and no fee."""

    name = "sliding"
    healthy_reason = "nothing to do"
    bearer = "reserve"

    def call(self, at: Pair) -> PairCall:
        health = at.weighted_usd / np.where(at.debt_usd > 0, at.debt_usd, 1)
        factor = 1 - (1 - at.term("gentle")) * health
        cover = np.minimum(at.repay, at.debt * factor)
        repaid, seized = seized_with_bonus(at, cover, 1 + at.term("liquidation_bonus"))
        refused = first_reason((~at.liquidatable, self.healthy_reason))
        gone = (at.other_collateral_usd <= 0) & (seized >= at.collateral)
        return PairCall(refused, repaid, seized, seized * 0, gone)


def add_sliding() -> None:
    gentle = Parameter(
        "gentle", "protocols", "share of the debt that may be repaid at a health of 1",
        {"sliding": RuleDefault(0.25)}, unit="share", low=0.0, high=1.0,
    )  # fmt: skip
    shared = {
        ("markets", "liquidation_threshold"): RuleDefault(),
        ("markets", "liquidation_bonus"): RuleDefault(0.0),
    }
    add_rule(Sliding(), parameters=(gentle,), shared=shared)


@pytest.fixture
def sliding():
    add_sliding()
    yield
    remove_rule("sliding")


def book(rule="sliding", **terms) -> rg.Snapshot:
    """10 ETH at 100, of which 0.8 counts, against 1,000: health 0.8; and somebody healthy."""
    rows = [("ann", "ETH", "collateral", 10.0), ("ann", "USDC", "debt", 1000.0)]
    rows += [("bob", "ETH", "collateral", 10.0), ("bob", "USDC", "debt", 100.0)]
    positions = pd.DataFrame(rows, columns=["account", "asset", "side", "amount"])
    return rg.Snapshot(
        positions.assign(protocol="venue"),
        pd.DataFrame({"asset": ["ETH", "USDC"], "price": [100.0, 1.0]}),
        pd.DataFrame([{"protocol": "venue", "rule": rule, **terms}]),
        pd.DataFrame(
            {"protocol": ["venue"], "asset": ["ETH"], "liquidation_threshold": [0.8], "liquidation_bonus": [0.1]}
        ),
    )


def test_it_takes_under_40_lines():
    lines = [line for part in (Sliding, add_sliding) for line in inspect.getsource(part).splitlines() if line.strip()]
    assert len(lines) < 40


@pytest.mark.usefixtures("sliding")
def test_health_quotes_and_calls_go_by_it():
    snap = book()
    assert rg.health(snap).set_index("account")["status"].to_dict() == {"ann": "liquidatable", "bob": "healthy"}
    quote = rg.liquidation_quote(snap, "ann", "venue")  # 1 − 0.75 · 0.8 = 0.4 of 1,000 for 400 · 1.1 / 100 ETH
    assert (quote.rule, quote.repaid, quote.seized, quote.health_before) == ("sliding", 400.0, 4.4, 0.8)
    done = rg.liquidate(snap, "venue", ["ann", "bob", "ann"], repay=[400.0, 1.0, 60.0])
    assert done.steps["refused"].tolist() == ["", "nothing to do", ""]
    assert done.steps["repaid"].tolist() == [400.0, 0.0, 60.0]
    after = done.after.positions.set_index(["account", "asset"])["amount"].to_dict()
    assert after == {("ann", "ETH"): 4.94, ("ann", "USDC"): 540.0, ("bob", "ETH"): 10.0, ("bob", "USDC"): 100.0}


@pytest.mark.usefixtures("sliding")
def test_its_own_parameter_is_read_bounded_and_refused_elsewhere():
    assert rg.liquidation_quote(book(gentle=1.0), "ann", "venue").repaid == pytest.approx(1000.0 / 1.1)
    assert rg.liquidation_quote(book(), "ann", "venue").repaid == 400.0
    with pytest.raises(InputError, match=r"protocols.gentle: expected a number of at least 0 and at most 1"):
        book(gentle=1.5)
    with pytest.raises(InputError, match=r"protocols.gentle: .*only where the rule is sliding"):
        book(rule="lending", gentle=0.5)
    with pytest.raises(InputError, match=r"protocols.close_factor: .*sliding"):
        book(close_factor=0.5)


@pytest.mark.usefixtures("sliding")
def test_adding_it_again_replaces_it():
    class Gentler(Sliding):
        healthy_reason = "still nothing to do"

    add_rule(Gentler(), shared={("markets", "liquidation_threshold"): RuleDefault()})
    assert type(rule_named("sliding")) is Gentler
    assert ("protocols", "gentle") not in PARAMETERS
    add_sliding()


def test_the_shelf_is_as_it_was_when_it_is_gone():
    before = dict(PARAMETERS), dict(RULES), dict(TABLES)
    add_sliding()
    assert rule_named("sliding").name == "sliding"
    remove_rule("sliding")
    assert before == (PARAMETERS, RULES, TABLES)
    with pytest.raises(InputError, match="rule: expected one of"):
        rule_named("sliding")
    with pytest.raises(InputError, match=r"protocols.rule: expected one of .*'sliding'"):
        book()


def test_what_may_not_be_added_or_removed():
    class Taken(Sliding):
        name = "lending"

    own = Parameter("close_factor", "protocols", "taken", {"sliding": RuleDefault(0.5)})
    with pytest.raises(InputError, match="expected a name that no rule has, got 'lending'"):
        add_rule(Taken())
    with pytest.raises(InputError, match=r"else in shared\), got protocols.close_factor"):
        add_rule(Sliding(), parameters=(own,))
    with pytest.raises(InputError, match=r"shared parameters that are declared, got markets\.nothing"):
        add_rule(Sliding(), shared={("markets", "nothing"): RuleDefault()})
    with pytest.raises(InputError, match="expected a rule that was added"):
        remove_rule("lending")
    assert "sliding" not in RULES
