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

ROWS = pl.DataFrame({"precinct": [5, 7], "day": [date(2024, 2, 3), date(2024, 3, 1)]})
PERIODS = count_by_area(
    ROWS, area="precinct", day="day", first_day=date(2024, 1, 10), last_day=date(2024, 3, 31),
    frequency="month",
)  # fmt: skip


def forecasts(**changed: object) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "place": ["5", "7", "(all)"],
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


def test_freshness() -> None:
    assert rules.forecasts_are_fresh(forecasts(), PERIODS).holds
    old = rules.forecasts_are_fresh(forecasts(made_from_on=date(2024, 3, 1)), PERIODS)
    assert "due is 2024-04-01" in old.sentence
    assert "['7']" in rules.forecasts_are_fresh(
        forecasts().filter(pl.col("place") != "7"), PERIODS
    ).sentence  # fmt: skip
    assert "too few" in rules.forecasts_are_fresh(forecasts().clear(), PERIODS).sentence


def test_parts() -> None:
    counts = np.random.default_rng(1).poisson(50.0, (36, 1)).astype(float)
    panel = SeriesPanel(("5",), next_starts(np.datetime64("2020-01-01"), 36, "month"), counts)
    table = decomposition_table(panel)
    assert rules.parts_give_the_rate(table).holds
    assert not rules.parts_give_the_rate(table.with_columns(pl.col("trend") + 0.1)).holds
    assert rules.parts_give_the_rate(table.clear()).holds


def test_ranks() -> None:
    found = score_areas(np.array([300.0, 200.0, 100.0]), np.array([300.0, 100.0, 200.0]))
    table = composite_table(("a", "b", "c"), np.datetime64("2024-01-01"), found)
    assert rules.ranks_stand_with_their_sensitivity(table).holds
    wrong = table.with_columns(score_rank=pl.col("worst_rank") + 1)
    assert not rules.ranks_stand_with_their_sensitivity(wrong).holds


def test_plan() -> None:
    wish = StaffingWish(40.0)
    table = staffing_table(
        ("5",), np.datetime64("2024-01-01"), plan(np.array([[2.0, 5.0, 9.0]]), wish), wish
    )
    assert rules.plan_adds_up(table).holds
    over = table.with_columns(hours=pl.lit(400.0))
    assert "over the budget" in rules.plan_adds_up(over).sentence
    wrong = table.with_columns(pl.col("covered_count") * 0.5)
    assert "differ from expected" in rules.plan_adds_up(wrong).sentence
