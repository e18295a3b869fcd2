"""What every bearer gained or lost, by reason (METHODS 5.7)."""

from __future__ import annotations

__all__ = ["BEARERS", "REASONS", "Flows"]

BEARERS = ("borrowers", "lenders", "protocol", "liquidators", "market")
REASONS = ("mark_to_market", "bonus", "fee", "bad_debt")


class Flows:
    """USD by reason and bearer; bonus, fee and bad debt are moved from one to another, so that each sums to 0."""

    def __init__(self) -> None:
        self.usd = {reason: dict.fromkeys(BEARERS, 0.0) for reason in REASONS}

    def gain(self, reason: str, bearer: str, usd: float) -> None:
        """Note a gain (below 0: a loss)."""
        self.usd[reason][bearer] += usd

    def move(self, reason: str, giver: str, taker: str, usd: float) -> None:
        """Note what one bearer lost to another."""
        self.gain(reason, giver, -usd)
        self.gain(reason, taker, usd)

    def total(self, bearer: str) -> float:
        """Change of a bearer's wealth for all reasons."""
        return sum(self.usd[reason][bearer] for reason in REASONS)
