"""Verified cases in the restricted store to suppressed aggregates in the warehouse.

Belongs here: the steps behind `verified_case_counts`, the `evaluation/verified_*` tables and the
funnel. Does not: what is measured and what is hidden (`evaluation/`). Rows of cases and reviews
are read here and go nowhere but into the science.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.fold_results import REFERENCE
from htrisk_dagster.defs.hot_places import read_target
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.daily_ranks import DailyRanks, ranks_of
from htrisk_dagster.evaluation.detection_funnel import (
    FunnelRecords,
    funnel,
    funnel_of,
    records_of,
    stages_reached,
)
from htrisk_dagster.evaluation.release_periods import length_of
from htrisk_dagster.evaluation.verified_counts import count_by_borough_period, place_cases
from htrisk_dagster.evaluation.verified_overlay import overlay
from htrisk_dagster.evaluation.verified_validation import validate
from htrisk_dagster.features.inputs import read_grid
from htrisk_dagster.publishing.funnel_drawing import draw_funnel
from htrisk_dagster.schemas import grid, predictions, raw, staging, verified
from htrisk_dagster.sources.canary_case import without_canary
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.victim_population.published_tables import ALL
from htrisk_dagster.warehouse.partitions import WHOLE, write_text_whole


def store_case_counts(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Count the cases by borough and period, hide what is small; return figures for the UI."""
    placed = _placed(workspace, area)
    counts = count_by_borough_period(placed)
    made_from = MadeFrom(workspace, area).verified_counts()
    workspace.tables(area.name).write(staging.VERIFIED_CASE_COUNTS, counts, made_from=made_from)
    shown = counts["cases_count"].drop_nulls()
    months = length_of(counts)
    return {
        "months_a_period": "nothing can be shown" if months is None else months,
        "borough_periods": counts.height,
        "shown": len(shown),
        "made_from": made_from,
    }


def store_validation(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Measure the maps by the cases, write the three tables; return figures for the UI."""
    store = workspace.tables(area.name)
    made_from = MadeFrom(workspace, area).verified_validation()
    risk = read_risk(workspace, area)
    found = validate(
        _placed(workspace, area),
        _maps(workspace, area, risk),
        seed=workspace.settings.seed,
    )
    laid_over = overlay(
        risk, store.read(grid.CELLS, [WHOLE]), store.read(staging.VERIFIED_CASE_COUNTS, [WHOLE])
    )
    for table, frame in (
        (verified.OVERLAY, laid_over),
        (verified.HIT_RATE, found.hit_rate),
        (verified.LEAD_TIME, found.lead_time),
    ):
        store.write(table, frame, made_from=made_from)
    workspace.build_catalog()
    return {
        "maps": risk["risk_on"].n_unique(),
        "hit_rates": dg.MetadataValue.md(hit_rates_to_markdown(found.hit_rate)),
        "lead_times": dg.MetadataValue.md(lead_times_to_markdown(found.lead_time)),
        "made_from": made_from,
    }


def stages_by_incident(workspace: Workspace, area: StudyArea) -> tuple[pl.DataFrame, FunnelRecords]:
    """How far each incident of the target got on days with a map, and the records it is counted by.

    The frame has incident_id, period and reached.
    """
    reviews = workspace.restricted(area.name).read(raw.REVIEW_DECISIONS, [WHOLE])
    counts = workspace.tables(area.name).read(staging.VERIFIED_CASE_COUNTS, [WHOLE])
    risk, target = read_risk(workspace, area), read_target(workspace, area)
    stages = stages_reached(target.incidents, risk, reviews, target.grid.cells)
    records = records_of(stages, counts)
    on_maps = pl.col("occurred_on").is_in(risk["risk_on"].unique().implode())
    ids = target.incidents.filter(on_maps).select("incident_id")
    return ids.with_columns(records.frame.select("period", "reached")), records


def readers_funnel(
    workspace: Workspace, area: StudyArea, cells: pl.DataFrame, records: FunnelRecords
) -> pl.DataFrame:
    """The funnel of counts that were released together with others; see `publish_series_counts`."""
    restricted, store = workspace.restricted(area.name), workspace.tables(area.name)
    reviews, cases = (restricted.read(t, [WHOLE]) for t in reversed(raw.RESTRICTED_TABLES))
    return funnel_of(
        cells,
        records,
        store.read(staging.VERIFIED_CASE_COUNTS, [WHOLE]),
        read_risk(workspace, area)["risk_on"],
        has_reviews=not reviews.is_empty(),
        has_cases=not without_canary(cases).is_empty(),
    )


def store_funnel(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Count how far incidents got, write table and figure; return figures for the UI."""
    store = workspace.tables(area.name)
    made_from = MadeFrom(workspace, area).detection_funnel()
    restricted = workspace.restricted(area.name)
    reviews, cases = (restricted.read(t, [WHOLE]) for t in reversed(raw.RESTRICTED_TABLES))
    risk = read_risk(workspace, area)
    target = read_target(workspace, area)
    stages, _ = funnel(
        stages_reached(target.incidents, risk, reviews, target.grid.cells),
        store.read(staging.VERIFIED_CASE_COUNTS, [WHOLE]),
        risk["risk_on"],
        has_reviews=not reviews.is_empty(),
        has_cases=not without_canary(cases).is_empty(),
    )
    store.write(verified.FUNNEL, stages, made_from=made_from)
    workspace.build_catalog()
    of_city = stages.filter((pl.col("borough") == ALL) & pl.col("period_on").is_null())
    told = {f"{r['stage']}_count": r["incidents_count"] for r in of_city.iter_rows(named=True)}
    figures = {
        **{name: "not shown" if count is None else count for name, count in told.items()},
        **{f"{r['stage']}_status": r["status"] for r in of_city.iter_rows(named=True)},
        "made_from": made_from,
    }
    if of_city.is_empty():
        return {"status": "too few incidents on days with a map", **figures}
    title = "From report to verification"
    first, last = risk.select(pl.col("risk_on").min(), last=pl.col("risk_on").max()).row(0)
    period = f"{area.title}, target {target.name}, {first} to {last}, days with a map"
    drawing = draw_funnel(of_city, title=title, period=period)
    encoded = base64.b64encode(drawing.encode()).decode()
    path = write_text_whole(funnel_path(workspace, area), drawing)
    return {
        "funnel": dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{encoded})"),
        "figure": dg.MetadataValue.path(path),
        **figures,
    }


