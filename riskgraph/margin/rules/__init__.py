"""Liquidation rules, one protocol family a file; :mod:`riskgraph.margin.rules.shelf` holds them by name."""
