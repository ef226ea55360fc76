from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from htrisk_dagster.features.precinct_reports import precinct_reports, window_start
from htrisk_dagster.grid.location_quality import station_house_groups

CELLS = pl.DataFrame(
    {"precinct": [7, 7, 9, 12], "borough": ["A", "A", "A", "B"]},
    schema={"precinct": pl.Int32, "borough": pl.String},
)
FIRST, CUTOFF = date(2024, 1, 1), date(2024, 1, 11)


def incidents_of(rows: list[tuple[str, int, int | None, str]]) -> pl.DataFrame:
    frame = pl.DataFrame(
        rows, schema=["offence_group", "day", "precinct", "location_quality"], orient="row"
    )
    return frame.with_columns(
        pl.col("precinct").cast(pl.Int32), reported_on=pl.lit(FIRST) + pl.duration(days="day")
    )


RAPES = [("rape", n, 9, "station_house") for n in range(5)] + [
    ("rape", 2, 7, "exact"),
    ("rape", 3, None, "exact"),
]
THEFTS = [("theft", n, 12, "exact") for n in range(10)] + [("theft", 0, 7, "station_house")]


def test_a_group_of_which_a_quarter_is_at_station_houses_is_one():
    assert station_house_groups(incidents_of(RAPES + THEFTS)) == ["rape"]
    few = incidents_of(RAPES[:4] + THEFTS)
    assert station_house_groups(few) == [], "four rows at a house are not enough"
    diluted = RAPES + [("rape", 0, 7, "exact")] * 14
    assert station_house_groups(incidents_of(diluted)) == [], "5 of 21 are less than a quarter"
    assert station_house_groups(incidents_of(RAPES).clear()) == []


def test_counts_by_day_and_precinct_in_a_worked_example():
    found = precinct_reports(incidents_of(RAPES + THEFTS), CELLS, FIRST, CUTOFF)
    assert found.precincts.tolist() == [7, 9, 12]
    assert found.borough_index.tolist() == [0, 0, 1]
    expected = np.zeros((10, 3), dtype=int)
    expected[:5, 1] = 1
    expected[2, 0] = 1
    assert list(found.counts) == ["rape"]
    assert (found.counts["rape"] == expected).all()
    assert found.others.tolist() == [1, 0, 10]
    assert (found.days[0], found.days[-1]) == (
        np.datetime64("2024-01-01"),
        np.datetime64("2024-01-10"),
    )


def test_nothing_reported_on_or_after_the_cutoff_is_seen():
    late = [("rape", n, 7, "station_house") for n in (10, 11, 40)] + [
        ("theft", 10, 9, "exact")
    ] * 50
    before = precinct_reports(incidents_of(RAPES + THEFTS), CELLS, FIRST, CUTOFF)
    after = precinct_reports(incidents_of(RAPES + THEFTS + late), CELLS, FIRST, CUTOFF)
    assert (before.counts["rape"] == after.counts["rape"]).all()
    assert (before.others == after.others).all()


def test_a_window_starts_with_the_history_at_the_earliest():
    assert window_start(FIRST, CUTOFF, 730) == FIRST
    assert window_start(FIRST, CUTOFF, 3) == CUTOFF - timedelta(days=3)
