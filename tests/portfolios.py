"""Random portfolios for fire-sale tests: gaps, debts, insolvent institutions, assets without impact."""

import numpy as np
from hypothesis import strategies as st

__all__ = ["SMALL_FALLS", "falls_of", "portfolios"]

money = st.sampled_from([0.0, 0.0, 1.0, 3.0, 7.5, 20.0, 61.0])
part = st.sampled_from([-0.213, 0.0, 0.0731, 0.1173, 0.313, 1.0])
FALLS = st.sampled_from([0.0, 0.0, 0.05, 0.2, 0.61, 1.0])
SMALL_FALLS = st.sampled_from([0.0, 0.01, 0.03])


@st.composite
def portfolios(draw, part=part, most=4):
    """H (n × m), E and ℓ; somebody has equity above 0, and equity is some share of what is held."""
    n, m = draw(st.integers(1, most)), draw(st.integers(1, most))
    H = [[draw(money) for _ in range(m)] for _ in range(n)]
    H[0][0] = 40.0
    E = [draw(part) * sum(row) for row in H]
    E[0] = 0.1173 * sum(H[0])
    return H, E, [draw(st.sampled_from([0.0, 0.0005, 0.003, 0.02])) for _ in range(m)]


def falls_of(data, impact, fall=FALLS):
    return np.array([data.draw(fall) for _ in impact])
