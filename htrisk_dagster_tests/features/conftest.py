"""A small invented city: 16 cells in 3 precincts, 500 days of incidents, events and passengers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas import raw, staging

FIRST = date(2014, 1, 1)
N_DAYS = 500


@pytest.fixture(scope="session")
def grid() -> Grid:
    """Four by five squares, four of them no cells; precincts 5, 7 and 40, boroughs A and B."""
    col, row = (axis.ravel() for axis in np.meshgrid(np.arange(5), np.arange(4)))
    is_cell = ~np.isin(5 * row + col, [3, 8, 13, 12])
    col, row = col[is_cell], row[is_cell]
    n = len(col)
    cells = pl.DataFrame(
        {
            "cell_id": np.arange(n), "col": col, "row": row,
            "x_m": 585_000 + 500 * (col + 0.5), "y_m": 4_510_000 + 500 * (row + 0.5),
            "lon": -74 + 0.006 * col, "lat": 40.7 + 0.0045 * row,
            "land_share": np.linspace(0.1, 1, n),
            "precinct": np.where(col < 2, 7, np.where(row < 2, 40, 5)),
            "borough": np.where(col < 2, "B", "A"),
        }
    )  # fmt: skip
    return Grid.from_cells(cells, "EPSG:32618", 500)


@pytest.fixture(scope="session")
def incidents(grid) -> pl.DataFrame:
    rng = np.random.default_rng(7)
    n = 4_000
    occurred = np.datetime64(FIRST) + rng.integers(0, N_DAYS, n)
    # Reports come 0 to 200 days later, and now and then on a day before.
    lag = np.where(rng.random(n) < 0.7, rng.geometric(0.4, n) - 1, rng.integers(-2, 200, n))
    cell = rng.integers(0, grid.n_cells, n)
    quality = rng.choice(["exact", "station_house", "missing"], n, p=[0.8, 0.15, 0.05])
    precinct = np.where(
        quality == "exact", grid.cells["precinct"].to_numpy()[cell], rng.choice([5, 7, 40, 99], n)
    )
    return grid_tables.INCIDENT_CELLS.conform(
        pl.DataFrame(
            {
                "incident_id": [f"complaints:{i}" for i in range(n)],
                "source": rng.choice(["complaints", "felonies"], n, p=[0.9, 0.1]),
                "offence_group": rng.choice(["robbery", "burglary", "other"], n),
                "occurred_on": occurred,
                "reported_on": occurred + lag,
                "cell_id": pl.select(
                    pl.when(pl.Series(quality == "exact")).then(pl.Series(cell))
                ).to_series(),
                "precinct": precinct,
                "location_quality": quality.astype(object),
            },
            schema_overrides={"location_quality": pl.String},
        )
    )


@pytest.fixture(scope="session")
def events() -> pl.DataFrame:
    rng = np.random.default_rng(8)
    n = 2_500
    start = np.datetime64(FIRST) + rng.integers(-40, N_DAYS + 40, n)
    return staging.EVENTS.conform(
        pl.DataFrame(
            {
                "event_id": [str(i) for i in range(n)],
                "starts_on": start,
                "ends_on": start + np.where(rng.random(n) < 0.8, 0, rng.integers(0, 31, n)),
                "event_type": ["Parade"] * n,
                "precinct": rng.choice([5, 7, 40, 99], n),
                "precinct_share": rng.choice([1.0, 1 / 2, 1 / 3], n),
            }
        )
    )


@pytest.fixture(scope="session")
def mobility() -> pl.DataFrame:
    rng = np.random.default_rng(9)
    months = np.arange("2013-01", "2015-08", dtype="datetime64[M]").astype("datetime64[D]")
    days = np.datetime64("2013-11-01") + np.flatnonzero(rng.random(560) < 0.9)
    return staging.MOBILITY.conform(
        pl.concat(
            pl.DataFrame(
                {
                    "series": [name] * len(periods),
                    "period_on": periods,
                    "period": [length] * len(periods),
                    "passengers_count": rng.integers(1_000, 2_000, len(periods)),
                }
            )
            for name, length, periods in (
                ("airport_jfk", "month", months),
                ("transit_subway", "day", days),
                ("transit_bus", "day", days),
            )
        )
    )


@pytest.fixture(scope="session")
def holidays() -> pl.DataFrame:
    days = [date(y, m, d) for y in range(2013, 2017) for m, d in ((1, 1), (7, 4), (12, 25))]
    return raw.HOLIDAYS.conform(
        pl.DataFrame({"holiday_on": days, "jurisdiction": "US", "name": "Holiday"})
    )


@pytest.fixture(scope="session")
def inputs_with(grid, incidents, events, mobility, holidays) -> Callable[..., FeatureInputs]:
    """Inputs with a publication lag of one day, and whatever else the test gives."""

    def make(**given: object) -> FeatureInputs:
        usual: dict[str, object] = {
            "grid": grid,
            "incidents": incidents,
            "target": Series("robbery", ("complaints",), ("robbery",)),
            "series": (
                Series("incidents", ("complaints",)),
                Series("property", ("complaints",), ("burglary", "other")),
                Series("felony", ("felonies",)),
            ),
            "events": events,
            "mobility": mobility,
            "holidays": holidays,
            "lag_days": 1,
            "mobility_lag_days": {"airport": 45, "transit": 2},
            "history_start": FIRST,
        }
        return FeatureInputs(**{**usual, **given})  # type: ignore[arg-type]

    return make
