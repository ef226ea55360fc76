"""Tables of the zones that cells are cut into.

Belongs here: `hotspots/zones` and `hotspots/cell_zones`. Does not: hot spots (`hotspots`), other
tables made from points (`hot_places`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.hotspots import LAYER
from htrisk_dagster.schemas.table import Column, Table

_ZONE = Column("zone", pl.Int32, "Zone, 1 to n.", lower=1)

CELL_ZONES = Table(
    LAYER,
    "cell_zones",
    "one cell",
    "The zone of each cell.",
    (Column("cell_id", pl.Int32, "Cell of the grid.", lower=0), _ZONE),
    key=("cell_id",),
)
ZONES = Table(
    LAYER,
    "zones",
    "one zone",
    "Contiguous zones of balanced workload: what is expected of the target, and the ground to cover.",
    (
        _ZONE,
        Column("borough", pl.String, "Borough with most of the zone's cells."),
        Column("cells_count", pl.Int32, "Cells.", unit="cells", lower=1),
        Column("area_km2", pl.Float64, "Land.", unit="km2", lower=0),
        Column(
            "incidents_per_year",
            pl.Float64,
            "Expected reported incidents of the target, of the kernel density.",
            unit="incidents a year",
            lower=0,
        ),
        Column(
            "workload",
            pl.Float64,
            "Expectation and ground, over the mean of the zones of the borough, or of all where zones cross boroughs.",
            lower=0,
        ),
        Column("most_km2", pl.Float64, "Land that a zone was allowed.", unit="km2", lower=0),
        Column("tolerance", pl.Float64, "Allowed above a workload of 1, as a share.", lower=0),
        Column(
            "compactness",
            pl.Float64,
            "Polsby and Popper's 4 pi area / perimeter^2; a square has 0.785.",
            lower=0,
            upper=1,
        ),
        Column("pieces_count", pl.Int32, "Pieces of land; more than 1 with an island.", lower=1),
        Column(
            "hot_cells_pct",
            pl.Float64,
            "Cells that are a Gi* hot spot of the target over all weeks; missing without Gi*.",
            unit="%",
            nullable=True,
            lower=0,
            upper=100,
        ),
    ),
    key=("zone",),
    warnings=("Zones share work out; they say nothing of the people in them.",),
)
TABLES = (CELL_ZONES, ZONES)
