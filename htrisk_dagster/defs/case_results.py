"""CTDC: from a folder of case files to results, in a store of its own.

Belongs here: the steps behind the `victim_population` assets. Does not: cleaning, models and
disclosure control (`victim_population/`), anything about places: neither store knows the other.

Everything here but `published/` is restricted: counts below 11 stand in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SettingError, TableError
from htrisk_dagster.schemas import victim_population as tables
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.victim_population import (
    clusters,
    data_source_effect,
    extrapolation,
    flows,
    logit,
    logit_models,
    tactics,
    trends,
    yearly_forecast,
)
from htrisk_dagster.victim_population.heat_map import draw_heat_map
from htrisk_dagster.victim_population.preview import as_markdown
from htrisk_dagster.victim_population.published_tables import K, PublishedTable
from htrisk_dagster.warehouse.exported_csv import csv_for_people
from htrisk_dagster.warehouse.partitions import (
    Partitions,
    files_fingerprint,
    write_text_whole,
)

DATA_SET = "ctdc"
_SHOWN = ("coefficient", "standard_error", "odds_ratio", "odds_ratio_lower", "odds_ratio_upper")
_RECIPES: tuple[logit_models.Recipe, ...] = ("seed", "known_only")
SURVEY_THOUSANDS = {"man": 10_656.0, "woman": 5_361.0}
CLUSTER_COLUMNS = ("age_midpoint_years", "gender", "is_sexual_exploit", "year_of_registration")
CLUSTER_AXES = ("age_midpoint_years", "gender", "year_of_registration")

_TREND_TABLES: Mapping[Table, Callable[[pl.DataFrame], pl.DataFrame]] = {
    tables.YEARLY_COUNTS: trends.yearly_counts,
    tables.SOURCE_CONTRAST: lambda r: trends.source_contrast(r, "is_sexual_exploit"),
    tables.TACTICS: tactics.rank_tactics,
    tables.FLOWS: flows.flow_counts,
    tables.COUNTRY_PROFILES: flows.country_profiles,
}


def case_store(workspace: Workspace) -> Partitions:
    """Store of the case tables, a folder only the owner can enter."""
    root = workspace.settings.workspace / "cases"
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    return Partitions(root, DATA_SET)


def published_folder(workspace: Workspace) -> Path:
    """Folder of what may leave."""
    return workspace.settings.published / DATA_SET


def store_records(workspace: Workspace) -> dict[str, Any]:
    """Read and clean the newest release in the data folder.

    Raises
    ------
    SettingError
        Where no data folder is set.
    """
    from htrisk_dagster.victim_population.ctdc_files import read_release
    from htrisk_dagster.victim_population.recode import clean

    folder = workspace.settings.data_dir
    if folder is None:
        raise SettingError(
            "Case files come from a folder of your own: set HTRISK_DATA_DIR and HTRISK_ORIGIN=files, "
            "or run `htrisk cases --data FOLDER`."
        )
    release = read_release(folder)
    cleaned = clean(release.file)
    made_from = files_fingerprint([release.file.path])
    store = case_store(workspace)
    store.write(tables.RECORDS, cleaned.records, made_from=made_from)
    store.write(tables.RECODE_COUNTS, cleaned.recodes, made_from=made_from)
    return {
        "file": release.file.path.name,
        "layout": release.file.layout,
        "records": cleaned.records.height,
        "notes": " ".join(cleaned.notes) or "none",
        "table": as_markdown(cleaned.recodes.sort("records_count", descending=True)),
        "made_from": made_from,
    }


def records_of(workspace: Workspace) -> pl.DataFrame:
    """Cleaned records."""
    return case_store(workspace).read(tables.RECORDS, ["all"])


def store_trends(workspace: Workspace) -> dict[Table, dict[str, Any]]:
    """Write counts, contrasts, tactics, flows and forecasts; return figures by table."""
    store, records = case_store(workspace), records_of(workspace)
    made_from = store.made_from(tables.RECORDS)["all"]
    figures: dict[Table, dict[str, Any]] = {}
    for table, make in _TREND_TABLES.items():
        frame = make(records)
        store.write(table, frame, made_from=made_from)
        figures[table] = {"rows": frame.height, "table": as_markdown(frame)}
    figures[tables.TACTICS]["finding"] = tactics.most_used_tactic(
        store.read(tables.TACTICS, ["all"])
    )
    forecast = yearly_forecast.forecast_years(store.read(tables.YEARLY_COUNTS, ["all"]))
    store.write(tables.YEARLY_FORECASTS, forecast, made_from=made_from)
    figures[tables.YEARLY_FORECASTS] = {
        "rows": forecast.height,
        "table": as_markdown(forecast),
    }
    matrix = flows.log_count_matrix(
        store.read(tables.FLOWS, ["all"]).filter(pl.col("records_count") >= K)
    )
    title = "Records by citizenship and country of exploitation, log10"
    path = store.root / "figures" / "flows.svg"
    write_text_whole(path, draw_heat_map(matrix, title=title))
    figures[tables.FLOWS]["heat_map"] = str(path)
    return figures


def store_logits(workspace: Workspace, tracking: MlflowTracking, run_id: str) -> dict[str, Any]:
    """Fit the five models by both recipes and with the source; write, log, return figures."""
    store, records = case_store(workspace), records_of(workspace)
    made_from = store.made_from(tables.RECORDS)["all"]
    coefficients, sentences = [tables.LOGIT_COEFFICIENTS.empty()], []
    for model in logit_models.FIVE_MODELS:
        try:
            counts = logit_models.count_outcomes(records, model.outcome)
        except TableError as error:
            # Some releases do not tell majority at exploitation: said, and no reason to stop.
            store.write(tables.LOGIT_COEFFICIENTS, coefficients[0], made_from=made_from)
            return {"models": 0, "findings": str(error)}
        fits, found = _fits(counts, model)
        sentences += found
        for recipe, fit in fits.items():
            named = fit.coefficients.with_columns(
                pl.lit(model.name).alias("model"), pl.lit(recipe).alias("recipe")
            )
            coefficients.append(tables.LOGIT_COEFFICIENTS.conform(named))
            tracking.log_values(
                f"{DATA_SET}/logit",
                f"{model.name}, {recipe}",
                {"aic": fit.aic, "log_likelihood": fit.log_likelihood},
                {"model": model.name, "recipe": recipe, "made_from": made_from},
                run_id,
            )
    frame = pl.concat(coefficients)
    store.write(tables.LOGIT_COEFFICIENTS, frame, made_from=made_from)
    return {
        "models": len(logit_models.FIVE_MODELS),
        "table": as_markdown(frame.select("model", "recipe", "term", *_SHOWN)),
        "findings": "\n\n".join(sentences),
    }


def _fits(
    counts: pl.DataFrame, model: logit_models.LogitModel
) -> tuple[dict[str, logit.LogitFit], list[str]]:
    """A model by both recipes, without the source and with it, and what came of it in words."""
    fits: dict[str, logit.LogitFit] = {}
    sentences = []
    has_sources = counts["case_management"].drop_nulls().n_unique() == 2
    for recipe in _RECIPES:
        fits[recipe] = logit.fit_logit(counts, model, recipe)
        sentences += [f"**{model.name}, {recipe}**: {s}" for s in fits[recipe].sentences]
        if has_sources:
            effect = data_source_effect.compare_with_source(counts, model, recipe)
            fits[f"{recipe}, with source"] = effect.with_source
            sentences.append(f"**{model.name}, {recipe}**: {effect.sentence}")
    if not has_sources:
        sentences.append(f"**{model.name}**: the file does not name the data source.")
    return fits, sentences


def extrapolations(workspace: Workspace) -> list[extrapolation.Extrapolation]:
    """Survey totals of forced labour times the odds of sexual exploitation, by victim type."""
    counts = logit_models.count_outcomes(records_of(workspace), "is_sexual_exploit")
    fit = logit.fit_logit(counts, logit_models.FIVE_MODELS[0], "seed")
    return [extrapolation.extrapolate(fit, who, total) for who, total in SURVEY_THOUSANDS.items()]


def store_clusters(workspace: Workspace, tracking: MlflowTracking, run_id: str) -> dict[str, Any]:
    """Cluster with the default request, the best k by silhouette; log, return what may be shown."""
    records = records_of(workspace)
    request = clusters.ClusterRequest(CLUSTER_COLUMNS, CLUSTER_AXES, 2)
    by_k = clusters.silhouette_by_k(records, request)
    best = int(by_k.sort("silhouette", descending=True, nulls_last=True)["n_clusters"][0])
    result = clusters.cluster(records, replace(request, n_clusters=best))
    for row in by_k.iter_rows(named=True):
        tracking.log_values(
            f"{DATA_SET}/clusters",
            f"k = {row['n_clusters']}",
            {"silhouette": row["silhouette"]},
            {"columns": ", ".join(CLUSTER_COLUMNS)},
            run_id,
        )
    return {
        "n_clusters": best,
        "silhouettes": str(dict(by_k.select("n_clusters", "silhouette").rows())),
        "sizes": as_markdown(result.sizes),
        "centres": as_markdown(result.centres),
        "note": result.note,
    }


def store_published(workspace: Workspace) -> dict[str, Any]:
    """Hide what may not leave, over all tables together, and write the release."""
    released = release_tables(workspace)
    folder = published_folder(workspace)
    for table in released:
        write_text_whole(folder / f"{table.spec.name}.csv", csv_for_people(table.cells))
    hidden = sum(int(t.cells["count"].null_count()) for t in released)
    return {
        "tables": len(released),
        "cells": sum(t.cells.height for t in released),
        "cells_hidden": hidden,
        "folder": str(folder),
        "table": "\n\n".join(f"**{t.spec.name}**: {t.note}" for t in released),
    }


def read_published(workspace: Workspace) -> list[PublishedTable]:
    """The release as a reader has it: from its files alone."""
    from htrisk_dagster.victim_population.standard_tables import STANDARD_TABLES

    folder = published_folder(workspace)
    released = []
    for spec in STANDARD_TABLES:
        types = {**dict.fromkeys(spec.dimensions, pl.String), "count": pl.Int64}
        cells = pl.read_csv(folder / f"{spec.name}.csv", schema_overrides=types)
        released.append(PublishedTable(spec, K, cells, ""))
    return released


def release_tables(workspace: Workspace) -> list[PublishedTable]:
    """The standard tables after disclosure control."""
    from htrisk_dagster.victim_population import standard_tables, suppression

    records = standard_tables.for_standard_tables(records_of(workspace))
    return suppression.publish(
        records, standard_tables.STANDARD_TABLES, known_empty=standard_tables.KNOWN_EMPTY
    )
