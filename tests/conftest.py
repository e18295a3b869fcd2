"""Where the shared references and data stand, and the rule that a reference test is never skipped where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Other people's machines are slow; and what lands must not depend on which examples a run happened to draw.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
REFERENCE = Path(os.environ.get("RISKGRAPH_REFERENCE", SHARED / "reference"))
DATA = SHARED / "data"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "reference: compares with figures that the project did not make")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take minutes each, so that no worker is left with one of them alone at the end."""
    items.sort(key=lambda item: item.path.name not in ("test_site.py", "test_quickstart.py"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"real data are not on this machine (looked in {DATA})")
    return DATA


_skipped: list[str] = []
_contract_runs: dict[str, int] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        for name, protocol in report.user_properties:
            if name == "contract run":
                _contract_runs[str(protocol)] = _contract_runs.get(str(protocol), 0) + 1
    if report.skipped and "reference" in report.keywords and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped and SHARED.is_dir() and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _contract_runs:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(_contract_runs.items()))
        terminalreporter.write_line(f"liquidations as the contracts: {sum(_contract_runs.values()):,} ({counts})")
    if _skipped and SHARED.is_dir():
        terminalreporter.write_line(
            f"reference tests skipped although {SHARED} is here: {', '.join(_skipped)}", red=True
        )
