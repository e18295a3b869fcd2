"""riskgraph: contagion, margin and collateral reuse on one exposure graph."""

import lazy_loader as lazy

from riskgraph.provenance import VERSION

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
__version__ = VERSION
__all__ += ["__version__"]
