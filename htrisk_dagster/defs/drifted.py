"""Drift of the newest scored days: what is read, and the table that is written.

Belongs here: the step behind `evaluation/drift`. Does not: the statistics (`evaluation/input_drift`,
`evaluation/calibration_drift`), the alarm (`sensors.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import polars as pl

from htrisk_dagster.defs.evaluated import evaluated_days, forecast_days
from htrisk_dagster.defs.featured import read_days
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.evaluation.calibration_drift import calibration_drift
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.evaluation.input_drift import RECENT_WEEKS, InputProfile, input_drift
from htrisk_dagster.evaluation.training import waiting_days
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.schemas.predictions import DRIFT, MODEL_FORECASTS
from htrisk_dagster.study_areas.area import StudyArea

_LONGEST_DAYS = 364


def store_drift(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Compare the newest scored days with what the champion was trained for; return figures."""
    days = forecast_days(workspace, area)
    if not days:
        raise MissingPartitionError(
            f"No day of area '{area.name}' has been forecast. Materialise "
            f"{area.name}/predictions/model_forecasts for some days first."
        )
    month = workspace.models(area).newest_month(CHAMPION, date.fromisoformat(days[-1]))
    found = [*_inputs(workspace, area, days, month), *_calibration(workspace, area, month)]
    columns = ("watched", "measure", "statistic", "lower", "upper", "is_alarm")
    rows = pl.concat([frame.select(columns) for frame in found]) if found else DRIFT.empty()
    drift = DRIFT.conform(
        rows.with_columns(
            pl.lit(date.fromisoformat(days[-1])).alias("as_of_on"),
            pl.lit(date.fromisoformat(month)).alias("champion_month_on"),
        )
    )
    made_from = MadeFrom(workspace, area).drift()
    workspace.tables(area.name).write(DRIFT, drift, made_from=made_from)
    return {
        "as_of": days[-1],
        "champion_month": month,
        "alarms": ", ".join(drift.filter("is_alarm")["measure"]) or "none",
        "made_from": made_from,
    }


def _inputs(
    workspace: Workspace, area: StudyArea, days: list[str], month: str
) -> Iterator[pl.DataFrame]:
    last = date.fromisoformat(days[-1])
    wanted = days_of(last - timedelta(days=7 * RECENT_WEEKS - 1), last)
    if not {*wanted} <= {*days}:
        return
    profile = InputProfile.from_bytes(workspace.models(area).read(month, CHAMPION))
    yield input_drift(profile, read_days(workspace, area, wanted)).with_columns(
        pl.lit("inputs").alias("watched"),
        pl.lit(None, pl.Float64).alias("lower"),
        # Training too short for the rate: there is no limit.
        pl.when(pl.col("upper").is_finite()).then("upper").alias("upper"),
    )


def _calibration(workspace: Workspace, area: StudyArea, month: str) -> Iterator[pl.DataFrame]:
    try:
        days, inputs = evaluated_days(workspace, area)
    except MissingPartitionError:
        return
    rows = inputs.target.select(inputs.incidents)
    wait = waiting_days(rows, date.fromisoformat(days[-1]) + timedelta(days=1))
    whole = days[: len(days) - wait][-_LONGEST_DAYS:]
    if not whole:
        return
    forecasts = workspace.tables(area.name).read(MODEL_FORECASTS, whole)
    expected = (
        forecasts.filter(pl.col("model") == CHAMPION)
        .group_by("risk_on")
        .agg(pl.col("expected_count").sum())
        .sort("risk_on")["expected_count"]
    )
    card = workspace.models(area).card(month, CHAMPION)
    yield calibration_drift(
        target_counts(inputs, whole).sum(axis=1),
        expected.to_numpy(),
        overdispersion=float(card["overdispersion"]),
    ).with_columns(pl.lit("calibration").alias("watched"))
