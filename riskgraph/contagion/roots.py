"""λ₁ of a graph: of a book by its core, of anything else by its matrix."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from riskgraph.contagion.perron import perron_root
from riskgraph.graph.exposure import ACCOUNT, NODE, ExposureGraph

__all__ = ["leverage_root"]


def leverage_root(graph: ExposureGraph) -> float:
    r"""Give λ₁(Λ), to 1e-10 or better.

    Where accounts outnumber assets and protocols and touch one another through them alone, the eigenvector's account
    part is :math:`B x / \lambda`, and :math:`\lambda x = D x + C B x / \lambda` on the core has the roots of

    .. math:: \begin{pmatrix} D & C B \\ I & 0 \end{pmatrix}

    which is twice the core on each side, whatever the number of accounts.

    Raises
    ------
    ConvergenceError
        A component's root could not be found to 1e-10.
    """
    account = graph.kind == ACCOUNT
    core = np.flatnonzero(~account)
    if (graph.kind == NODE).any() or len(core) > account.sum():
        return perron_root(graph.leverage)
    rest = np.flatnonzero(account)
    upper, lower = graph.leverage[core], graph.leverage[rest]
    if sparse.csr_array(lower[:, rest]).nnz:
        return perron_root(graph.leverage)
    through = sparse.csr_array(upper[:, rest]) @ sparse.csr_array(lower[:, core])
    once = sparse.eye_array(len(core))
    none = sparse.csr_array(once.shape)
    above = sparse.hstack([sparse.csr_array(upper[:, core]), through])
    return perron_root(sparse.csr_array(sparse.vstack([above, sparse.hstack([once, none])])))
