"""From the inputs of a contract's run to a Snapshot and public calls, and what must come out; one file a protocol."""

from __future__ import annotations

from importlib import import_module

__all__ = ["BY_FILE", "check"]

BY_FILE = {
    "aave_v3_liquidation_call": "aave_v3",
    "aave_v4_liquidation_amounts": "aave_v4",
    "comet_absorb": "compound_v3",
    "compound_v2_liquidate_borrow": "compound_v2",
    "euler_v2_liquidate": "euler_v2",
    "liquity_v1_liquidate_troves": "liquity_v1",
    "liquity_v2_batch_liquidate": "liquity_v2",
    "maker_dog_clip": "maker",
    "morpho_blue_liquidate": "morpho_blue",
}


def check(case: dict) -> None:
    """Run one case and compare everything that the contract said."""
    import_module(f"tests.reference.{BY_FILE[case['file']]}").check(case)
