from . import datasets as datasets
from .contagion.propagation import Propagation as Propagation
from .contagion.propagation import debtrank as debtrank
from .contagion.ranking import Ranking as Ranking
from .contagion.ranking import contagion_centrality as contagion_centrality
from .eigen import centrality as centrality
from .eigen import fluidity as fluidity
from .eigen import spectral_radius as spectral_radius
from .errors import ConvergenceError as ConvergenceError
from .errors import InputError as InputError
from .errors import RiskGraphError as RiskGraphError
from .graph.book import exposure_graph as exposure_graph
from .graph.exposure import ExposureGraph as ExposureGraph
from .margin.account_health import health as health
from .readers.reading import read_snapshot as read_snapshot
from .reuse import CollateralReuse as CollateralReuse
from .reuse import collateral_reuse as collateral_reuse
from .snapshot.snapshot import Snapshot as Snapshot
from .view.network import NetworkMap as NetworkMap
from .view.network import network_map as network_map

__version__: str
