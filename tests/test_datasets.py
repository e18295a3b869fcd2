"""Datasets: each loads, says where it comes from, and agrees with the arithmetic of its own README."""

from __future__ import annotations

import csv
import importlib.util
import re
from pathlib import Path

import pytest

from riskgraph import datasets
from riskgraph.errors import InputError
from riskgraph.margin.account_health import health

ROOT = Path(__file__).resolve().parents[1]
FOUNDER = ROOT / "datasets" / "curve_founder_202308"
EVENT = ROOT / ".." / "shared" / "events" / "curve_founder_202308.json"


# -- finding and loading --------------------------------------------------------------------------


def test_every_folder_is_a_dataset_and_every_dataset_a_folder() -> None:
    assert datasets.names() == sorted(path.name for path in (ROOT / "datasets").iterdir() if path.is_dir())


@pytest.mark.parametrize("name", datasets.names("book"))
def test_every_book_loads(name: str) -> None:
    snap = datasets.load(name)
    assert len(snap.positions) > 0
    assert snap.digest == datasets.load(name).digest
    assert any(name in note for note in snap.notes) and snap.notes[0] in snap.assumptions


@pytest.mark.parametrize("name", datasets.names("interbank"))
def test_every_network_of_banks_loads(name: str) -> None:
    net = datasets.load(name)
    assert isinstance(net, datasets.Interbank) and len(net) > 0 and net.exposures.nnz > 0
    assert net.name.startswith(name) and net.notes


def test_a_dataset_is_a_book_or_a_network_of_banks() -> None:
    assert sorted([*datasets.names("book"), *datasets.names("interbank")]) == datasets.names()
    with pytest.raises(InputError, match="kind: expected 'book', 'interbank' or none, got 'books'"):
        datasets.names("books")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", datasets.names())
