"""Ratios taken in one process: what a step costs in units of a SciPy matvec, or of the plain loop."""

import os

# Before anything loads BLAS or numba: a ratio means little when one side of it has more threads.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
