"""Synthetic cities on shared storage: many at once, each with a grid, rows and covariates of its own.

Belongs here: writing a world's tables where units find them. Does not: the world
(`sources/synthetic_city`), what is made of it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from htrisk_dagster.evaluation.skill.cities import TARGET_NAME, world_inputs
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.schemas import grid, raw, staging
from htrisk_dagster.sources.synthetic_city.presets import Preset
from htrisk_dagster.sources.synthetic_city.world import simulate_world
from htrisk_dagster.study_areas.area import ContextPart, StudyArea, load_area
from htrisk_dagster.warehouse.partitions import Partitions, by_month

__all__ = ["TARGET_NAME", "city_preset", "write_city_tables"]


def city_preset(first_day: date, last_day: date, *, incidents_per_day: float) -> Preset:
    """A part of New York of about 1,200 cells over some days."""
    return Preset("scale", first_day, last_day, 1514.0, incidents_per_day, is_part=True)


def write_city_tables(
    root: Path, name: str, preset: Preset, seed: int
) -> tuple[StudyArea, FeatureInputs]:
    """Simulate a city and write what its features are made from.

    Returns
    -------
    area : StudyArea
        New York's declarations under the city's name, without context of places.
    inputs : FeatureInputs
        The same rows in memory, from which sources and folds are chosen.
    """
    inputs = world_inputs(simulate_world(preset, seed))
    area = load_area("nyc").model_copy(update={"name": name, "context": ContextPart()})
    tables = Partitions(root, name)
    tables.write(grid.CELLS, inputs.grid.cells)
    for month, rows in by_month(inputs.incidents, "reported_on").items():
        tables.write(grid.INCIDENT_CELLS, rows, month)
    tables.write(staging.EVENTS, inputs.events)
    tables.write(staging.MOBILITY, inputs.mobility)
    tables.write(raw.HOLIDAYS, inputs.holidays)
    return area, inputs
