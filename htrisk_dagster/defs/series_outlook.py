"""Forecasts of area series through the graph: months, weeks and days to come, and the weekly LSTM.

Belongs here: what was known when a forecast was made, and the steps behind `series/forecasts`,
`week_forecasts`, `day_forecasts`, their errors, and `weekly_lstm`. Does not: the methods (`models/series`,
`evaluation/series_forecast`), counts (`area_series.py`), what follows from forecasts (`series_plans.py`).

One partition is a month, and the forecast is made on its eighth day, when most of the month before has been
reported: nothing is used that was reported on or after that day less the publication lag. So a past month
can be made again as it would have been, and years of them back-fill in one run. Weeks and days are
made with the months and not each week and each day: what changes from day to day is the risk of cells.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from htrisk_dagster.defs.area_series import (
    KnownIncidents,
    counted,
    known_incidents,
    panels_of,
    write_series,
)
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.models.series.aggregation import TOTAL_AREA
from htrisk_dagster.models.series.panel import Frequency, SeriesPanel
from htrisk_dagster.schemas import series
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.model_files import ModelFiles

if TYPE_CHECKING:
    from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
    from htrisk_dagster.evaluation.series_forecast import PanelForecast

MADE_ON = 8
"""Day of the month on which its forecasts are made."""
EXPERIMENTS: dict[Frequency, str] = {
    "month": "series",
    "week": "series_weeks",
    "day": "series_days",
}
LSTM_WEEKS = 52
_LSTM_MODELS = "series"  # the folder that stands for a target among the models' files


@dataclass(frozen=True)
class Origin:
    """What the forecasts of one month know.

    Parameters
    ----------
    known_before : date
        Nothing reported on or after this day is read.
    incidents : KnownIncidents or None
        None where no source covered six months on end by then.
    """

    known_before: date
    incidents: KnownIncidents | None

    def panels(self, frequency: Frequency) -> list[SeriesPanel]:
        """Panels of the places and of all together; none where there is too little to forecast."""
        from htrisk_dagster.evaluation.series_forecast import SCHEMES, least_periods

        if self.incidents is None:
            return []
        found = panels_of(counted(self.incidents, frequency), least_periods(frequency))
        most = SCHEMES[frequency].most_periods
        return [p.since(max(p.n_periods - most, 0)) for p in found] if most else found


def known_before(area: StudyArea, month: str) -> date:
    """First day whose reports the forecasts of a month do not use."""
    made_on = date.fromisoformat(month).replace(day=MADE_ON)
    return made_on - timedelta(days=area.publication_lag.incidents_days)


def origin_of(workspace: Workspace, area: StudyArea, month: str) -> Origin:
    """Read what the forecasts of a month may use."""
    before = known_before(area, month)
    return Origin(before, known_incidents(workspace, area, before))


def month_of(day: date) -> str:
    """Month whose forecasts are the newest that were made by a day."""
    return str((day - timedelta(days=MADE_ON - 1)).replace(day=1))


def has_months(workspace: Workspace, area: StudyArea, month: str) -> bool:
    """Whether the history before a month is long enough to forecast months, and to say how well."""
    return bool(origin_of(workspace, area, month).panels("month"))


def store_forecasts(
    workspace: Workspace,
    area: StudyArea,
    tracking: MlflowTracking,
    frequency: Frequency,
    months: Sequence[str],
    *,
    run_id: str,
) -> dict[str, dict[str, Any]]:
    """Forecast the coming periods from each month; log each model's errors; write two partitions a month.

    Returns
    -------
    dict
        Figures for the UI by month.
    """
    return {
        month: _store_month(workspace, area, tracking, frequency, month, run_id) for month in months
    }


def _store_month(
    workspace: Workspace,
    area: StudyArea,
    tracking: MlflowTracking,
    frequency: Frequency,
    month: str,
    run_id: str,
) -> dict[str, Any]:
    from htrisk_dagster.evaluation.series_forecast import forecast_panel, series_models

    forecasts, errors = series.FORECAST_TABLES[frequency]
    origin = origin_of(workspace, area, month)
    panels = origin.panels(frequency)
    if not panels:
        for table in (forecasts, errors):
            write_series(workspace, area, table, table.empty(), month)
        return {
            "forecasts": 0,
            "told": f"Too few whole {frequency}s to forecast, and to say how well.",
        }
    seed, profile = workspace.settings.seed, workspace.settings.profile
    made = [
        forecast_panel(p, series_models(p, profile=profile, seed=seed), seed=seed) for p in panels
    ]
    rows = pl.concat([_forecast_rows(origin, p, m) for p, m in zip(panels, made, strict=True)])
    write_series(workspace, area, forecasts, rows, month)
    found = _error_rows(origin, made[0])
    write_series(workspace, area, errors, found, month)
    for (model,), of_model in found.group_by("model", maintain_order=True):
        tracking.log_values(
            f"{area.name}/{EXPERIMENTS[frequency]}",
            str(model),
            dict(of_model.select("metric", "value").rows()),
            {
                "fold": f"{made[0].blind} blind {frequency}s",
                "month": month,
                "chosen": made[0].choice.reason,
            },
            run_id,
        )
    champion = found.filter(model="champion").select("metric", "value").rows()
    return {
        "forecasts": rows.height,
        "known_before": str(origin.known_before),
        "champion": made[0].choice.names[0],
        "reason": made[0].choice.reason,
        **{f"champion_{metric}": value for metric, value in champion if value is not None},
    }


def _forecast_rows(origin: Origin, panel: SeriesPanel, made: PanelForecast) -> pl.DataFrame:
    return (
        _coming(origin, panel, made.expected, made.naive)
        .with_columns(
            model=pl.Series(np.repeat(made.choice.names, len(panel.areas))),
            lower_95_count=pl.Series(made.low.ravel()),
            upper_95_count=pl.Series(made.high.ravel()),
        )
        .select(series.FORECASTS.column_names)
    )


def _coming(
    origin: Origin, panel: SeriesPanel, expected: np.ndarray, naive: np.ndarray
) -> pl.DataFrame:
    """One row a coming period and place: when it was made, what is expected, what repeating would say."""
    horizon, n_places = expected.shape
    starts = panel.coming(horizon)
    return pl.DataFrame(
        {
            "place": list(panel.areas) * horizon,
            "known_before_on": [origin.known_before] * (horizon * n_places),
            "made_from_on": np.full(horizon * n_places, starts[0]),
            "period_on": np.repeat(starts, n_places),
            "ahead": np.repeat(np.arange(1, horizon + 1), n_places),
            "expected_count": expected.ravel(),
            "seasonal_naive_count": naive.ravel(),
        }
    )


def _error_rows(origin: Origin, made: PanelForecast) -> pl.DataFrame:
    rows = [
        (origin.known_before, model, s.metric, made.blind, s.value, s.noise, s.naive)
        for model, scores in made.scores.items()
        for s in scores
    ]
    frame = pl.DataFrame(rows, schema=series.ERRORS.column_names, orient="row")
    return series.ERRORS.conform(frame.fill_nan(None))


def told(workspace: Workspace, area: StudyArea, month: str) -> list[str]:
    """What the forecasts of a month say of the whole area, a line for each length of period."""
    store, lines = workspace.tables(area.name), []
    for frequency, (forecasts, errors) in series.FORECAST_TABLES.items():
        rows = store.read(forecasts, [month])
        if rows.is_empty():
            lines.append(f"By {frequency}: too little history to forecast, and to say how well.")
            continue
        whole = rows.filter(place=TOTAL_AREA, ahead=1).row(0, named=True)
        mase = store.read(errors, [month]).filter(model="champion", metric="mase")["value"][0]
        error = "unknown" if mase is None else f"{mase:.2f}"
        n_places = rows["place"].n_unique()
        lines.append(
            f"By {frequency}: {n_places - 1} areas, {rows.height // n_places} {frequency}s from "
            f"{whole['period_on']}; the first has {whole['expected_count']:.0f} reports of the whole area "
            f"({whole['lower_95_count']:.0f} to {whole['upper_95_count']:.0f}), by {whole['model']}; MASE on "
            f"blind {frequency}s {error}."
        )
    return lines


def store_weekly_lstm(
    workspace: Workspace,
    area: StudyArea,
    tracking: MlflowTracking,
    months: Sequence[str],
    *,
    run_id: str,
) -> dict[str, dict[str, Any]]:
    """Train the LSTM on the weeks known in each month; keep it, log it and write its year by week."""
    return {month: _store_lstm(workspace, area, tracking, month, run_id) for month in months}


def _store_lstm(
    workspace: Workspace, area: StudyArea, tracking: MlflowTracking, month: str, run_id: str
) -> dict[str, Any]:
    from htrisk_dagster.models.series.univariate import SeasonalNaive
    from htrisk_dagster.models.series.weekly_lstm import LEAST_WEEKS, WeeklyLSTM

    origin = origin_of(workspace, area, month)
    panels = origin.panels("week")
    if len(panels) < 2 or panels[0].n_periods < LEAST_WEEKS:
        write_series(workspace, area, series.WEEKLY_LSTM, series.WEEKLY_LSTM.empty(), month)
        told = f"The LSTM is trained on {LEAST_WEEKS} weeks of more places than one, or on none."
        return {"forecasts": 0, "told": told}
    weeks, settings = panels[0], workspace.settings
    model = WeeklyLSTM(settings.seed)
    if settings.profile == "smoke":
        model = replace(model, epochs=1, steps=5, batch=64)
    fitted = model.fit(weeks)
    naive = SeasonalNaive().forecast(weeks, LSTM_WEEKS)
    rows = _coming(origin, weeks, fitted.forecast(weeks, LSTM_WEEKS), naive)
    write_series(workspace, area, series.WEEKLY_LSTM, rows, month)
    figures = {
        "validation_loss": min(fitted.curve),
        "passes": float(len(fitted.curve)),
        "weeks": float(weeks.n_periods),
    }
    weights = io.BytesIO()
    np.savez(weights, **fitted.weights)  # type: ignore[arg-type]
    card = {"known_before": origin.known_before, "seed": settings.seed, **figures}
    ModelFiles(settings.warehouse / "models", area.name, _LSTM_MODELS).write(
        month, series.WEEKLY_LSTM.name, {"weights.npz": weights.getvalue()}, card
    )
    tracking.log_values(
        f"{area.name}/{EXPERIMENTS['week']}",
        series.WEEKLY_LSTM.name,
        figures,
        {"month": month},
        run_id,
    )
    return {"forecasts": rows.height, "known_before": str(origin.known_before), **figures}
