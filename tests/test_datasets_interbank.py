"""Networks of banks: the record by hand, the bundled ones against their sources, the generator at its ends."""

from __future__ import annotations

import importlib.util
import json
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riskgraph as rg
from riskgraph.datasets_interbank import INTERBANK_CLAIMS, Interbank, interbank_of_tables
from riskgraph.errors import InputError
from riskgraph.provenance import Provenance
from riskgraph.synthetic.banks import KINDS, LEVERAGE, LIMITS, MOST_BORROWED, synthetic_interbank_tables

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "datasets" / "interbank_core_periphery"
TEXTBOOK = ROOT / "datasets" / "interbank_textbook"
BANKS = ROOT / ".." / "shared" / "data" / "interbank" / "ai4risk_nodes_2023Q1.csv.gz"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_interbank", FOLDER / "make_interbank_core_periphery.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = script()


def tables() -> dict[str, pd.DataFrame]:
    """Ann lends 3 to Bob and 2 to Cyd, Bob 4 to Cyd, Cyd 1 to Ann; every number differs."""
    return {
        "banks": pd.DataFrame(
            {
                "bank": ["Cyd", "Ann", "Bob"],
                "role": [None, "core", "periphery"],
                "external_assets_usd": [20.0, 10.0, 7.0],
                "external_liabilities_usd": [12.0, 9.0, 6.0],
            }
        ),
        "liabilities": pd.DataFrame(
            {"debtor": ["Bob", "Cyd", "Cyd", "Ann"], "creditor": ["Ann", "Ann", "Bob", "Cyd"], "usd": [3.0, 2, 4, 1]}
        ),
        "holdings": pd.DataFrame(
            {"bank": ["Ann", "Ann", "Bob", "Cyd"], "asset": ["x", "y", "y", "x"], "usd": [4.0, 6.0, 7.0, 20.0]}
        ),
        "assets": pd.DataFrame({"asset": ["y", "x"], "depth_usd": [50.0, None]}),
    }


def made(**changed: pd.DataFrame | None) -> Interbank:
    given_tables = {name: table for name, table in (tables() | changed).items() if table is not None}
    return interbank_of_tables("three", given_tables, ("made up",), Provenance("test", None))


# -- the record, by hand ---------------------------------------------------------------------------------------------


def test_balance_sheets_by_hand() -> None:
    net = made()
    assert net.labels.tolist() == ["Ann", "Bob", "Cyd"] and net.roles.tolist() == ["core", "periphery", ""]
    assert net.exposures.toarray().tolist() == [[0, 3, 2], [0, 0, 4], [1, 0, 0]]  # creditor rows
    assert net.liabilities.loc["Cyd", "Bob"] == 4.0 and net.liabilities.loc["Bob", "Cyd"] == 0.0  # row owes column
    assert net.total_assets.to_dict() == {"Ann": 15.0, "Bob": 11.0, "Cyd": 21.0}
    assert net.equity.to_dict() == {"Ann": 10 + 5 - 9 - 1, "Bob": 7 + 4 - 6 - 3, "Cyd": 20 + 1 - 12 - 6}
    assert net.graph.capital_usd.tolist() == net.equity.tolist()
    assert net.graph.weight.tolist() == pytest.approx([15 / 47, 11 / 47, 21 / 47], rel=1e-15)


def test_portfolios_by_hand() -> None:
    net = made()
    assert net.holdings.columns.tolist() == ["x", "y", INTERBANK_CLAIMS]
    assert net.holdings.values.tolist() == [[4, 6, 5], [0, 7, 4], [20, 0, 1]]
    assert net.price_impact.to_dict() == {"x": 0.0, "y": 1 / 50, INTERBANK_CLAIMS: 0.0}
    assert (net.holdings.sum(axis=1) == net.total_assets).all()


def test_every_call_agrees_on_equity() -> None:
    net = rg.datasets.load("interbank_core_periphery")
    clear = rg.clearing(net.liabilities, net.external_assets, external_liabilities=net.external_liabilities)
    value = rg.network_valuation(net.graph.exposures, net.external_assets, net.external_liabilities, valuation="linear")
    np.testing.assert_allclose(clear.equity, net.equity, rtol=1e-12)
    np.testing.assert_allclose(value.equity.to_numpy(), net.equity, rtol=1e-12)
    sale = rg.fire_sale(net.holdings, net.equity, net.price_impact, {"equities": 0.1})
    assert sale.portfolios.holdings.sum() == pytest.approx(net.total_assets.sum(), rel=1e-12)


