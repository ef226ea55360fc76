"""Hot and cold weeks of a row of cells, each with its left and right neighbour."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from htrisk_dagster.publishing.public_spots import publish_week_spots
from htrisk_dagster.schemas import hotspots
from htrisk_dagster.schemas.published import HOT_SPOT_WEEKS, WEEK_SPOTS
from scipy.sparse import csr_array, diags_array

WEEKS = [date(2024, 1, 1), date(2024, 1, 8)]
# By week and cell. In the first, cell 0 stands on 8 + 2 = 10, cell 1 on 8 + 2 + 1 = 11, cell 4 on none,
# cell 5 on 3.
COUNTS = [[8, 2, 1, 0, 0, 0, 3], [0, 0, 0, 0, 0, 0, 0]]
SPOTS = [
    ["hot", "hot", "neither", "neither", "cold", "cold", "neither"],
    ["neither"] * 7,
]


def weekly(series: str = "robbery") -> pl.DataFrame:
    n = len(COUNTS[0])
    rows = pl.DataFrame(
        {
            "series": series,
            "week_on": np.repeat(np.array(WEEKS, dtype="datetime64[D]"), n),
            "cell_id": np.tile(np.arange(n), 2),
            "incidents_count": np.ravel(COUNTS),
            "spot": np.ravel(SPOTS),
        }
    )
    missing = [c for c in hotspots.CELL_WEEK_GI_STAR.column_names if c not in rows.columns]
    return hotspots.CELL_WEEK_GI_STAR.conform(
        rows.with_columns(pl.lit(None, pl.Float64).alias(c) for c in missing).select(
            hotspots.CELL_WEEK_GI_STAR.column_names
        )
    )


def weights() -> csr_array:
    n = len(COUNTS[0])
    return csr_array(diags_array([1] * 3, offsets=[-1, 0, 1], shape=(n, n), dtype=np.int32))


def test_a_spot_leaves_on_eleven_incidents_or_on_none():
    spots, weeks = publish_week_spots(weekly(), weights())
    assert spots.rows() == [("robbery", WEEKS[0], 1, "hot"), ("robbery", WEEKS[0], 4, "cold")]
    assert weeks.rows() == [("robbery", WEEKS[0], 1, 1, 2), ("robbery", WEEKS[1], 0, 0, 0)]
    assert "incidents_count" not in (*spots.columns, *weeks.columns)


def test_each_series_stands_on_its_own_incidents():
    none = weekly("shootings").with_columns(pl.col("incidents_count") * 0)
    spots, weeks = publish_week_spots(pl.concat([weekly(), none]), weights())
    assert spots.filter(series="shootings")["cell_id"].to_list() == [0, 1, 4, 5]
    assert weeks.filter(series="shootings")["hidden_cells_count"].sum() == 0
    assert weeks.height == 4


def test_nothing_made_is_nothing_told():
    spots, weeks = publish_week_spots(hotspots.CELL_WEEK_GI_STAR.empty(), weights())
    assert (spots.schema, weeks.schema) == (
        WEEK_SPOTS.empty().schema,
        HOT_SPOT_WEEKS.empty().schema,
    )
    assert spots.height == weeks.height == 0
