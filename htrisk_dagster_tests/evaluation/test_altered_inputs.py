from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.altered_inputs import (
    with_incidents_anywhere,
    with_incidents_on_other_days,
    with_rewritten_future,
    without_future,
)
from htrisk_dagster.features.feature_matrix import build_block
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas import staging
from htrisk_dagster_tests.evaluation.planted_leaks import FIRST, N_CELLS, small_city

DAY = date(2024, 6, 1)
CUTOFF = date(2024, 5, 31)


@pytest.fixture(scope="module")
def inputs():
    days = pl.date_range(date(2023, 4, 1), date(2024, 6, 20), eager=True)
    months = pl.date_range(date(2022, 12, 1), date(2024, 6, 1), "1mo", eager=True)
    passengers = staging.MOBILITY.conform(
        pl.concat(
            pl.DataFrame(
                {
                    "series": name, "period_on": periods, "period": period,
                    "passengers_count": np.arange(len(periods)) + 100,
                }
            )
            for name, period, periods in (
                ("airport_jfk", "month", months), ("transit_subway", "day", days),
            )
        )
    )  # fmt: skip
    return replace(small_city(3).inputs, mobility=passengers)


def test_nothing_reported_from_the_cutoff_on_is_left(inputs):
    kept = without_future(inputs, DAY).incidents
    assert kept["reported_on"].max() == CUTOFF - timedelta(days=1)
    known = inputs.incidents.filter(pl.col("reported_on") < CUTOFF)
    assert kept.equals(known)
    assert 0 < kept.height < inputs.incidents.height


def test_passengers_are_taken_out_by_the_lag_of_their_series(inputs):
    # Transit is known two days before, the airport's months 45 days after they end.
    kept = without_future(inputs, DAY).mobility
    newest = dict(kept.group_by("series").agg(pl.col("period_on").max()).iter_rows())
    assert newest == {"transit_subway": date(2024, 5, 29), "airport_jfk": date(2024, 3, 1)}


@pytest.mark.parametrize("day", [DAY, date(2024, 4, 15), date(2024, 5, 16)])
def test_features_use_all_that_is_left_and_nothing_else(inputs, day):
    def made(from_inputs):
        return build_block(from_inputs, day, day + timedelta(days=1), with_counts=False).features

    usual = made(inputs)
    for altered in (without_future(inputs, day), with_rewritten_future(inputs, day, seed=1)):
        assert np.array_equal(made(altered), usual, equal_nan=True)
    # A day later the newest rows known do matter.
    assert not np.array_equal(made(without_future(inputs, day - timedelta(days=1))), usual)


def test_a_rewritten_future_is_another_future_and_the_same_past(inputs):
    altered = with_rewritten_future(inputs, DAY, seed=1)
    is_past = pl.col("reported_on") < CUTOFF
    past, future = altered.incidents.filter(is_past), altered.incidents.filter(~is_past)
    assert past.equals(inputs.incidents.filter(is_past))
    before = inputs.incidents.filter(~is_past)
    assert future.height == (before.height + 1) // 2
    kept = before.join(future, on="incident_id", suffix="_new")
    assert (kept["cell_id"] != kept["cell_id_new"]).mean() > 0.5
    assert (kept["occurred_on"] != kept["occurred_on_new"]).mean() > 0.5
    assert (
        altered.mobility["passengers_count"] != inputs.mobility["passengers_count"]
    ).sum() == 22 + 3


def test_a_random_city_keeps_delays_and_nothing_else(inputs):
    altered = with_incidents_anywhere(inputs, seed=2).incidents
    assert altered.height == inputs.incidents.height
    delay = pl.col("reported_on") - pl.col("occurred_on")
    assert altered.select(delay).equals(inputs.incidents.select(delay))
    per_cell = altered["cell_id"].value_counts()["count"].to_numpy()
    # Poisson over cells: no more spread than chance gives.
    assert len(per_cell) == N_CELLS
    assert per_cell.var() / per_cell.mean() < 2
    per_day = altered["occurred_on"].value_counts()["count"].to_numpy()
    assert 0.6 < per_day.var() / per_day.mean() < 1.6
    assert (altered["occurred_on"] >= FIRST).all()
    grid_tables.INCIDENT_CELLS.conform(altered)


def test_shuffled_days_keep_the_incidents_of_each_cell(inputs):
    altered = with_incidents_on_other_days(inputs, seed=2).incidents
    assert altered["cell_id"].equals(inputs.incidents["cell_id"])
    assert (altered["occurred_on"] != inputs.incidents["occurred_on"]).mean() > 0.9
    earlier = replace(inputs, history_start=date(2024, 3, 1))
    shuffled = with_incidents_on_other_days(earlier, seed=2).incidents
    before = inputs.incidents["occurred_on"] < date(2024, 3, 1)
    assert shuffled.filter(before).equals(inputs.incidents.filter(before))
