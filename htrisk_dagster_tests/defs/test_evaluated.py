"""Which forecast days are compared: those of the target in force that reports reach."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.defs.evaluated import evaluated_days, forecast_days, has_truth
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.schemas.predictions import MODEL_FORECASTS
from htrisk_dagster_tests.defs.small_city import APRIL, MARCH, City

pytestmark = pytest.mark.slow


def test_days_with_truth_are_compared(city_copy: City) -> None:
    days, _ = evaluated_days(city_copy.workspace, city_copy.area)
    assert days == days_of(MARCH[0], APRIL[1])
    assert has_truth(city_copy.workspace, city_copy.area)


def test_a_day_beyond_the_newest_report_has_no_truth(city_copy: City) -> None:
    store = city_copy.workspace.tables("nyc")
    tomorrow = date(2024, 5, 1)
    rows = store.read(MODEL_FORECASTS, [str(APRIL[0])])
    store.drop(MODEL_FORECASTS, store.keys(MODEL_FORECASTS))
    rows = rows.with_columns(pl.lit(tomorrow).alias("risk_on"))
    store.write(MODEL_FORECASTS, rows, str(tomorrow))
    assert not has_truth(city_copy.workspace, city_copy.area)
    with pytest.raises(MissingPartitionError, match="no truth to compare with yet"):
        evaluated_days(city_copy.workspace, city_copy.area)


def test_forecasts_of_another_target_are_left_aside(city_copy: City) -> None:
    store = city_copy.workspace.tables("nyc")
    first = str(APRIL[0])
    rows = store.read(MODEL_FORECASTS, [first]).with_columns(pl.lit("burglary").alias("target"))
    store.write(MODEL_FORECASTS, rows, first)
    assert first not in forecast_days(city_copy.workspace, city_copy.area)
    assert evaluated_days(city_copy.workspace, city_copy.area)[0] == days_of(*APRIL)[1:]
