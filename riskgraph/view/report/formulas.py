"""Formulas of the calls that a report makes, as LaTeX and as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Formula", "formulas_of"]


@dataclass(frozen=True)
class Formula:
    """One formula: ``latex`` without dollars, ``plain`` text, what it is, and the public call that computes it."""

    call: str
    latex: str
    plain: str
    meaning: str


_FORMULAS = (
    Formula(
        "health",
        r"HF = \frac{\sum_c LT_c V_c}{\sum_d D_d}",
        "HF = Σ LT · V ÷ Σ D",
        "Health factor: collateral V, each at its liquidation threshold LT, by debt D; liquidation below 1",
    ),
    Formula(
        "exposure_graph",
        r"\Lambda_{ij} = LGD_j \, A_{ij} / E_i",
        "Λᵢⱼ = LGDⱼ · Aᵢⱼ ÷ Eᵢ",
        "Exposure of i to j in shares of i's loss-absorbing capital",
    ),
    Formula(
        "contagion_centrality",
        r"h_i(t+1) = \min\{1, h_i(t) + \sum_j \Lambda_{ij} (p_j(t) - p_j(t-1))\}",
        "hᵢ(t+1) = min{1, hᵢ(t) + Σⱼ Λᵢⱼ (pⱼ(t) − pⱼ(t−1))}",
        "Distress h of node i; p is what a node passes on: h itself, of an account what lies beyond the point where it"
        " would be liquidated",
    ),
    Formula(
        "contagion_centrality",
        r"R = \sum_i (h_i(T) - h_i(0)) v_i",
        "R = Σᵢ (hᵢ(T) − hᵢ(0)) vᵢ",
        "Contagion centrality: share of all value v lost beyond the shock",
    ),
    Formula(
        "collateral_reuse",
        r"U = G - H - B, \quad m = G / U",
        "U = G − H − B, m = G ÷ U",
        "Unique collateral and its multiplier: gross less rehypothecated less looped",
    ),
    Formula(
        "margin_calls",
        r"s = T \sum_d D_d - \sum_c LT_c V_c",
        "s = T · Σ D − Σ LT · V",
        "Shortfall of a called account against its target health T; a token of weight λ cures λ USD of it a USD",
    ),
    Formula(
        "liquidation_cascade",
        r"p = p_0 \, g(s), \quad s = q \, p_0 / D",
        "p = p₀ · g(s), s = q · p₀ ÷ D",
        "Price after q units were sold in all, by the curve g of the asset's market of depth D; all who sell in a round"
        " get the same average",
    ),
    Formula(
        "liquidation_cascade",
        r"\text{bad debt} = \text{written off} + \sum_i \max(0, D_i - V_i)",
        "bad debt = written off + Σ max(0, D − V)",
        "What borrowers do not pay: written off on the way, and owed beyond collateral at the end",
    ),
    Formula(
        "cross_margin_contagion",
        r"I = (L^{\mathrm{cross}} - L^{\mathrm{isolated}}) / L",
        "I = (Lᶜʳᵒˢˢ − Lⁱˢᵒˡᵃᵗᵉᵈ) ÷ L",
        "Losses of healthy positions by forced closing under cross margin, less those under isolated margin, in shares"
        " of all losses by forced closing under cross margin",
    ),
)


def formulas_of(calls: Iterable[str]) -> tuple[Formula, ...]:
    """Give the formulas of some public calls, in the order of a report."""
    used = set(calls)
    return tuple(one for one in _FORMULAS if one.call in used)
