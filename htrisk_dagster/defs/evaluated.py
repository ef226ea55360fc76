"""Evaluation of the days that have been forecast and whose truth is in.

Belongs here: the steps behind the `evaluation` assets. Does not: metrics (`evaluation/`).
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.defs.city_truth import ceiling_table
from htrisk_dagster.defs.featured import inputs_until, sources_table
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.trained import months_for, read_fold_forecasts
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.evaluation.champion import REFERENCE
from htrisk_dagster.evaluation.comparison import compare, to_markdown
from htrisk_dagster.evaluation.ensemble import FORECASTS
from htrisk_dagster.evaluation.thresholds import threshold_table
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import newest_report, target_counts
from htrisk_dagster.models.count_distribution import probability_of_any
from htrisk_dagster.schemas.predictions import MODEL_COMPARISON, MODEL_FORECASTS, THRESHOLDS
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import write_text_whole

_N_RESAMPLES = 500


def store_evaluation(workspace: Workspace, area: StudyArea) -> tuple[Path, list[str]]:
    """Compare all models on the forecast days with truth; write tables and the report.

    Returns
    -------
    path, list of str
        The report in Markdown, and the days it covers.
    """
    store = workspace.tables(area.name)
    made_from = MadeFrom(workspace, area).comparison()
    days, inputs = evaluated_days(workspace, area)
    forecasts = read_forecasts(workspace, area, days, inputs.grid.n_cells)
    counts = target_counts(inputs, days)
    active = active_cells(inputs, date.fromisoformat(days[0]))
    comparison = compare(
        counts, forecasts, active=active, n_resamples=_N_RESAMPLES, seed=workspace.settings.seed
    )
    ceilings = ceiling_table(workspace, area, inputs, days, forecasts[REFERENCE], active)
    comparison = pl.concat([comparison, ceilings])
    store.write(MODEL_COMPARISON, comparison, made_from=made_from)
    thresholds = _thresholds(workspace, area, days, counts, forecasts)
    store.write(THRESHOLDS, thresholds, made_from=made_from)
    _, target = workspace.target(area)
    report = "\n\n".join(
        [
            f"# Models for {target.title} in {area.title}, {days[0]} to {days[-1]}",
            _comparison_text(comparison, "active", counts[:, active]),
            _comparison_text(comparison, "land", counts),
            _thresholds_text(thresholds),
            f"## Sources\n\n{sources_table(workspace, area, inputs, date.fromisoformat(days[-1]))}",
        ]
    )
    return write_text_whole(report_path(workspace, area), report + "\n"), days


def report_path(workspace: Workspace, area: StudyArea) -> Path:
    """File of the comparison report."""
    return workspace.settings.warehouse / "reports" / area.name / "model_comparison.md"


def evaluated_days(workspace: Workspace, area: StudyArea) -> tuple[list[str], FeatureInputs]:
    """Newest unbroken run of forecast days that reports reach, and what their truth comes from.

    Raises
    ------
    MissingPartitionError
        Where no forecast day has its truth yet.
    """
    target, _ = workspace.target(area)
    keys = forecast_days(workspace, area)
    if not keys:
        raise MissingPartitionError(
            f"No day of the target '{target}' has been forecast in area '{area.name}'. "
            f"Materialise {area.name}/predictions/model_forecasts for some days first."
        )
    inputs = inputs_until(workspace, area, date.fromisoformat(keys[-1]))
    newest = newest_report(inputs)
    known = [k for k in keys if k <= str(newest)]
    if not known:
        raise MissingPartitionError(
            f"Forecasts of area '{area.name}' start on {keys[0]}, after the newest report of "
            f"{newest}: there is no truth to compare with yet."
        )
    first = last = date.fromisoformat(known[-1])
    have = set(known)
    while (first - timedelta(days=1)).isoformat() in have:
        first -= timedelta(days=1)
    return days_of(first, last), inputs


def forecast_days(workspace: Workspace, area: StudyArea) -> list[str]:
    """Days that have been forecast for the target in force; another target's are left aside."""
    store = workspace.tables(area.name)
    target, _ = workspace.target(area)
    made = store.read(MODEL_FORECASTS).filter(pl.col("target") == target)
    return [str(day) for day in made["risk_on"].unique().sort()]


def has_truth(workspace: Workspace, area: StudyArea) -> bool:
    """Whether reports reach any day that has been forecast."""
    days = forecast_days(workspace, area)
    newest = newest_report(inputs_until(workspace, area, date.fromisoformat(days[-1])))
    return newest is not None and days[0] <= newest.isoformat()


def read_forecasts(
    workspace: Workspace, area: StudyArea, days: list[str], n_cells: int
) -> dict[str, NDArray[np.float64]]:
    """Expected counts of each model, shape (D, C)."""
    frame = workspace.tables(area.name).read(MODEL_FORECASTS, days)
    ordered = frame.sort("model", "risk_on", "cell_id").partition_by("model", as_dict=True)
    return {
        name: ordered[(name,)]["expected_count"].to_numpy().reshape(len(days), n_cells)
        for name in FORECASTS
    }


def active_cells(inputs: FeatureInputs, before: date) -> NDArray[np.bool_]:
    """Cells with a reported incident of any kind before a day, shape (C,)."""
    rows = inputs.series[0].select(inputs.incidents)
    if rows.is_empty():
        rows = inputs.target.select(inputs.incidents)
    known = rows.filter((pl.col("reported_on") < before) & pl.col("cell_id").is_not_null())
    active = np.zeros(inputs.grid.n_cells, dtype=bool)
    active[known["cell_id"].unique().to_numpy()] = True
    return active


def _thresholds(
    workspace: Workspace,
    area: StudyArea,
    days: list[str],
    counts: NDArray[np.float32],
    forecasts: dict[str, NDArray[np.float64]],
) -> pl.DataFrame:
    models = workspace.models(area)
    months = months_for(workspace, area, date.fromisoformat(days[0]))
    size = {n: float(models.card(month, n)["dispersion"]) for n, month in months.items()}
    folds = {
        n: [probability_of_any(f, size[n]) for f in read_fold_forecasts(workspace, area, m, n)]
        for n, m in months.items()
    }
    tested = {n: probability_of_any(f, size[n]) for n, f in forecasts.items()}
    return threshold_table(folds, counts, tested)


def _comparison_text(comparison: pl.DataFrame, mask: str, counts: NDArray[np.float32]) -> str:
    heading = {
        "active": "## On active cells (an incident of any kind before the first day)",
        "land": "## On all land cells",
    }[mask]
    n_days, n_cells = counts.shape
    table = to_markdown(
        comparison, mask, n_days=n_days, n_cells=n_cells, n_incidents=int(counts.sum())
    )
    return f"{heading}\n\n{table}"


def _thresholds_text(thresholds: pl.DataFrame) -> str:
    head = "| model | budget, % of cell-days | threshold | flagged, % | recall, % | precision, % |"
    lines = [
        "## Thresholds tuned on the folds, on all land cells",
        "",
        head,
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['model']} | {r['budget_pct']:g} | {r['threshold_prob']:.2g} | {r['flagged_pct']:.2f} "
        f"| {_shown(r['recall_pct'])} | {_shown(r['precision_pct'])} |"
        for r in thresholds.iter_rows(named=True)
    ]
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