def test_every_dataset_says_what_it_is(name: str) -> None:
    assert 20 < len(datasets.describe(name)) < 120
    readme = (datasets.folder(name) / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {name}") and "icence: " in readme


@pytest.mark.parametrize("name", ["", "Toy", "curve", "../toy"])
def test_unknown_names_are_answered_with_all_names(name: str) -> None:
    for call in (datasets.load, datasets.describe, datasets.folder):
        with pytest.raises(InputError, match=rf"expected one of {', '.join(datasets.names())}, got") as caught:
            call(name)
        assert repr(name) in str(caught.value)


def test_options_go_to_the_generator_and_nowhere_else() -> None:
    assert datasets.load("synthetic", accounts=30, seed=4).digest == datasets.synthetic(accounts=30, seed=4).digest
    with pytest.raises(InputError, match=r"expected no options for 'toy', got seed"):
        datasets.load("toy", seed=1)
    with pytest.raises(InputError, match=r"expected the options example for 'interbank_textbook', got seed"):
        datasets.load("interbank_textbook", seed=1)
    with pytest.raises(InputError, match=r"expected the options accounts, assets, protocols, seed .* got colour"):
        datasets.load("synthetic", colour="red")


def test_the_installed_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "riskgraph"
    for place in (package / "_datasets", package.parent / "datasets"):
        (place / "toy").mkdir(parents=True)
        (place / "toy" / "README.md").write_text("# toy")
    monkeypatch.setattr(datasets, "__file__", str(package / "datasets.py"))
    assert datasets.folder("toy") == package / "_datasets" / "toy"
    (package / "_datasets" / "toy" / "README.md").unlink()
    assert datasets.folder("toy") == package.parent / "datasets" / "toy"
    with pytest.raises(InputError, match="expected a folder 'synthetic'"):
        datasets.folder("synthetic")


# -- toy: the README's own arithmetic -------------------------------------------------------------


def test_toy_is_what_its_readme_says() -> None:
    snap = datasets.load("toy")
    assert (len(snap.assets), len(snap.protocols), snap.positions["account"].nunique()) == (5, 3, 5)
    on = snap.positions.query("protocol != ''").groupby("account")["protocol"].nunique()
    assert on[on > 1].to_dict() == {"alice": 2, "bob": 2}


def test_toy_health_is_the_hand_calculation() -> None:
    frame = health(datasets.load("toy")).query("debt_usd > 0").set_index(["account", "protocol"])["health"]
    assert frame.to_dict() == pytest.approx(
        {
            ("alice", "gamma"): 90_000 / 60_000,
            ("bob", "alpha"): 99_600 / 80_000,
            ("bob", "beta"): 16_000 / 12_000,
            ("dave", "beta"): 36_000 / 30_000,
        },
        rel=1e-14,
    )


# -- curve_founder_202308 -------------------------------------------------------------------------


def figures() -> dict[str, dict[str, str]]:
    with (FOUNDER / "sources" / "figures.csv").open(newline="", encoding="utf-8") as file:
        return {row["figure"]: row for row in csv.DictReader(file)}


def test_founder_tables_are_those_the_script_makes(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_founder", FOUNDER / "make_curve_founder_202308.py")
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in FOUNDER.glob("*.csv")}


def test_founder_figures_have_a_source_or_are_called_assumed() -> None:
    rows = figures().values()
    assert {row["basis"] for row in rows} == {"published", "derived", "assumed"}
    for row in rows:
        assert None not in row.values() and row.keys() == {
            *("figure", "value", "unit", "basis", "source", "date", "note")
        }
        assert row["source"].startswith(("http://", "https://")) == (row["basis"] != "assumed"), row["figure"]
        assert row["basis"] == "published" or row["note"], row["figure"]


def test_founder_readme_names_every_source_and_every_assumption() -> None:
    readme = (FOUNDER / "README.md").read_text(encoding="utf-8")
    used = [row for row in figures().values() if "not used" not in row["note"]]
    assert all(row["source"] in readme for row in used)
    note = datasets.load("curve_founder_202308").notes[0]
    for name in (name for name, row in figures().items() if row["basis"] == "assumed"):
        assert re.search(rf"\b{name} ", note), name


def test_founder_health_and_liquidation_prices_are_the_published_ones() -> None:
    snap = datasets.load("curve_founder_202308")
    assert snap.as_of == "2023-08-01"
    frame = health(snap).set_index("protocol")["health"]
    low = health(snap.with_shock({"CRV": 0.48 / 0.6086 - 1.0})).set_index("protocol")["health"]
    expected = {"aave_v2": 1.6154, "fraxlend": 1.7045, "abracadabra": 1.5450, "inverse": 1.5059}
    assert frame.to_dict() == pytest.approx(expected, abs=5e-5)
    assert low.to_dict() == pytest.approx(
        {"aave_v2": 1.2741, "fraxlend": 1.3443, "abracadabra": 1.2186, "inverse": 1.1877}, abs=5e-5
    )
    assert 0.6086 / frame["aave_v2"] == pytest.approx(0.3767, abs=1e-4)  # published
    assert 0.6086 / frame["fraxlend"] == pytest.approx(0.357, abs=1e-4)  # published
    call = snap.protocols.set_index("protocol")["call_level"]
    assert (frame > call[frame.index]).all() and (
        low < call[low.index]
    ).all()  # none is called before the low, all at it


@pytest.mark.skipif(not EVENT.exists(), reason="the event file lies outside the project: ../shared/events")
def test_founder_figures_are_those_of_the_event_file() -> None:
    import json

    event = {entry["figure"]: entry for entry in json.loads(EVENT.read_text(encoding="utf-8"))["figures"]}
    pairs = {
        "aave_collateral": "Aave v2 collateral",
        "aave_debt": "Aave v2 debt",
        "aave_threshold": "Aave v2 liquidation threshold",
        "fraxlend_collateral": "Fraxlend collateral",
        "fraxlend_debt": "Fraxlend debt",
        "fraxlend_threshold": "Fraxlend max LTV",
        "abracadabra_debt": "Abracadabra debt",
        "abracadabra_collateral": "Abracadabra collateral (derived 427.5-305-59)",
        "total_collateral": "Total collateral",
        "crv_price": "CRV price after first drop",
        "crv_price_low": "CRV price low 1 Aug",
        "otc_sold": "OTC sales by 3 Aug",
        "otc_proceeds": "OTC proceeds by 3 Aug",
    }
    ours = figures()
    for name, figure in pairs.items():
        assert float(ours[name]["value"]) == event[figure]["value"], name
    assert ours["account"]["value"] == event["Account"]["value"]
