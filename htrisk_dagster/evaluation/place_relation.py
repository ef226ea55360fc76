"""Whether reports lie nearer to places of a category than chance has it: cross-K and regression together.

Belongs here: the rectangle of land in which distances are compared, both methods on one category, their
tables and sentences. Does not: cross-K itself (`hotspots/cross_k`), the regression (`place_density`),
variables of context (`context_relation`).

The two answer for each other. Cross-K sees the distance, on points and up to a kilometre, but only inside a
rectangle that is all land, and knows no borough. The regression sees the whole city, within boroughs
and for land area, but nothing finer than a cell. An association that only one of them sees is a weak one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.context_relation import blocks_of, borough_levels
from htrisk_dagster.evaluation.place_density import LEAST_BLOCKS, PlaceRelation, relate_places
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.hotspots.cross_k import CrossK, cross_k
from htrisk_dagster.schemas.context import PLACE_CROSS_K, PLACE_RELATION

RADII_M = np.array([100.0, 200.0, 300.0, 500.0, 750.0, 1000.0])
TOLD_M = 300.0
"""Distance that the sentence speaks of: a few minutes on foot."""
BLOCKS_KM = (10.0, 5.0)
"""Sides of blocks, the first of which gives enough of them is taken; intervals of smaller ones are narrow."""
LEAST_POINTS = 10
MOST_INCIDENTS = 20_000
_LAND = 0.95
_DAYS_A_YEAR = 365.25

Points = NDArray[np.float64]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class PointReports:
    """The target's reports with a trusted point.

    Parameters
    ----------
    target : str
    lon, lat : float64, shape (n,)
    first, last : date
        Days of report, both included.
    """

    target: str
    lon: Points
    lat: Points
    first: date
    last: date


def land_rectangle(grid: Grid) -> Box | None:
    """Largest rectangle of whole squares that are land: west, south, east, north in metres.

    Its choice sees no incident and no place. For every pair of rows, the longest run of columns that are land
    in all rows between them. None where no square is all land, as in a city of islets.
    """
    land = np.zeros((grid.n_rows, grid.n_cols), dtype=bool)
    cells = grid.cells.filter(pl.col("land_share") >= _LAND)
    if cells.is_empty():
        return None
    land[cells["row"].to_numpy(), cells["col"].to_numpy()] = True
    best, found = 0, (0, 0, 0, 0)
    for south in range(grid.n_rows):
        # Whether a column is land in all rows from this one to the row, (rows, columns).
        open_ = np.logical_and.accumulate(land[south:], axis=0)
        run = np.zeros(len(open_), dtype=np.int64)
        for col in range(grid.n_cols):
            run = (run + 1) * open_[:, col]
            size = run * np.arange(1, len(open_) + 1)
            row = int(size.argmax())
            if size[row] > best:
                best = int(size[row])
                found = (col + 1 - int(run[row]), south, col + 1, south + row + 1)
    x, y, side = grid.origin_x_m, grid.origin_y_m, grid.cell_size_m
    west, low, east, high = found
    return x + west * side, y + low * side, x + east * side, y + high * side


def relate_categories(
    reports: PointReports,
    places: pl.DataFrame,
    categories: tuple[str, ...],
    grid: Grid,
    *,
    seed: int,
    n_shifts: int = 199,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Relate reports to every category of places.

    Parameters
    ----------
    reports : PointReports
    places : DataFrame
        `schemas.context_sources.PLACES_OF_INTEREST`.
    categories : tuple of str
        Declared ones; one without a place has its row too.
    grid : Grid
        Squares of ground.
    seed : int
        Of the shifts.
    n_shifts : int
        Random shifts.

    Returns
    -------
    DataFrame, DataFrame
        `schemas.context.PLACE_RELATION` and `PLACE_CROSS_K`.
    """
    box = land_rectangle(grid)
    at = _plane(grid, reports.lon, reports.lat)
    incident_cell = grid.cell_of(reports.lon, reports.lat)
    counts = np.bincount(incident_cell[incident_cell >= 0], minlength=grid.n_cells).astype(float)
    relations, curves = [], []
    for category in categories:
        of_category = places.filter(pl.col("category") == category)
        lon, lat = (of_category[c].to_numpy() for c in ("lon", "lat"))
        cell = grid.cell_of(lon, lat)
        by_cell = np.bincount(cell[cell >= 0], minlength=grid.n_cells).astype(float)
        near, around = (_inside(p, box) for p in (at, _plane(grid, lon, lat)))
        curve = _curve(near, around, box, seed=seed, n_shifts=n_shifts) if box else None
        block_km, n_blocks, by_regression = _regression(reports, counts, by_cell, grid)
        relations.append(
            {
                "target": reports.target,
                "category": category,
                "places_on": of_category["pulled_on"].max(),
                "first_on": reports.first,
                "last_on": reports.last,
                "places_count": int(by_cell.sum()),
                "incidents_count": int(counts.sum()),
                "box_km2": (box[2] - box[0]) * (box[3] - box[1]) / 1e6 if box else 0.0,
                "box_places_count": len(around),
                "box_incidents_count": len(near),
                "cross_k_p_value_prob": curve.p_value if curve else None,
                "block_km": block_km,
                "blocks_count": n_blocks,
                **_ratio_columns(by_regression),
                "sentence": _sentence(reports.target, category, curve, by_regression),
            }
        )
        if curve:
            curves.append(_curve_rows(reports.target, category, curve))
    table = pl.DataFrame(relations, schema=PLACE_RELATION.polars_schema())
    return (
        PLACE_RELATION.conform(table),
        PLACE_CROSS_K.conform(pl.concat(curves)) if curves else PLACE_CROSS_K.empty(),
    )


