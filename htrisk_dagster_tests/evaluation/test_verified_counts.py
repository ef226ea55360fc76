from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
import shapely
from htrisk_dagster.evaluation.verified_counts import (
    BY_PERIOD,
    count_by_borough_period,
    place_cases,
    release,
)
from htrisk_dagster.grid.cells import Grid, build_grid
from htrisk_dagster.schemas import raw
from htrisk_dagster.schemas.staging import VERIFIED_CASE_COUNTS
from htrisk_dagster.sources.canary_case import Canary, planted
from htrisk_dagster.victim_population.disclosure_attack import attack
from htrisk_dagster.victim_population.published_tables import TableSpec
from pyproj import Transformer

CRS = "EPSG:32618"
_degrees = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
JUNE, JULY = date(2015, 6, 1), date(2015, 7, 1)


def point(x_m: float, y_m: float) -> tuple[float, float]:
    lon, lat = _degrees.transform(585_000 + x_m, 4_510_000 + y_m)
    return float(lon), float(lat)


def rectangle(west: float, south: float, east: float, north: float) -> bytes:
    corners = [(west, south), (east, south), (east, north), (west, north)]
    return bytes(shapely.to_wkb(shapely.Polygon([point(*corner) for corner in corners])))


BOROUGHS = pl.DataFrame(
    {
        "borough": ["WEST", "EAST"],
        "geometry": [rectangle(0, 0, 2000, 4000), rectangle(2000, 0, 4000, 4000)],
    }
)
PRECINCTS = pl.DataFrame(
    {"precinct": [1], "geometry": [rectangle(0, 0, 4000, 4000)]},
    schema={"precinct": pl.Int32, "geometry": pl.Binary},
)


@pytest.fixture(scope="module")
def grid() -> Grid:
    return build_grid(BOROUGHS, PRECINCTS, crs=CRS, cell_size_m=500, minimum_land_share=0.02)


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


def placed_of(grid: Grid, rows: list[tuple[date, tuple[float | None, float | None]]]):
    return place_cases(cases_of(rows), grid, boroughs=BOROUGHS, precincts=PRECINCTS)


def spread(n: int, west: float) -> list[tuple[float, float]]:
    """Points that no two cases share."""
    return [point(west + 100 + 7 * i, 310 + 11 * i) for i in range(n)]


def test_a_heap_of_cases_or_a_centroid_is_coarse_and_keeps_its_borough(grid):
    centroid = tuple(
        float(c) for c in shapely.get_coordinates(
            shapely.centroid(shapely.from_wkb(BOROUGHS["geometry"][1])))[0]
    )  # fmt: skip
    nowhere = [(None, None), (0.0, 0.0), point(9_000, 9_000)]
    places = [*[point(300, 300)] * 5, *spread(3, 0), centroid, *nowhere, *[point(310, 900)] * 4]
    placed = placed_of(grid, [(JUNE, place) for place in places])

    exact = [*["coarse"] * 5, *["exact"] * 3, "coarse", *["none"] * 3, *["exact"] * 4]
    assert placed["place"].to_list() == exact
    boroughs = [*["WEST"] * 8, "EAST", *["unknown"] * 3, *["WEST"] * 4]
    assert placed["borough"].to_list() == boroughs
    assert (placed["cell_id"].is_not_null() == (placed["place"] == "exact")).all()
    assert placed.columns == ["reported_on", "borough", "place", "cell_id"]


def test_the_planted_case_goes_no_further(grid):
    cases = cases_of([(JUNE, place) for place in spread(3, 0)])
    with_canary = planted(cases, Canary("planted canary 1", *point(1234.5, 678.9)))
    placed, alone = (
        place_cases(c, grid, boroughs=BOROUGHS, precincts=PRECINCTS) for c in (with_canary, cases)
    )
    assert placed.equals(alone)


def test_five_rows_of_two_hundred_are_no_heap(grid):
    places = [*[point(3000, 300)] * 5, *spread(150, 0)]
    placed = placed_of(grid, [(JUNE, place) for place in places])
    assert set(placed["place"]) == {"exact"}, "five are 3%, less than 5%"


