"""What must hold of context before it is used: each rule to a finding.

Belongs here: rules about the tables of `schemas/context.py` that `grid/` makes. Does not: who runs them
(`defs/context_checks.py`), the relation (`evaluation/relation_findings.py`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.grid.context_tables import ACS_RESIDENTS, RESIDENTS
from htrisk_dagster.schemas.context import CELLS
from htrisk_dagster.schemas.finding import Finding

_TOLERANCE = 1e-9
_RATES = pl.col("variable").str.ends_with("_pct")


def residents_are_kept(cells: pl.DataFrame, lots: pl.DataFrame) -> Finding:
    """Residents of the cells are those of the lots that have a neighbourhood."""
    found = float(cells.filter(pl.col("variable") == RESIDENTS)["value"].sum())
    wanted = float(lots.drop_nulls("neighbourhood")[RESIDENTS].sum())
    return Finding(
        abs(found - wanted) <= _TOLERANCE * max(wanted, 1.0),
        f"The cells hold {found:,.3f} residents; their lots hold {wanted:,.3f}.",
        {"residents": found},
    )


def counts_are_kept(cells: pl.DataFrame, areas: pl.DataFrame, shared: pl.DataFrame) -> Finding:
    """Survey residents of the cells are those of the neighbourhoods that have a lot."""
    found = float(cells.filter(pl.col("variable") == ACS_RESIDENTS)["value"].sum())
    published = areas.filter(
        (pl.col("variable") == ACS_RESIDENTS) & (pl.col("area_type") == "neighbourhood")
    )
    has_lot = pl.col("area_id").is_in(shared["neighbourhood"].unique().to_list())
    wanted = float(published.filter(has_lot)["value"].sum())
    without = float(published.filter(~has_lot)["value"].sum())
    return Finding(
        abs(found - wanted) <= _TOLERANCE * max(wanted, 1.0),
        f"The cells hold {found:,.3f} residents of the survey, their neighbourhoods {wanted:,.0f}; "
        f"{without:,.0f} live in neighbourhoods without a lot.",
        {"residents_of_survey": found, "without_a_lot": without},
    )


def rates_are_means(cells: pl.DataFrame, areas: pl.DataFrame) -> Finding:
    """No cell's rate lies outside those of the neighbourhoods, of which it is a mean."""
    of_areas = areas.filter(_RATES & (pl.col("area_type") == "neighbourhood"))
    bounds = of_areas.group_by("variable").agg(
        pl.col("value").min().alias("lowest"), pl.col("value").max().alias("highest")
    )
    rates = cells.filter(_RATES).join(bounds, on="variable", how="left")
    slack = _TOLERANCE * 100
    inside = pl.col("value").is_between(pl.col("lowest") - slack, pl.col("highest") + slack)
    wrong = rates.filter(~inside.fill_null(value=False))
    if wrong.height:
        row = wrong.row(0, named=True)
        return Finding(
            False,
            f"{row['variable']} of cell {row['cell_id']} is {row['value']}, outside its neighbourhoods' "
            f"{row['lowest']} to {row['highest']}; {wrong.height} such values.",
        )
    return Finding(True, f"{rates.height} rates lie within those of the neighbourhoods.")


def values_are_dated(cells: pl.DataFrame, n_cells: int) -> Finding:
    """Nothing is known before its period is over, and every row is of a cell of the grid."""
    problems = CELLS.problems(cells)
    early = cells.filter(pl.col("known_on") < pl.col("period_on")).height
    if early:
        problems.append(f"{early} values are known before the period that they speak of is over.")
    astray = cells.filter(pl.col("cell_id") >= n_cells).height
    if astray:
        problems.append(f"{astray} values are of cells that the grid of {n_cells} does not have.")
    told = f"{cells.height} values of {cells['variable'].n_unique()} variables, each with its day."
    return Finding(not problems, " ".join(problems) or told, {"values": float(cells.height)})
