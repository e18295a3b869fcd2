"""The exposure graph: accounts, protocols and assets as one weighted network."""
