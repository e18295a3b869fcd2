"""Run the command line as ``python -m riskgraph``."""

import sys

from riskgraph.cli import main

if __name__ == "__main__":
    sys.exit(main())
