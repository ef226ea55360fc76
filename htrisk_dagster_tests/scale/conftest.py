"""A city of 40 cells and five months: seconds for its features, models and maps."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.effort import EFFORTS
from htrisk_dagster.evaluation.skill.cities import SOURCE, TARGET_NAME
from htrisk_dagster.features.catalogue import TARGET
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.features.inputs import read_grid, with_covariates
from htrisk_dagster.scale.city_run import CityPlan
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas import raw, staging
from htrisk_dagster.study_areas.area import ContextPart, StudyArea, load_area
from htrisk_dagster.warehouse.partitions import Partitions, by_month

# Learners are held to the same in `test_training_work`, and on a cluster.
MODELS = ("historical_mean", "empirical_bayes")
FIRST, MONTH, LAST = date(2023, 10, 20), date(2024, 3, 1), date(2024, 3, 9)
N_DAYS = (LAST - FIRST).days + 1


@dataclass(frozen=True)
class TinyCity:
    """Its tables on disk, and what a run of it is planned to be."""

    rows: Path
    area: StudyArea
    inputs: FeatureInputs
    plan: CityPlan

    def copy_to(self, folder: Path) -> SharedStorage:
        shutil.copytree(self.rows, folder)
        return SharedStorage(str(folder))


def cells() -> pl.DataFrame:
    """Seven by seven squares, nine of them water; four precincts in two boroughs."""
    col, row = (axis.ravel() for axis in np.meshgrid(np.arange(7), np.arange(7)))
    is_cell = np.ones(49, dtype=bool)
    is_cell[[3, 10, 17, 24, 30, 31, 44, 45, 46]] = False
    col, row = col[is_cell], row[is_cell]
    n = len(col)
    return pl.DataFrame(
        {
            "cell_id": np.arange(n), "col": col, "row": row,
            "x_m": 585_000 + 500 * (col + 0.5), "y_m": 4_510_000 + 500 * (row + 0.5),
            "lon": -74 + 0.006 * col, "lat": 40.7 + 0.0045 * row,
            "land_share": np.linspace(0.2, 1, n),
            "precinct": np.where(col < 3, np.where(row < 3, 7, 40), np.where(row < 4, 5, 90)),
            "borough": np.where(col < 3, "B", "A"),
        }
    )  # fmt: skip


def incidents(area: StudyArea, n: int = 6_000) -> pl.DataFrame:
    """Four hot cells, late reports, and one row in eight without a cell."""
    rng = np.random.default_rng(11)
    weight = np.where(np.isin(np.arange(40), [4, 12, 13, 33]), 8.0, 1.0)
    cell = rng.choice(40, n, p=weight / weight.sum())
    occurred = np.datetime64(FIRST) + rng.integers(0, N_DAYS, n)
    placed = rng.random(n) < 0.875
    group = area.targets[TARGET_NAME].offence_groups[0]
    return grid_tables.INCIDENT_CELLS.conform(
        pl.DataFrame(
            {
                "incident_id": [f"{SOURCE}:{i}" for i in range(n)],
                "source": [SOURCE] * n,
                "offence_group": np.where(rng.random(n) < 0.3, group, "robbery").astype(object),
                "occurred_on": occurred,
                "reported_on": occurred + rng.geometric(0.6, n) - 1,
                "cell_id": pl.select(pl.when(pl.Series(placed)).then(pl.Series(cell))).to_series(),
                "precinct": cells()["precinct"].to_numpy()[cell],
                "location_quality": np.where(placed, "exact", "missing").astype(object),
            },
            schema_overrides={"location_quality": pl.String, "offence_group": pl.String},
        )
    )


@pytest.fixture(scope="session")
def tiny_city(tmp_path_factory: pytest.TempPathFactory) -> TinyCity:
    rows = tmp_path_factory.mktemp("tiny_city")
    area = load_area("nyc").model_copy(update={"name": "tiny", "context": ContextPart()})
    tables = Partitions(rows, "tiny")
    placed = incidents(area)
    rng = np.random.default_rng(12)
    days = np.datetime64(FIRST) + np.arange(-10, N_DAYS)
    tables.write(grid_tables.CELLS, cells())
    for month, of_month in by_month(placed, "reported_on").items():
        tables.write(grid_tables.INCIDENT_CELLS, of_month, month)
    events = {
        "event_id": [str(i) for i in range(400)], "starts_on": (starts := rng.choice(days, 400)),
        "ends_on": starts + rng.integers(0, 3, 400), "event_type": ["Parade"] * 400,
        "precinct": rng.choice([5, 7, 40, 90], 400), "precinct_share": rng.choice([1.0, 0.5], 400),
    }  # fmt: skip
    tables.write(staging.EVENTS, staging.EVENTS.conform(pl.DataFrame(events)))
    passengers = {
        "series": ["transit_subway"] * len(days), "period_on": days, "period": ["day"] * len(days),
        "passengers_count": rng.integers(1_000, 2_000, len(days)),
    }  # fmt: skip
    tables.write(staging.MOBILITY, staging.MOBILITY.conform(pl.DataFrame(passengers)))
    holidays = {
        "holiday_on": [date(y, m, 1) for y in (2022, 2023, 2024, 2025) for m in (1, 9)],
        "jurisdiction": "US", "name": "Holiday",
    }  # fmt: skip
    tables.write(raw.HOLIDAYS, raw.HOLIDAYS.conform(pl.DataFrame(holidays)))
    inputs = with_covariates(
        tables,
        area,
        grid=read_grid(tables, area),
        incidents=placed,
        target=Series(TARGET, (SOURCE,), area.targets[TARGET_NAME].offence_groups),
        series=(
            Series("incidents", (SOURCE,)),
            *(Series(name, (SOURCE,), part.offence_groups) for name, part in area.series.items()),
        ),
        history_start=FIRST,
    )
    plan = CityPlan.of(area, TARGET_NAME, inputs, MONTH, LAST, EFFORTS["smoke"], models=MODELS)
    return TinyCity(rows, area, inputs, plan)
