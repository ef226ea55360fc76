"""What must hold of the tables of Gi* before anything is read off them, each rule as a finding.

Belongs here: rules about `schemas.hotspots.TABLES`. Does not: who runs them and what a failure
stops (`defs/asset_checks.py`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table


def schema_holds(rows: pl.DataFrame, table: Table) -> Finding:
    """Columns, missing values, bounds, key, and labels from their closed lists, are as described."""
    problems = table.problems(rows)
    return Finding(not problems, " ".join(problems) or "Columns and labels are as described.")


def every_cell_once(rows: pl.DataFrame, table: Table, n_cells: int) -> Finding:
    """Each series, and each of its weeks where the table has weeks, holds each cell once."""
    groups = [column for column in table.key if column != "cell_id"]
    in_grid = pl.col("cell_id").filter(pl.col("cell_id").is_between(0, n_cells - 1))
    counts = rows.group_by(groups).agg(pl.len().alias("rows"), in_grid.n_unique().alias("cells"))
    wrong = counts.filter((pl.col("rows") != n_cells) | (pl.col("cells") != n_cells)).sort(groups)
    if counts.is_empty():
        return Finding(False, "There is no row at all.")
    if wrong.height:
        *group, found, cells = wrong.row(0)
        return Finding(
            False,
            f"{' '.join(map(str, group))} has {found} rows of {cells} cells; the grid has {n_cells} cells.",
        )
    return Finding(True, f"Each of {counts.height} maps has all {n_cells} cells once.")


def z_is_finite_or_missing(rows: pl.DataFrame) -> Finding:
    """Gi* is a finite number or missing, and missing for all cells of a week at once."""
    z = pl.col("gi_star_z")
    infinite = rows.filter(~z.is_finite())
    if infinite.height:
        row = infinite.row(0, named=True)
        return Finding(
            False,
            f"{infinite.height} values of Gi* are not finite; first: {row['gi_star_z']} in cell "
            f"{row['cell_id']}, series {row['series']}, week {row['week_on']}.",
        )
    missing = rows.group_by("series", "week_on").agg(z.is_null().mean().alias("share"))
    torn = missing.filter((pl.col("share") > 0) & (pl.col("share") < 1)).sort("series", "week_on")
    if torn.height:
        series, week, share = torn.row(0)
        return Finding(False, f"Gi* of {series} is missing in {share:.1%} of the cells of {week}.")
    flat = float((missing["share"] == 1).sum())
    return Finding(True, "Gi* is finite wherever a week has a pattern.", {"flat_weeks": flat})
