"""Zones as tables, and what must hold of them.

Belongs here: `schemas.zones` from a partition, and rules about them. Does not: the partition.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.neighbours import queen_contiguity
from htrisk_dagster.hotspots.zones import Zones, bridged, compactness, draw_zones, pieces
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.zones import CELL_ZONES, ZONES

ROOM = 1.25
"""Zones over the fewest that size allows, where their number is not given."""


def land_km2(grid: Grid) -> NDArray[np.float64]:
    """Land of each cell, shape (C,)."""
    return grid.cells["land_share"].to_numpy() * grid.cell_size_m**2 / 1e6


def zones_of(
    density: pl.DataFrame,
    grid: Grid,
    *,
    n_zones: int | None,
    most_km2: float,
    tolerance: float,
    within_boroughs: bool,
    seed: int,
) -> Zones:
    """Cut a grid into zones by what is expected of the target in each cell.

    Parameters
    ----------
    density : DataFrame
        `schemas.hot_places.DENSITY`.
    grid : Grid
    n_zones : int or None
        A quarter more than size needs, if not given.
    most_km2, tolerance, seed
        See `zones.draw_zones`.
    within_boroughs : bool
        Whether no zone may cross a borough.
    """
    area = land_km2(grid)
    borough = grid.cells["borough"].rank("dense").to_numpy().astype(np.intp) - 1
    unit = borough if within_boroughs else np.zeros_like(borough)
    least = max(int(np.ceil(ROOM * area.sum() / most_km2)), int(unit.max()) + 1)
    return draw_zones(
        density.sort("cell_id")["incidents_per_year"].to_numpy(),
        area,
        grid.cells.select("x_m", "y_m").to_numpy() / 1_000,
        queen_contiguity(grid),
        n_zones=n_zones or least,
        most_km2=most_km2,
        tolerance=tolerance,
        unit=unit,
        seed=seed,
    )


def zone_tables(
    found: Zones,
    density: pl.DataFrame,
    grid: Grid,
    hot: NDArray[np.bool_] | None,
    *,
    most_km2: float,
    tolerance: float,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give `schemas.zones.CELL_ZONES` and `ZONES`.

    Parameters
    ----------
    found : Zones
    density : DataFrame
        `schemas.hot_places.DENSITY`.
    grid : Grid
    hot : bool, shape (C,), optional
        Gi* hot spots of the target.
    most_km2, tolerance : float
        What was asked for.
    """
    cells = grid.cells.select("cell_id", "borough").with_columns(
        zone=pl.Series(found.zone + 1, dtype=pl.Int32),
        area_km2=pl.Series(land_km2(grid)),
        is_hot=pl.Series([None] * grid.n_cells if hot is None else hot, dtype=pl.Boolean),
    )
    joined = cells.join(density.select("cell_id", "incidents_per_year"), on="cell_id")
    zones = (
        joined.group_by("zone")
        .agg(
            pl.col("borough").mode().sort().first(),
            pl.len().alias("cells_count"),
            pl.col("area_km2").sum(),
            pl.col("incidents_per_year").sum(),
            (100 * pl.col("is_hot").mean()).alias("hot_cells_pct"),
        )
        .sort("zone")
        .with_columns(
            workload=pl.Series(found.workload),
            compactness=pl.Series(compactness(found.zone, grid.lattice)),
            most_km2=pl.lit(most_km2),
            tolerance=pl.lit(tolerance),
            pieces_count=pl.Series(pieces(found.zone, queen_contiguity(grid))),
        )
    )
    return CELL_ZONES.conform(cells), ZONES.conform(zones)


def zones_are_contiguous(cell_zones: pl.DataFrame, grid: Grid) -> Finding:
    """Every cell has a zone, and every zone holds together, islands joined as by a bridge."""
    problems = CELL_ZONES.problems(cell_zones)
    if sorted(cell_zones["cell_id"]) != list(range(grid.n_cells)):
        problems.append(f"{cell_zones.height} rows; the grid has {grid.n_cells} cells.")
    if problems:
        return Finding(False, " ".join(problems))
    zone = cell_zones.sort("cell_id")["zone"].to_numpy() - 1
    xy = grid.cells.select("x_m", "y_m").to_numpy() / 1_000
    contiguity = queen_contiguity(grid)
    # A bridge may lead within a borough or, for zones that cross them, between two.
    graphs = [
        bridged(contiguity, xy, unit)
        for unit in (
            np.zeros(grid.n_cells, dtype=np.intp),
            grid.cells["borough"].rank("dense").to_numpy().astype(np.intp) - 1,
        )
    ]
    torn = sum(n > 1 for n in pieces(zone, graphs[0].maximum(graphs[1]).tocsr()))
    return Finding(torn == 0, f"{zone.max() + 1} zones, {torn} of them in pieces.")


def zones_are_as_wished(zones: pl.DataFrame) -> Finding:
    """No zone is larger than allowed, or more loaded than the tolerance lets it be."""
    large = zones.filter(pl.col("area_km2") > pl.col("most_km2") + 1e-6).height
    heavy = zones.filter(pl.col("workload") > 1 + pl.col("tolerance") + 1e-6).height
    return Finding(
        large + heavy == 0 and zones.height > 0,
        f"{zones.height} zones; {large} larger than allowed, {heavy} more loaded than allowed.",
        {"zones": float(zones.height)},
    )
