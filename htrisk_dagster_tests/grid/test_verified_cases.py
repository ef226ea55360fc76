from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.grid.cells import Grid, build_grid
from htrisk_dagster.grid.verified_cases import count_by_borough_month
from htrisk_dagster.schemas import raw
from htrisk_dagster.schemas.staging import VERIFIED_CASE_COUNTS

WEST, EAST = (300, 500), (1000, 500)  # metres in the invented city
JUNE, JULY = date(2015, 6, 1), date(2015, 7, 1)


@pytest.fixture
def grid(boroughs, precincts) -> Grid:
    return build_grid(
        boroughs, precincts, crs="EPSG:32618", cell_size_m=500, minimum_land_share=0.02
    )


def cases_of(rows: list[tuple[date, tuple[float | None, float | None]]]) -> pl.DataFrame:
    """Cases by day of report and longitude, latitude."""
    return raw.VERIFIED_CASES.conform(
        pl.DataFrame(
            [
                (day, "sex", None, None, lon, lat, "cases.csv", n, date(2016, 1, 1))
                for n, (day, (lon, lat)) in enumerate(rows, start=1)
            ],
            schema=raw.VERIFIED_CASES.polars_schema(),
            orient="row",
        )
    )


def test_counts_below_eleven_are_not_shown(grid, point):
    cases = cases_of(
        [(date(2015, 6, 1 + i), point(*WEST)) for i in range(10)]
        + [(date(2015, 6, 20 + i), point(*EAST)) for i in range(11)]
        + [(date(2015, 7, 1), point(*EAST))]
    )
    found = count_by_borough_month(cases, grid)
    assert found.rows() == [
        ("EAST", JUNE, 11),
        ("EAST", JULY, None),
        ("WEST", JUNE, None),
    ]
    assert VERIFIED_CASE_COUNTS.problems(found) == []


def test_a_case_off_the_grid_or_without_a_point_is_of_no_known_borough(grid, point):
    nowhere: list[tuple[float | None, float | None]] = [
        (None, None),
        (None, point(*WEST)[1]),
        (0.0, 0.0),
        point(9_000, 9_000),
    ]
    cases = cases_of([(JUNE, place) for place in nowhere * 3] + [(JUNE, point(*WEST))] * 12)
    assert count_by_borough_month(cases, grid).rows() == [
        ("WEST", JUNE, 12),
        ("unknown", JUNE, 12),
    ]


def test_months_are_those_of_the_report(grid, point):
    last, first = date(2015, 6, 30), date(2015, 7, 1)
    cases = cases_of([(last, point(*WEST))] * 11 + [(first, point(*WEST))] * 12)
    assert count_by_borough_month(cases, grid).rows() == [("WEST", JUNE, 11), ("WEST", JULY, 12)]


def test_nothing_but_borough_month_and_count_leaves(grid, point):
    found = count_by_borough_month(cases_of([(JUNE, point(*WEST))] * 11), grid)
    assert found.columns == ["borough", "month_on", "cases_count"]


def test_no_case_is_an_empty_table(grid):
    found = count_by_borough_month(raw.VERIFIED_CASES.empty(), grid)
    assert found.equals(VERIFIED_CASE_COUNTS.empty())
