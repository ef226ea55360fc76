"""The data dictionary in code: each table's columns, units, grain and warnings, described once."""

from htrisk_dagster.schemas import (
    agencies,
    context,
    context_sources,
    governance,
    grid,
    hot_places,
    hotspots,
    marts,
    nibrs,
    predictions,
    raw,
    series,
    staging,
    verified,
    zones,
)
from htrisk_dagster.schemas.table import Table

ALL_TABLES: tuple[Table, ...] = (
    *raw.TABLES,
    *context_sources.TABLES,
    *staging.TABLES,
    *marts.TABLES,
    *grid.TABLES,
    *context.TABLES,
    *hotspots.TABLES,
    *hot_places.TABLES,
    *predictions.TABLES,
    *verified.TABLES,
    *zones.TABLES,
    *nibrs.TABLES,
    *agencies.TABLES,
    *series.TABLES,
    *governance.TABLES,
)

__all__ = ["ALL_TABLES"]