def test_the_order_of_rows_changes_nothing() -> None:
    turned = {name: table.iloc[::-1].reset_index(drop=True) for name, table in tables().items()}
    first, second = made(), interbank_of_tables("three", turned, (), Provenance("test", None))
    assert first.exposures.toarray().tolist() == second.exposures.toarray().tolist()
    pd.testing.assert_frame_equal(first.to_frame(), second.to_frame(), check_exact=True)
    pd.testing.assert_frame_equal(first.holdings, second.holdings, check_exact=True)


def test_it_shows_itself_and_escapes() -> None:
    marked = tables()["banks"].replace("Ann", "<b>")
    owed = tables()["liabilities"].replace("Ann", "<b>")
    net = made(banks=marked, liabilities=owed, holdings=None, assets=None)
    assert repr(net) == "<Interbank three: 3 banks, 4 claims, $10 interbank of $47 total assets>"
    assert "equity $10" in net.summary() and "made up" in net.summary()
    assert "&lt;b&gt;" in net._repr_html_() and "<b>" not in net._repr_html_()


def test_amounts_without_a_currency_keep_their_digits() -> None:
    net = rg.datasets.load("interbank_textbook", example="rogers_veraart_3_3")
    assert net.unit == "" and repr(net) == (
        "<Interbank interbank_textbook/rogers_veraart_3_3: 2 banks, 2 claims, 4.2 interbank of 6.2 total assets>"
    )
    assert "total assets 6.2, of which interbank 4.2; equity 2" in net.summary()
    assert "amounts without a currency" in net.summary() and "$" not in net.summary() + net._repr_html_()
    assert made().unit == rg.datasets.load("interbank_core_periphery").unit == "USD"
    euro = interbank_of_tables("three", tables(), (), Provenance("test", None), unit="M EUR")
    assert "10 M EUR interbank of 47 M EUR total assets" in repr(euro)


def test_nothing_can_be_changed() -> None:
    net = made()
    for array in (net.external_assets_usd, net.portfolios, net.exposures.data, net.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = array


def test_a_network_without_portfolios_says_so() -> None:
    with pytest.raises(
        InputError, match="holdings: expected a dataset that tells kinds of assets apart, three has none"
    ):
        _ = made(holdings=None, assets=None).holdings


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "row", "value", "words"),
    [
        ("banks", "external_assets_usd", 1, -1.0, "banks.external_assets_usd: expected finite USD of at least 0"),
        ("banks", "external_liabilities_usd", 0, np.inf, "banks.external_liabilities_usd: expected finite USD"),
        ("banks", "bank", 0, "Bob", "banks: expected every key once"),
        ("liabilities", "usd", 2, np.nan, r"liabilities.usd: expected finite USD of at least 0, got .*nan.* \(row 2\)"),
        (
            "liabilities",
            "debtor",
            3,
            "Dan",
            r"liabilities.debtor: expected a label of its own table, got 'Dan' \(row 3\)",
        ),
        (
            "liabilities",
            "creditor",
            3,
            "Ann",
            r"liabilities: expected debts to other banks, got one to itself \(row 3\)",
        ),
        ("liabilities", "creditor", 2, "Ann", "liabilities: expected every key once"),
        ("holdings", "asset", 0, "z", "holdings.asset: expected a label of its own table, got 'z'"),
        ("holdings", "usd", 3, 19.0, "expected rows that sum to each bank's external assets, got 19 against 20 at Cyd"),
        ("assets", "depth_usd", 0, 0.0, "assets.depth_usd: expected USD above 0, or empty, got 0.0"),
    ],
)
def test_wrong_tables_are_answered_with_place_and_row(table, column, row, value, words) -> None:
    wrong = tables()[table]
    wrong.loc[row, column] = value
    with pytest.raises(InputError, match=words):
        made(**{table: wrong})


def test_missing_tables_and_columns_are_named_together() -> None:
    with pytest.raises(
        InputError, match=r"liabilities: expected columns debtor, creditor, usd.*assets: expected columns"
    ):
        made(liabilities=tables()["liabilities"].drop(columns="usd"), assets=None)


def test_an_unknown_example_is_answered_with_all() -> None:
    with pytest.raises(InputError, match=r"example: expected one of gandy_veraart_3, .*barucca_ring, got 'nothing'"):
        rg.datasets.load("interbank_textbook", example="nothing")


# -- interbank_textbook: every result of its table --------------------------------------------------------------------


def results() -> list[pytest.param]:
    rows = pd.read_csv(TEXTBOOK / "results.csv", dtype=str)
    return [pytest.param(row, id=f"{row.network}-{row.call}-{at}") for at, row in enumerate(rows.itertuples())]


