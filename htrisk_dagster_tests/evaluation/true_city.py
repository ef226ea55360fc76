"""A part of the synthetic city with fifty target incidents a day, made once a process."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
from htrisk_dagster.evaluation.truth import TRUTH_FILE
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.sources.synthetic_city.presets import PRESETS
from htrisk_dagster.sources.synthetic_city.world import World, simulate_world

CRS = "EPSG:32618"
FIRST = date(2023, 9, 1)


@cache
def true_city() -> World:
    """Eight months of it."""
    preset = replace(
        PRESETS["skill"], first_day=FIRST, last_day=date(2024, 4, 30),
        complaints_per_day=100, target_per_day=50.0,
    )  # fmt: skip
    return simulate_world(preset, 5)


def inputs_of(world: World) -> FeatureInputs:
    """What the city's files would give."""
    return FeatureInputs(
        grid=Grid.from_cells(world.grid(), CRS, 500),
        incidents=world.incident_cells(),
        target=Series("target", ("complaints",), ("prostitution_related", "kidnapping")),
        series=(Series("incidents", ("complaints",)),),
        events=world.events(), mobility=world.mobility(), holidays=world.holidays(),
        lag_days=1, mobility_lag_days={"airport": 45, "transit": 2},
        history_start=FIRST,
    )  # fmt: skip


def write(folder: Path, world: World, **changed: object) -> None:
    """Write the truth file, with parts changed or, where None, left out."""
    parts = {f.name: getattr(world.target, f.name) for f in fields(world.target)}
    parts |= {
        "days": world.days, "col": world.col, "row": world.row, "cell_size_m": np.int64(500),
        "crs": np.str_(CRS), "offence_codes": np.array([115, 124, 234]),
    }  # fmt: skip
    (folder / TRUTH_FILE).parent.mkdir(exist_ok=True)
    np.savez(folder / TRUTH_FILE, **{k: v for k, v in (parts | changed).items() if v is not None})
