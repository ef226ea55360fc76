"""The invented city at its real volume, prepared once for all rows of the bench.

Belongs here: files and tables that several rows start from. Does not: what a row does with them.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

PRESET, SEED = "default", 0
TIME_ZONE = "America/New_York"
# Days that features are made for: three years, 2022 to 2024.
FIRST, STOP = date(2022, 1, 1), date(2025, 1, 1)
_TABLES = ("cells", "incidents", "events", "mobility", "holidays")


def publish(folder: Path) -> None:
    """Write the publishers' files of the city, 1.66 million complaints, unless they are there."""
    from htrisk_dagster.sources.synthetic_city import PRESETS, write_city

    write_city(folder / "city", PRESETS[PRESET], SEED)


def simulate(folder: Path) -> None:
    """Write what features are made from as Parquet, unless it is there.

    Every incident is taken as reported on the day it occurred: people who write features by hand
    have one clock, and the comparison must have one answer.
    """
    if all((folder / f"{name}.parquet").exists() for name in _TABLES):
        return
    from htrisk_dagster.evaluation.skill.cities import world_inputs
    from htrisk_dagster.sources.synthetic_city import PRESETS, simulate_world

    inputs = world_inputs(simulate_world(PRESETS[PRESET], SEED))
    one_clock = inputs.incidents.with_columns(reported_on="occurred_on")
    tables = (inputs.grid.cells, one_clock, inputs.events, inputs.mobility, inputs.holidays)
    for name, table in zip(_TABLES, tables, strict=True):
        table.write_parquet(folder / f"{name}.parquet")


def feature_inputs(folder: Path, n_cells: int | None = None):
    """Inputs of `build_block` from the Parquet of `simulate`.

    Parameters
    ----------
    n_cells : int, optional
        Only the first so many cells and what happened in them.
    """
    from htrisk_dagster.evaluation.skill.cities import SOURCE, TARGET_NAME
    from htrisk_dagster.features.catalogue import ALL_INCIDENTS, TARGET
    from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
    from htrisk_dagster.grid.cells import Grid
    from htrisk_dagster.study_areas.area import load_area

    area = load_area("nyc")
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in _TABLES}
    if n_cells is not None:
        tables["cells"] = tables["cells"].filter(pl.col("cell_id") < n_cells)
        tables["incidents"] = tables["incidents"].filter(pl.col("cell_id") < n_cells)
    declared = {ALL_INCIDENTS: area.incidents, **area.series}
    return FeatureInputs(
        grid=Grid.from_cells(tables["cells"], area.grid.crs, area.grid.cell_size_m),
        incidents=tables["incidents"],
        target=Series(TARGET, (SOURCE,), area.targets[TARGET_NAME].offence_groups),
        series=tuple(Series(n, (SOURCE,), part.offence_groups) for n, part in declared.items()),
        events=tables["events"],
        mobility=tables["mobility"],
        holidays=tables["holidays"],
        lag_days=1,
        mobility_lag_days={
            "airport": area.publication_lag.airport_days,
            "transit": area.publication_lag.transit_days,
        },
        history_start=FIRST,
    )


def read_grid(folder: Path):
    """Grid of the city."""
    from htrisk_dagster.grid.cells import Grid
    from htrisk_dagster.study_areas.area import load_area

    part = load_area("nyc").grid
    return Grid.from_cells(pl.read_parquet(folder / "cells.parquet"), part.crs, part.cell_size_m)


def incidents(folder: Path) -> pl.DataFrame:
    """Day and cell of every incident that has a cell."""
    rows = pl.read_parquet(folder / "incidents.parquet", columns=["occurred_on", "cell_id"])
    return rows.drop_nulls("cell_id")


def points(folder: Path) -> Path:
    """NPZ of longitude and latitude of every complaint that has a point; made from `simulate`."""
    import numpy as np

    path = folder / "points.npz"
    if not path.exists():
        publish(folder)
        from htrisk_dagster.sources import intake

        kept = intake.read("complaints", folder / "city", time_zone=TIME_ZONE).kept
        rows = kept.select("lon", "lat").drop_nulls()
        np.savez(path, lon=rows["lon"].to_numpy(), lat=rows["lat"].to_numpy())
    return path


def daily_panel(folder: Path):
    """All incidents by day and cell, int32 of shape (1,096, C), and the grid."""
    from htrisk_dagster.grid.panel import count_panel, day_number, day_numbers

    grid = read_grid(folder)
    rows = incidents(folder).filter(pl.col("occurred_on") >= FIRST)
    n_days = (STOP - FIRST).days
    panel = count_panel(
        day_numbers(rows["occurred_on"]) - day_number(FIRST),
        rows["cell_id"].to_numpy(),
        n_days,
        grid.n_cells,
    )
    return panel, grid
