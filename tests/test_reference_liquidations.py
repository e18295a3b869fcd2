"""Every liquidation that was run through the published contracts: from its inputs to a Snapshot and public calls.

A number agrees within 1e-9 of its size or one rounding unit of the contract, whichever is larger. Refusals refuse for
the same reason. The folder comes from RISKGRAPH_REFERENCE, so that the same tests judge cases not yet seen.
"""

from __future__ import annotations

import pytest

from tests.reference import adapters
from tests.reference.cases import CASES, FOLDER

pytestmark = pytest.mark.reference


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case["id"]) for case in CASES]
    or [pytest.param(None, marks=pytest.mark.skip(f"no liquidations at {FOLDER} (set RISKGRAPH_REFERENCE)"))],
)
def test_the_contract_agrees(case, record_property):
    record_property("contract run", adapters.BY_FILE[case["file"]])  # counted by protocol at the end of the run
    adapters.check(case)