def counts_of(numbers: dict[tuple[str, date], int]) -> pl.DataFrame:
    rows = [(day, borough) for (borough, day), n in numbers.items() for _ in range(n)]
    return pl.DataFrame(rows, schema=["reported_on", "borough"], orient="row")


def test_a_small_count_is_hidden_with_what_would_give_it_away():
    """3 of 3 + 30 + 40 + 50: the margins are shown, so that a square of four must be hidden."""
    placed = counts_of({("A", JUNE): 3, ("A", JULY): 30, ("B", JUNE): 40, ("B", JULY): 50})
    found = count_by_borough_period(placed)
    shown = {(b, on): n for b, on, _, n in found.rows()}

    assert VERIFIED_CASE_COUNTS.problems(found) == []
    assert shown["(all)", None] == 123
    assert shown["A", JUNE] is None
    hidden = [key for key, n in shown.items() if n is None]
    assert len(hidden) >= 4
    assert all(n >= 11 for n in shown.values() if n)


def test_without_a_small_count_all_is_shown():
    placed = counts_of({("A", JUNE): 11, ("B", JUNE): 20, ("B", JULY): 14})
    found = count_by_borough_period(placed)
    assert found.filter(pl.col("period_on").is_null()).rows() == [
        ("(all)", None, None, 45), ("A", None, None, 11), ("B", None, None, 34),
    ]  # fmt: skip
    assert found.filter(borough="A").rows()[:2] == [("A", JUNE, 1, 11), ("A", JULY, 1, 0)]


def test_months_are_those_of_the_report():
    day = [date(2015, 6, 30)] * 11 + [date(2015, 7, 1)] * 12
    found = count_by_borough_period(pl.DataFrame({"reported_on": day, "borough": "A"}))
    assert found.filter(borough="A").rows() == [
        ("A", JUNE, 1, 11), ("A", JULY, 1, 12), ("A", None, None, 23),
    ]  # fmt: skip


def test_where_months_would_hide_all_the_periods_are_longer():
    """120 cases in two boroughs and 12 months, five a borough and month: quarters have fifteen."""
    days = pl.date_range(date(2015, 1, 1), date(2015, 12, 31), eager=True).gather_every(3)[:120]
    both = [pl.DataFrame({"reported_on": days[i::2], "borough": b}) for i, b in enumerate("AB")]
    found = count_by_borough_period(pl.concat(both))
    assert found["months_count"].drop_nulls().unique().to_list() == [3]
    assert found["cases_count"].null_count() == 0
    quarters = found.filter(pl.col("period_on").is_not_null(), borough="(all)")
    assert [on.month for on in quarters["period_on"]] == [1, 4, 7, 10]
    by_hand = [int(((days.dt.month() - 1) // 3 == q).sum()) for q in range(4)]
    assert quarters["cases_count"].to_list() == by_hand


def test_few_or_no_cases_are_an_empty_table():
    none = pl.DataFrame(schema={"reported_on": pl.Date, "borough": pl.String})
    assert count_by_borough_period(none).equals(VERIFIED_CASE_COUNTS.empty())
    assert count_by_borough_period(counts_of({("A", JUNE): 10})).is_empty()


@pytest.mark.parametrize("seed", range(6))
def test_the_attacker_recovers_nothing(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 160))
    records = pl.DataFrame(
        {
            "borough": rng.choice(["A", "B", "C", "D"], n, p=[0.5, 0.3, 0.15, 0.05]),
            "period": [f"2015-{m:02d}-01" for m in rng.integers(1, 7, n)],
        }
    )
    published = release(records, [BY_PERIOD])
    assert published[0].cells["count"].null_count() > 0
    assert attack(published) == []


def test_the_attacker_sees_counts_that_are_hidden_without_complements():
    """The same attack on bare suppression, as it was: it could fail."""
    records = pl.DataFrame({"borough": ["A"] * 3 + ["B"] * 60, "period": ["2015-06"] * 63})
    published = release(records, [TableSpec("t", ("borough", "period"))])[0]
    bare = published.cells.with_columns(
        pl.when(pl.col("borough") == "A").then(None).otherwise(
            pl.when(pl.col("borough") == "B").then(60).otherwise(63)
        ).cast(pl.Int64).alias("count")
    )  # fmt: skip
    found = attack([type(published)(published.spec, 11, bare, "")])
    assert {r.least for r in found} == {3}