def _plane(grid: Grid, lon: Points, lat: Points) -> Points:
    from htrisk_dagster.grid.projection import to_plane

    return np.column_stack(to_plane(grid.crs).transform(lon, lat)).reshape(-1, 2)


def _inside(points: Points, box: Box | None) -> Points:
    if box is None:
        return points[:0]
    low, high = np.array(box[:2]), np.array(box[2:])
    return points[((points >= low) & (points < high)).all(axis=1)]


def _curve(near: Points, around: Points, box: Box, *, seed: int, n_shifts: int) -> CrossK | None:
    """Cross-K in the rectangle; None where a pattern has too few points, or the rectangle is too narrow."""
    radii = RADII_M[min(box[2] - box[0], box[3] - box[1]) / 2 >= RADII_M]
    if min(len(near), len(around)) < LEAST_POINTS or TOLD_M not in radii:
        return None
    if len(near) > MOST_INCIDENTS:
        chosen = np.random.default_rng(seed).choice(len(near), MOST_INCIDENTS, replace=False)
        near = near[np.sort(chosen)]
    return cross_k(near, around, box, radii, n_shifts=n_shifts, seed=seed)


def _regression(
    reports: PointReports, counts: Points, places: Points, grid: Grid
) -> tuple[float, int, PlaceRelation | None]:
    """Side and number of blocks, and the regression on them; None where there is too little."""
    every = np.arange(grid.n_cells)
    for block_km in BLOCKS_KM:
        block = blocks_of(grid, every, block_km)
        n_blocks = int(block.max()) + 1
        if n_blocks >= LEAST_BLOCKS:
            break
    if n_blocks < LEAST_BLOCKS or min(counts.sum(), places.sum()) < LEAST_POINTS:
        return block_km, n_blocks, None
    years = ((reports.last - reports.first).days + 1) / _DAYS_A_YEAR
    land = grid.cells["land_share"].to_numpy() * (grid.cell_size_m / 1000) ** 2
    group = borough_levels(grid.cells["borough"].to_numpy(), counts)
    return block_km, n_blocks, relate_places(counts, places, land * years, block, group)


def _ratio_columns(found: PlaceRelation | None) -> dict[str, float | None]:
    if found is None:
        names = ("rate_ratio", "rate_ratio_low", "rate_ratio_high", "deviance_gain_pct")
        return dict.fromkeys(names)
    return {
        "rate_ratio": found.rate_ratio,
        "rate_ratio_low": found.low,
        "rate_ratio_high": found.high,
        "deviance_gain_pct": found.deviance_gain_pct,
    }


def _curve_rows(target: str, category: str, curve: CrossK) -> pl.DataFrame:
    disc = np.pi * np.square(curve.radii_m)
    return pl.DataFrame(
        {
            "target": target,
            "category": category,
            "radius_m": curve.radii_m,
            "k_ratio": curve.k / disc,
            "k_ratio_low": curve.low / disc,
            "k_ratio_high": curve.high / disc,
        }
    )


def _sentence(
    target: str, category: str, curve: CrossK | None, by_regression: PlaceRelation | None
) -> str:
    kind = f"the category {category.replace('_', ' ')}"
    parts = []
    if curve is not None:
        at = int(np.searchsorted(curve.radii_m, TOLD_M))
        ratio, low, high = (
            float(k[at] / (np.pi * TOLD_M**2)) for k in (curve.k, curve.low, curve.high)
        )
        parts.append(
            f"Within {TOLD_M:g} m of places of {kind} stood {ratio:.2f} times the reported incidents "
            f"({target}) of a pattern without relation, whose 95% envelope is {low:.2f} to {high:.2f} (p = "
            f"{curve.p_value:.3f} over all distances)."
        )
    if by_regression is not None:
        parts.append(by_regression.sentence(f"places of {kind}"))
    elif parts:
        parts.append("This is association at the level of places, not cause.")
    return " ".join(parts) or f"Too few places of {kind}, or reports of {target}, to relate them."
