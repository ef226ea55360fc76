from __future__ import annotations

import polars as pl
import pytest
from htrisk_dagster.features.staffing import officer_trends, staffing
from htrisk_dagster_tests.sources.nibrs_deliveries import (
    REAL_NIBRS,
    needs_real_nibrs,
    read_agencies,
)


def agency_rows(*rows: tuple[str, int, int, int | None, int | None]) -> pl.DataFrame:
    """Agency, year, residents, male and female officers."""
    schema = {
        "agency_id": pl.String, "year": pl.Int32, "residents_count": pl.Int64,
        "male_officers_count": pl.Int64, "female_officers_count": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        agency=pl.concat_str(pl.lit("Town "), "agency_id"), agency_type=pl.lit("City"),
        male_civilians_count=pl.lit(1, pl.Int64), female_civilians_count=pl.lit(2, pl.Int64),
    )  # fmt: skip


AGENCIES = agency_rows(
    ("1", 2021, 10_000, 16, 4), ("1", 2022, 12_000, None, None), ("1", 2024, 12_500, 20, 5),
    ("2", 2022, 0, 9, 1), ("2", 2024, 0, 8, None),
)  # fmt: skip


def test_a_year_without_a_count_takes_the_latest_and_says_so():
    rows = staffing(AGENCIES, range(2020, 2023)).filter(agency_id="1")
    found = rows.select(
        "year", "officers_count", "counted_year", "is_carried", "residents_count", "residents_year"
    )
    assert found.rows() == [
        (2020, 25, 2024, True, 10_000, 2021), (2021, 20, 2021, False, 10_000, 2021),
        (2022, 25, 2024, True, 12_000, 2022), (2024, 25, 2024, False, 12_500, 2024),
    ]  # fmt: skip
    assert rows["latest_officers_count"].to_list() == [25] * 4
    assert rows["latest_officers_per_1000"].to_list() == pytest.approx([2.5, 2.5, 25 / 12, 2.0])
    assert rows["officers_per_1000"].to_list() == pytest.approx([2.5, 2.0, 25 / 12, 2.0])
    assert rows["female_officers_pct"].to_list() == pytest.approx([20.0] * 4)


def test_half_a_count_is_none_and_an_agency_without_residents_has_no_ratio():
    rows = staffing(AGENCIES, range(2022, 2023)).filter(agency_id="2").sort("year")
    assert rows.select("year", "officers_count", "counted_year", "is_carried").rows() == [
        (2021, 10, 2022, True), (2022, 10, 2022, False), (2024, 10, 2022, True),
    ]  # fmt: skip
    assert rows["officers_per_1000"].null_count() == 3


def test_trends_are_of_counted_years_and_the_state_of_agencies_always_counted():
    agencies = agency_rows(
        ("1", 2021, 10_000, 16, 4), ("1", 2022, 10_000, 18, 4), ("2", 2022, 5_000, 7, 3),
        ("3", 2021, 2_000, 4, 0), ("3", 2022, 2_000, 2, 1),
    )  # fmt: skip
    found = officer_trends(agencies, state="Somewhere")
    columns = (
        "agency",
        "year",
        "officers_count",
        "agencies_counted_count",
        "officers_change_count",
    )
    assert found.select(columns).rows() == [
        ("Somewhere", 2021, 24, 2, None), ("Somewhere", 2022, 25, 2, 1),
        ("Town 1", 2021, 20, 1, None), ("Town 1", 2022, 22, 1, 2), ("Town 2", 2022, 10, 1, None),
        ("Town 3", 2021, 4, 1, None), ("Town 3", 2022, 3, 1, -1),
    ]  # fmt: skip
    assert found["officers_change_pct"].to_list() == pytest.approx([0, 100 / 24, 0, 10, 0, 0, -25])
    assert found.filter(agency="Town 3")["female_officers_pct"].to_list() == pytest.approx(
        [0, 100 / 3]
    )


@pytest.mark.real_data
@needs_real_nibrs
def test_connecticuts_officers_from_2021_to_2024():
    agencies = read_agencies(REAL_NIBRS).kept.filter(state="CT")
    rows = staffing(agencies, range(2021, 2023))
    assert rows.filter("is_municipality")["agency_id"].n_unique() == 95
    carried = rows.filter("is_carried").select("agency", "year", "counted_year").rows()
    assert carried == [
        ("Yale University", 2022, 2024), ("Montville", 2021, 2024), ("Montville", 2022, 2024)
    ]  # fmt: skip
    trends = officer_trends(agencies, state="Connecticut").filter(agency_id="state")
    assert trends["agencies_counted_count"].to_list() == [106] * 4
    counted = agencies.filter(pl.col("year") == 2021, pl.col("agency") != "Yale University")
    both = counted["male_officers_count"].sum() + counted["female_officers_count"].sum()
    assert trends["officers_count"][0] == both
    # The FBI's own rate, officers to 1,000 residents, is given to one digit.
    ansonia = rows.filter(agency="Ansonia", year=2024)["officers_per_1000"][0]
    assert round(ansonia, 1) == 2.3
