"""Make the page of rule parameters from the package's own table: ``python docs/make_parameters.py``."""

from __future__ import annotations

from pathlib import Path

from riskgraph.snapshot.parameters import PARAMETERS, RULES, Parameter

PAGE = Path(__file__).resolve().parent / "parameters.md"
HEAD = """# Parameters of the liquidation rules

Made from `riskgraph/snapshot/parameters.csv` by `python docs/make_parameters.py`; a test holds the two together. Names
are those of the contracts. A default that the contract itself fixes is marked *fixed*; any other default that is taken
stands in `snap.assumptions`. Where neither default nor words stand, the parameter must be given: nobody guesses it.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """One table a rule: the parameters that it may have."""
    parts = [HEAD]
    for rule in RULES:
        rows = [_row(one, rule) for one in PARAMETERS.values() if rule in one.by_rule]
        if rows:
            columns = "| parameter | table | unit, range | default | what it is |\n|---|---|---|---|---|"
            parts.append("\n".join([f"## `{rule}`", "", columns, *rows, ""]))
    return "\n".join(parts)


def _row(one: Parameter, rule: str) -> str:
    default = one.by_rule[rule]
    if default.value is None:
        said = default.otherwise or "must be given"
    else:
        value = f"{default.value:g}" if isinstance(default.value, float) else default.value
        said = f"{value} (fixed)" if default.fixed else str(value)
    return f"| `{one.name}` | {one.table} | {_range(one)} | {said} | {one.meaning} |"


def _range(one: Parameter) -> str:
    if one.kind == "choice":
        return ", ".join(one.choices)
    if one.kind != "number":
        return one.kind
    low = "" if one.low is None else f"{'>' if one.open_low else '≥'} {one.low:g}"
    high = "" if one.high is None else f"≤ {one.high:g}"
    return ", ".join(part for part in (one.unit, low, high) if part)


if __name__ == "__main__":
    main()