@pytest.mark.parametrize("row", results())
def test_textbook_results(row) -> None:
    net = rg.datasets.load("interbank_textbook", example=row.network)
    keep = 1.0 - float(row.shock)
    options = json.loads(row.arguments)
    if row.call == "clearing":
        owed = net.external_liabilities
        found = rg.clearing(net.liabilities, net.external_assets * keep, external_liabilities=owed, **options)
    else:
        found = rg.network_valuation(
            net.graph.exposures, net.external_assets, net.external_liabilities, shock=1.0 - keep, **options
        )
    expected = [float(Fraction(value)) for value in row.values.split()]
    np.testing.assert_allclose(getattr(found, row.quantity).to_numpy(dtype=float), expected, rtol=1e-12, atol=1e-12)


def test_textbook_readme_and_tables_name_the_same_examples() -> None:
    said = pd.read_csv(TEXTBOOK / "networks.csv", dtype=str).set_index("network")
    readme = (TEXTBOOK / "README.md").read_text(encoding="utf-8")
    for name, row in said.iterrows():
        assert f"`{name}`" in readme and row["source"].split(": ")[-1] in readme
    for table in ("banks", "liabilities", "results"):
        assert set(pd.read_csv(TEXTBOOK / f"{table}.csv", dtype=str)["network"]) == set(said.index)


# -- interbank_core_periphery: the script, the facts, the generator ---------------------------------------------------


def test_core_periphery_is_what_the_script_makes(tmp_path: Path) -> None:
    MAKE.main(tmp_path)
    made_files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made_files == {name: (FOLDER / name).read_bytes() for name in made_files}
    assert set(made_files) == {"README.md", "banks.csv", "liabilities.csv", "holdings.csv", "assets.csv"}


def test_core_periphery_is_the_generators() -> None:
    net, again = rg.datasets.load("interbank_core_periphery"), rg.datasets.synthetic_interbank(banks=30, seed=1)
    pd.testing.assert_frame_equal(net.to_frame(), again.to_frame(), check_exact=True)
    assert net.exposures.toarray().tolist() == again.exposures.toarray().tolist()
    assert net.portfolios.tolist() == again.portfolios.tolist() and net.depth_usd.tolist() == again.depth_usd.tolist()


@pytest.mark.skipif(not BANKS.exists(), reason="the balance sheets lie outside the project: ../shared/data/interbank")
def test_facts_of_the_balance_sheets() -> None:
    sheets = pd.read_csv(BANKS)
    leverage = (sheets["Total_assets"] / sheets["Equity"]).quantile([0.05, 0.5, 0.95])
    share = (sheets["Interbank_assets"] / sheets["Total_assets"]).quantile([0.25, 0.5, 0.95])
    whole = sheets["Interbank_assets"].sum() / sheets["Total_assets"].sum()
    facts = [float(fact) for fact, where in MAKE.FACTS.values() if where == MAKE.BALANCE]
    assert facts == pytest.approx([*leverage, whole, *share], rel=5e-3)


@settings(max_examples=25)
@given(banks=st.integers(4, 60), seed=st.integers(0, 2**63 - 1))
def test_every_generated_network_is_one_of_banks(banks: int, seed: int) -> None:
    net = rg.datasets.synthetic_interbank(banks=banks, seed=seed)
    frame = net.to_frame()
    core = frame["role"] == "core"
    assert (
        core.sum() == round(banks**0.5)
        and frame.loc[core, "total_assets"].min() >= frame.loc[~core, "total_assets"].max()
    )
    leverage = frame["total_assets"] / frame["equity"]
    assert leverage.between(LEVERAGE[0] * 0.999, LEVERAGE[1] * 1.001).all()
    assert (frame["interbank_liabilities"] <= MOST_BORROWED * frame["total_assets"]).all()
    assert (frame[["external_assets", "external_liabilities"]] > 0.0).all(axis=None)
    inside = net.exposures.toarray()[np.ix_(~core, ~core)]
    assert not inside.any()  # the periphery deals with the core
    assert (
        (net.portfolios >= 0.0).all()
        and (net.portfolios % 1e6 == 0.0).all()
        and (net.exposures.data % 1e6 == 0.0).all()
    )
    assert set(net.assets) == set(KINDS)


def test_same_arguments_same_numbers_and_seeds_differ() -> None:
    first, second = (synthetic_interbank_tables(banks=12, seed=3) for _ in range(2))
    for name in first:
        pd.testing.assert_frame_equal(first[name], second[name], check_exact=True)
    other = synthetic_interbank_tables(banks=12, seed=4)
    assert (first["banks"]["external_assets_usd"] != other["banks"]["external_assets_usd"]).any()


@pytest.mark.parametrize(
    ("name", "value"), [("banks", 3), ("banks", 10_001), ("banks", 4.5), ("banks", True), ("seed", -1)]
)
def test_options_out_of_range(name: str, value: object) -> None:
    least, most = LIMITS[name]
    with pytest.raises(InputError, match=f"{name}: expected a whole number from {least:,} to {most:,}, got {value!r}"):
        rg.datasets.synthetic_interbank(**{name: value})
