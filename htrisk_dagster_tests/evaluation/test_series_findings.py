"""Every rule of the tables of area series holds on what is right, and fails on what is wrong."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from htrisk_dagster.evaluation import series_findings as rules
from htrisk_dagster.models.series.aggregation import count_by_area
from htrisk_dagster.models.series.composite_risk import composite_table, score_areas
from htrisk_dagster.models.series.decomposition import decomposition_table
from htrisk_dagster.models.series.panel import SeriesPanel, next_starts
from htrisk_dagster.models.series.staffing import StaffingWish, plan, staffing_table
from htrisk_dagster.schemas.finding import Finding

ROWS = pl.DataFrame({"precinct": [5, 7], "day": [date(2024, 2, 3), date(2024, 3, 1)]})
PERIODS = count_by_area(
    ROWS, area="precinct", day="day", first_day=date(2024, 1, 10), last_day=date(2024, 3, 31),
    frequency="month",
)  # fmt: skip


def forecasts(**changed: object) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "place": ["5", "7", "(all)"],
            "known_before_on": [date(2024, 4, 7)] * 3,
            "made_from_on": [date(2024, 4, 1)] * 3,
            "expected_count": [5.0, 6.0, 11.0],
            "lower_95_count": [2.0, 3.0, 7.0],
            "upper_95_count": [9.0, 9.0, 15.0],
        }
    ).with_columns(**{k: pl.lit(v) for k, v in changed.items()})


def test_calendars() -> None:
    assert rules.calendars_are_whole(PERIODS).holds
    gap = rules.calendars_are_whole(PERIODS.filter(pl.col("period_on") != date(2024, 2, 1)))
    assert "missing between" in gap.sentence
    lacking = (pl.col("place") == "5") & (pl.col("period_on") == date(2024, 2, 1))
    assert not rules.calendars_are_whole(PERIODS.filter(~lacking)).holds
    inside = PERIODS.with_columns(is_partial=pl.col("period_on") == date(2024, 2, 1))
    assert "is partial" in rules.calendars_are_whole(inside).sentence


def test_sums() -> None:
    assert rules.areas_sum_to_total(PERIODS).holds
    more = PERIODS.with_columns(
        incidents_count=pl.when(pl.col("place") == "5").then(9).otherwise(pl.col("incidents_count"))
    )
    assert "more reports in areas" in rules.areas_sum_to_total(more).sentence


def test_bands() -> None:
    found = rules.bands_hold_the_forecast(forecasts())
    assert found.holds
    assert found.figures["median_width"] == 1.0
    assert not rules.bands_hold_the_forecast(forecasts(expected_count=20.0)).holds


def fresh(found: pl.DataFrame, known_before: date = date(2024, 4, 7)) -> Finding:
    return rules.forecasts_are_fresh(found, PERIODS, frequency="month", known_before=known_before)


def test_freshness() -> None:
    assert fresh(forecasts()).holds
    assert (
        "due is 2024-02-22 to 2024-04-07"
        in fresh(forecasts(made_from_on=date(2024, 2, 1))).sentence
    )
    assert not fresh(forecasts(), date(2024, 3, 31)).holds, "begins after what was known"
    # Area 7 has one report in its year, 5 would have twelve.
    assert fresh(forecasts().filter(pl.col("place") != "7")).holds
    steady = PERIODS.with_columns(incidents_count=pl.lit(6))
    lacking = rules.forecasts_are_fresh(
        forecasts().filter(pl.col("place") != "7"), steady, frequency="month",
        known_before=date(2024, 4, 7),
    )  # fmt: skip
    assert "['7']" in lacking.sentence
    assert "too few" in fresh(forecasts().clear()).sentence
    starts = next_starts(np.datetime64("2020-01-01"), 48, "month")
    long = pl.concat(
        PERIODS.head(1).with_columns(period_on=pl.lit(s.astype(object)), is_partial=pl.lit(False))
        for s in starts
    )
    absent = rules.forecasts_are_fresh(
        long.clear(), long, frequency="month", known_before=date(2024, 4, 7)
    )
    assert not absent.holds
    assert "48 whole months were known, and 36 are enough" in absent.sentence


def test_the_lstm_s_year() -> None:
    year = pl.DataFrame({"expected_count": [100.0] * 52, "seasonal_naive_count": [80.0] * 52})
    assert rules.lstm_stays_near_last_year(year).figures == {"expected_over_year_before": 1.25}
    assert rules.lstm_stays_near_last_year(year).holds
    wild = year.with_columns(pl.col("expected_count") * 2)
    assert "2.50 times" in rules.lstm_stays_near_last_year(wild).sentence
    assert not rules.lstm_stays_near_last_year(wild).holds
    assert rules.lstm_stays_near_last_year(year.clear()).holds


def test_parts() -> None:
    counts = np.random.default_rng(1).poisson(50.0, (36, 1)).astype(float)
    panel = SeriesPanel(("5",), next_starts(np.datetime64("2020-01-01"), 36, "month"), counts)
    table = decomposition_table(panel)
    assert rules.parts_give_the_rate(table).holds
    assert not rules.parts_give_the_rate(table.with_columns(pl.col("trend") + 0.1)).holds
    assert rules.parts_give_the_rate(table.clear()).holds


def test_ranks() -> None:
    found = score_areas(np.array([300.0, 200.0, 100.0]), np.array([300.0, 100.0, 200.0]))
    table = composite_table(
        ("a", "b", "c"), np.datetime64("2024-01-01"), found, known_before=date(2024, 1, 7),
        precincts=[1, 2, None],
    )  # fmt: skip
    assert rules.ranks_stand_with_their_sensitivity(table).holds
    wrong = table.with_columns(score_rank=pl.col("worst_rank") + 1)
    assert not rules.ranks_stand_with_their_sensitivity(wrong).holds


def test_plan() -> None:
    wish = StaffingWish(40.0)
    table = staffing_table(
        ("5",), np.datetime64("2024-01-01"), plan(np.array([[2.0, 5.0, 9.0]]), wish), wish,
        known_before=date(2024, 1, 7),
    )  # fmt: skip
    assert rules.plan_adds_up(table).holds
    over = table.with_columns(hours=pl.lit(400.0))
    assert "over the budget" in rules.plan_adds_up(over).sentence
    wrong = table.with_columns(pl.col("covered_count") * 0.5)
    assert "differ from expected" in rules.plan_adds_up(wrong).sentence
