from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.hotspots.weeks import week_panel
from htrisk_dagster.schemas.grid import INCIDENT_CELLS
from htrisk_dagster.study_areas.area import SeriesPart

ALL = SeriesPart(title="all", sources=("complaints", "felonies"))
ROBBERY = SeriesPart(title="robbery", sources=("complaints",), offence_groups=("robbery",))
FIRST = date(2022, 1, 1)


def daily(
    source: str, first: date, n_days: int, *, cell: int | None = 1, group: str = "robbery"
) -> pl.DataFrame:
    """One incident a day, reported the same day."""
    days = [first + timedelta(days=i) for i in range(n_days)]
    return INCIDENT_CELLS.conform(
        pl.DataFrame(
            {
                "incident_id": [f"{source}{cell}{group}:{day}" for day in days],
                "source": source,
                "offence_group": group,
                "occurred_on": days,
                "reported_on": days,
                "cell_id": pl.Series([cell] * n_days, dtype=pl.Int32),
                "precinct": 1,
                "location_quality": "station_house" if cell is None else "exact",
            }
        )
    )


def test_the_last_104_whole_weeks_from_monday_to_sunday():
    # 800 days from 1 January 2022: the newest report is of Sunday 10 March 2024.
    found = week_panel(daily("complaints", FIRST, 800), ALL, 3)
    assert found is not None
    assert FIRST + timedelta(days=799) == date(2024, 3, 10)
    # That Sunday is not over while its reports come in.
    assert found.weeks[-1] == date(2024, 2, 26)
    assert len(found.weeks) == 104
    assert {day.weekday() for day in found.weeks} == {0}
    assert found.first_week_on == found.weeks[0]
    np.testing.assert_array_equal(found.counts, [[0, 7, 0]] * 104)


@pytest.mark.parametrize(("n_days", "last"), [(801, date(2024, 3, 4)), (806, date(2024, 3, 4))])
def test_a_week_counts_once_a_report_came_after_it(n_days, last):
    found = week_panel(daily("complaints", FIRST, n_days), ALL, 3)
    assert found is not None
    assert found.weeks[-1] == last


def test_only_weeks_that_the_source_covers_and_the_history_allows():
    short = daily("complaints", date(2022, 1, 1), 250)
    found = week_panel(short, ALL, 2)
    assert found is not None
    assert (found.weeks[0], found.weeks[-1]) == (date(2022, 1, 3), date(2022, 8, 29))
    later = week_panel(short, ALL, 2, since=date(2022, 5, 1))
    assert later is not None
    assert later.first_week_on == date(2022, 5, 2)
    assert week_panel(short, ALL, 2, since=date(2022, 7, 20)) is None


def test_an_uncovered_series_is_none():
    assert week_panel(daily("complaints", FIRST, 100), ALL, 2) is None
    assert week_panel(daily("shootings", FIRST, 800), ALL, 2) is None


def test_the_source_with_the_newest_report_is_used_alone():
    old = daily("complaints", FIRST, 400)
    new = daily("felonies", FIRST, 500, cell=0)
    found = week_panel(pl.concat([old, new]), ALL, 2)
    assert found is not None
    assert found.source == "felonies"
    assert found.counts[:, 1].sum() == 0
    as_new = pl.concat([daily("complaints", FIRST, 500), new])
    preferred = week_panel(as_new, ALL, 2)
    assert preferred is not None
    assert preferred.source == "complaints"


def test_groups_and_station_houses():
    rows = pl.concat(
        [
            daily("complaints", FIRST, 400),
            daily("complaints", FIRST, 400, group="burglary"),
            daily("complaints", FIRST, 400, cell=None),
        ]
    )
    found = week_panel(rows, ROBBERY, 2)
    assert found is not None
    np.testing.assert_array_equal(found.counts[:, 1], 7)
    assert found.station_house_pct == 50
    assert found.without_cell_pct == 50
    every = week_panel(rows, ALL, 2)
    assert every is not None
    np.testing.assert_array_equal(every.counts[:, 1], 14)
    assert every.station_house_pct == pytest.approx(100 / 3)