def funnel_path(workspace: Workspace, area: StudyArea) -> Path:
    """File of the funnel's figure."""
    return workspace.settings.warehouse / "reports" / area.name / "detection_funnel.svg"


def read_risk(workspace: Workspace, area: StudyArea) -> pl.DataFrame:
    """Risk of every map of the target in force, by day and cell."""
    risk = workspace.tables(area.name).read(predictions.CELL_DAY_RISK)
    name, _ = workspace.target(area)
    columns = ("risk_on", "cell_id", "expected_count", "risk_prob", "rank", "band")
    return risk.filter(pl.col("target") == name).select(columns).sort("risk_on", "cell_id")


def hit_rates_to_markdown(hit_rate: pl.DataFrame) -> str:
    """Hit rates with their intervals, the models and chance side by side."""
    head = "| area, % | model | cases | hit rate, % (95% interval) | at random, % |\n|---|---|---|---|---|"
    lines = [
        f"| {r['budget_pct']:g} | {r['model']} | {_shown(r['located_count'])} | "
        f"{_shown(r['hit_rate_pct'])} ({_shown(r['lower_95_pct'])} to {_shown(r['upper_95_pct'])}) "
        f"| {r['random_pct']:.1f} |"
        for r in hit_rate.sort("budget_pct", "model").iter_rows(named=True)
    ]
    coarse = hit_rate["coarse_pct"].max() if hit_rate.height else None
    share = f"Coarse places, counted by borough only: {_shown(coarse)}% of all cases."
    return "\n".join([head, *lines, "", share])


def lead_times_to_markdown(lead_time: pl.DataFrame) -> str:
    """Lead times beside those of exchanged places."""
    head = "| model | statistic | value | exchanged places (95%) | p |\n|---|---|---|---|---|"
    lines = [
        f"| {r['model']} | {r['statistic']} | {_shown(r['value'])} | {_shown(r['exchanged_mean'])} "
        f"({_shown(r['exchanged_lower_95'])} to {_shown(r['exchanged_upper_95'])}) "
        f"| {_shown(r['p_value_prob'], 3)} |"
        for r in lead_time.iter_rows(named=True)
    ]
    return "\n".join([head, *lines])


def _placed(workspace: Workspace, area: StudyArea) -> pl.DataFrame:
    store = workspace.tables(area.name)
    return place_cases(
        workspace.restricted(area.name).read(raw.VERIFIED_CASES, [WHOLE]),
        read_grid(store, area),
        boroughs=store.read(raw.BOROUGHS, [WHOLE]),
        precincts=store.read(raw.PRECINCTS, [WHOLE]),
    )


def _maps(workspace: Workspace, area: StudyArea, risk: pl.DataFrame) -> DailyRanks:
    """The map as published, and the historical mean's on the same days."""
    store = workspace.tables(area.name)
    days = risk["risk_on"].unique().sort()
    n_cells = store.read(grid.CELLS, [WHOLE]).height
    shape = (len(days), n_cells)
    mean = (
        store.read(predictions.MODEL_FORECASTS, [str(day) for day in days])
        .filter(pl.col("model") == REFERENCE)
        .sort("risk_on", "cell_id")
    )
    expected = mean["expected_count"].to_numpy().reshape(shape)
    ranks = {
        "published map": risk["rank"].to_numpy().reshape(shape),
        REFERENCE: ranks_of(expected),
    }
    return DailyRanks(np.asarray(days.to_numpy(), dtype="datetime64[D]"), ranks)


def _shown(value: object, digits: int = 1) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return "not shown" if value is None else f"{value}"
