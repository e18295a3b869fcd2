"""Every public result shows itself in the same five forms, and as a picture where one helps."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import typing

import matplotlib as mpl
import pandas as pd
import pytest

import riskgraph as rg
from riskgraph.reuse_breaks import Break
from riskgraph.showing import Showing, latex_table, latex_text

mpl.use("agg")
EVIL = "</td><script>alert(1)</script>_$\\input{x}&"
# No result but what results are made of, or a row of one.
NO_RESULTS = {"Snapshot", "ExposureGraph", "Crossing", "Rebuilt"}


def banks():
    return rg.datasets.load("interbank_core_periphery")


def toy() -> rg.Snapshot:
    return rg.datasets.load("toy")


def evil() -> rg.Snapshot:
    """The toy book in which an account, an asset and a protocol have names that attack pages and papers."""
    rename = {"bob": EVIL, "beta": EVIL + "p", "stETH": EVIL + "a"}
    tables = {}
    for name in ("positions", "assets", "protocols", "markets", "accounts", "backing", "liquidity"):
        frame = getattr(toy(), name)
        labels = {column: object for column in frame.columns if frame[column].dtype == "category"}
        tables[name] = frame.astype(labels).replace(rename) if len(frame) else None
    return rg.Snapshot(**{name: frame for name, frame in tables.items() if frame is not None})


def span() -> rg.SpanMargin:
    positions = pd.DataFrame(
        {
            "account": ["ann", EVIL],
            "protocol": "house",
            "asset": "F",
            "side": ["long", "short"],
            "amount": [500.0, 20.0],
            "entry_price": 400.0,
        }
    )
    assets = pd.DataFrame({"asset": ["F"], "price": [400.0], "scan_range": [0.05]})
    protocols = pd.DataFrame({"protocol": ["house"], "kind": ["options"], "rule": ["portfolio_margin"]})
    return rg.span_margin(rg.Snapshot(positions=positions, assets=assets, protocols=protocols))


RESULTS: dict[str, typing.Callable[[], typing.Any]] = {
    "Ranking": lambda: rg.contagion_centrality(rg.exposure_graph(evil())),
    "Propagation": lambda: rg.debtrank(rg.exposure_graph(evil()), {"asset:ETH": 0.3}),
    "Clearing": lambda: rg.clearing(
        banks().liabilities, 0.96 * banks().external_assets, external_liabilities=banks().external_liabilities
    ),
    "Valuation": lambda: rg.network_valuation(
        banks().exposures, banks().external_assets, banks().external_liabilities, valuation="linear", shock=0.02
    ),
    "FireSale": lambda: rg.fire_sale(
        banks().holdings, banks().equity, banks().price_impact, {"government bonds": 0.05}
    ),
    "CrossHoldings": lambda: rg.cross_holdings(
        [[0.0, 0.2], [0.3, 0.0]], primitive_assets=[[1.0, 0.0], [0.0, 1.0]], prices=[10.0, 20.0]
    ),
    "Quote": lambda: rg.liquidation_quote(evil().with_shock({"ETH": -0.4}), EVIL, EVIL + "p"),
    "Liquidated": lambda: rg.liquidate(evil().with_shock({"ETH": -0.4}), EVIL + "p", [EVIL]),
    "MarginCalls": lambda: rg.margin_calls(rg.datasets.load("curve_founder_202308"), {"CRV": -0.22}),
    "Cascade": lambda: rg.liquidation_cascade(evil(), {"ETH": -0.4}),
    "CriticalFall": lambda: rg.critical_fall(evil(), "ETH", steps=5),
    "SpanMargin": span,
    "CollateralReuse": lambda: rg.collateral_reuse(evil()),
    "Break": lambda: rg.collateral_reuse(evil()).break_("ETH", 0.3),
    "NetworkMap": lambda: rg.network_map(rg.exposure_graph(evil())),
}
NO_PICTURE = {"Quote", "Liquidated", "CrossHoldings", "NetworkMap", "StorefrontSale", "Relations"}


class _Made(dict[str, typing.Any]):
    def __missing__(self, name: str) -> typing.Any:
        self[name] = RESULTS[name]()
        return self[name]


@pytest.fixture(scope="module")
def made() -> dict[str, typing.Any]:
    """Each result, made when it is first asked for."""
    return _Made()


def test_no_public_result_is_forgotten() -> None:
    """Whatever class the package gives by name is in the list above, or is said to be no result."""
    public = {
        name for name in dir(rg) if inspect.isclass(getattr(rg, name)) and not issubclass(getattr(rg, name), Exception)
    }
    elsewhere = {"CrossMargin", "StorefrontSale", "Relations"}  # their own tests make them
    assert public - NO_RESULTS - elsewhere == set(RESULTS) - {"Break"}
    for name in (public | {"Break"}) - NO_RESULTS:
        kind = Break if name == "Break" else getattr(rg, name)
        assert issubclass(kind, Showing), name
        assert hasattr(kind, "plot") == (name not in NO_PICTURE), name
        for form in ("summary", "to_frame", "to_latex", "_repr_html_", "__repr__"):
            assert callable(getattr(kind, form)), (name, form)


@pytest.mark.parametrize("name", RESULTS)
def test_five_forms(made, name: str) -> None:
    result = made[name]
    assert "\n" not in repr(result) and len(repr(result)) > 10
    assert str(result.summary())
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame) and len(frame) > 0
    page = result._repr_html_()
    assert "<table" in page and "<script>" not in page
    table = result.to_latex(caption=f"A caption of {EVIL}", label="tab:one", rows=5)
    assert table.startswith("\\begin{table}") and table.endswith("\\end{table}")
    assert "\\toprule" in table and "\\bottomrule" in table and "<script>" not in table and "\\input{" not in table
    assert result.provenance.call


@pytest.mark.parametrize("name", sorted(set(RESULTS) - NO_PICTURE - {"CollateralReuse"}))
def test_pictures(made, name: str) -> None:
    """Axes come back, carry units or shares in their title, and nothing written on them is cut or smaller than 5 pt."""
    from matplotlib import pyplot as plt

    axes = made[name].plot()
    figure = axes.figure
    figure.canvas.draw()
    assert axes.get_title(loc="left")
    assert figure.get_size_inches()[0] == pytest.approx(3.15)
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_text().strip() and text.get_visible()]
    assert all(text.get_fontsize() >= 5 for text in texts)
    given = plt.subplots()[1]
    assert made[name].plot(ax=given) is given
    plt.close("all")


def test_a_cascade_draws_who_bears_the_losses(made) -> None:
    axes = made["Cascade"].plot(what="losses")
    assert axes.get_title(loc="left") == "Losses (USD)"
    with pytest.raises(rg.InputError, match="what: expected 'prices' or 'losses', got 'x'"):
        made["Cascade"].plot(what="x")


def test_rows_left_out_are_said() -> None:
    table = latex_table(pd.DataFrame({"x": range(5)}), rows=2)
    assert "3 more rows" in table and table.count(r"\\") == 4
    with pytest.raises(rg.InputError, match="rows: expected at least 1, got 0"):
        latex_table(pd.DataFrame({"x": [1]}), rows=0)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no program named pdflatex on this machine")
def test_tables_compile(made, tmp_path) -> None:
    body = "\n\n".join(made[name].to_latex(caption=EVIL, label=name, rows=4) for name in RESULTS)
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs,textcomp}\begin{document}"
    page = head + body + r"\end{document}"
    (tmp_path / "all.tex").write_text(page, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_latex_obeys_no_sign() -> None:
    """Every sign alone is text: what would be a command is escaped, what the fonts lack is named."""
    assert latex_text("a\\b") == r"a\textbackslash{}b"
    for sign in "{}$&#_%":
        assert latex_text(sign) == "\\" + sign
    for sign in map(chr, range(32, 127)):
        assert latex_text(sign) == sign or latex_text(sign).startswith("\\")
    assert latex_text(chr(0x1F600)) == r"\texttt{U+1F600}" and latex_text(chr(0xE9)) == chr(0xE9)
