"""Every liquidation that was run through the published contracts: from its inputs to a Snapshot and public calls.

A number agrees within 1e-9 of its size or one rounding unit of the contract, whichever is larger. Refusals refuse for
the same reason. The folder comes from RISKGRAPH_REFERENCE, so that the same tests judge cases not yet seen.
"""

from __future__ import annotations

import pytest

from tests.reference import adapters
from tests.reference.cases import CASES, FOLDER

pytestmark = pytest.mark.reference


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_the_contract_agrees(case):
    adapters.check(case)


def test_every_case_of_every_file_has_run(record_property, capsys):
    if not CASES:
        pytest.skip(f"no liquidations at {FOLDER} (set RISKGRAPH_REFERENCE)")
    counts: dict[str, int] = {}
    for case in CASES:
        counts[case["file"]] = counts.get(case["file"], 0) + 1
    with capsys.disabled():
        print("\nliquidations by file: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    assert set(counts) <= set(adapters.BY_FILE)
