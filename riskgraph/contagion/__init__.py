"""How distress spreads over an exposure graph."""
